import assert from "node:assert/strict";
import { test } from "node:test";
import { UidRuns } from "../../../src/store/uid-runs.ts";

/** Numbers by chance below a limit, the same ones for a seed. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 65_537 % below;
}

const members = (runs: UidRuns): number[] => Array.from({ length: 60 }, (_, uid) => uid).filter((uid) => runs.has(uid));

test("UIDs that follow each other are one run", () => {
  const runs = UidRuns.of([10, 11, 12]);
  runs.addRange(13, 16);
  runs.add(3);
  runs.addRange(30, 30);
  assert.deepEqual([...runs.runs()], [[3, 4], [10, 16]]);
  assert.deepEqual([...runs], [3, 10, 11, 12, 13, 14, 15]);
  runs.delete(12);
  assert.deepEqual([...runs.runs()], [[3, 4], [10, 12], [13, 16]]);
  runs.addRange(4, 14);
  assert.deepEqual([...runs.runs()], [[3, 16]]);
  assert.equal(runs.size, 13);
  runs.clear();
  assert.deepEqual([runs.size, ...runs], [0]);
});

test("beside a set", () => {
  const roll = chance(7);
  for (let course = 0; course < 50; course++) {
    const runs = new UidRuns();
    const set = new Set<number>();
    for (let step = 0; step < 60; step++) {
      const from = 1 + roll(50);
      if (roll(3) > 0) {
        const to = from + roll(6);
        runs.addRange(from, to);
        for (let uid = from; uid < to; uid++) set.add(uid);
      } else {
        runs.delete(from);
        set.delete(from);
      }
      const expected = [...set].sort((a, b) => a - b);
      assert.deepEqual([...runs], expected);
      assert.deepEqual(members(runs), expected);
      assert.equal(runs.size, set.size);
      assert.equal(runs.countTo(from), expected.filter((uid) => uid <= from).length);
      const ranges = [...runs.runs()];
      for (const [i, [begin]] of ranges.entries()) assert.ok(i === 0 || begin > ranges[i - 1][1], "runs do not touch");
    }
  }
});
