/** Ranks of numbers are those of their distinct values in order, whatever the numbers are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { rankNumbers } from "../../../src/imap/sort.ts";

function expected(values: readonly number[]): number[] {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  return values.map((value) => distinct.indexOf(value));
}

/** Numbers from 0 up to 1 that are the same in every run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const kinds: Readonly<Record<string, (random: () => number) => number>> = {
  "whole seconds in ms": (random) => Math.floor(1_700_000_000 + random() * 1e8) * 1000,
  "many of one second": (random) => Math.floor(random() * 5) * 1000,
  "before and after 1970": (random) => Math.floor((random() - 0.5) * 1e6) * 1000,
  "whole ms": (random) => Math.floor(1_700_000_000_000 + random() * 1e4),
  "ms of all years that a date can have": (random) => Math.floor((random() - 0.5) * 17.28e15),
  "parts of a ms": (random) => 1_700_000_000_000 + Math.floor(random() * 100) / 8,
  "sizes": (random) => Math.floor(random() * 300),
  "further apart than whole numbers are exact": (random) => Math.floor(random() * 40) * 2 ** 60 - 2 ** 63,
  "none and both infinities": (random) => [0, -0, Infinity, -Infinity][Math.floor(random() * 4)] ?? 0,
  "the same": () => 5000,
};

for (const [kind, make] of Object.entries(kinds))
  test(`numbers are ranked: ${kind}`, () => {
    const random = chance(20_261_126);
    for (const count of [0, 1, 2, 3, 64, 65, 500]) {
      const values = Array.from({ length: count }, () => make(random));
      assert.deepEqual([...rankNumbers(Float64Array.from(values))], expected(values));
      assert.deepEqual([...rankNumbers(Float64Array.from(values.toReversed()))], expected(values).toReversed());
    }
  });
