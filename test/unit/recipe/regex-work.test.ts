/** Work and memory for any pattern, counted in steps: linear in the text. RUNS=50 looks longer for worse patterns. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Regex } from "../../../src/recipe/regex/regex.ts";
import { Chance, Grammar } from "./patterns.ts";

const runs = Number(process.env.RUNS ?? 1);

/** Steps per octet of text and state of the automaton; each state is met twice at most, as way under way and as reached, and MATCH meets those before the mark and behind it. */
const searchLimit = 2;
const matchLimit = 8;
/** With "\/" the area may be read some times in vain. */
const scoreLimit = 32;
const tables = 5 << 20;

interface Cost {
  readonly search: number;
  readonly match: number;
  readonly score: number;
}

/** Steps per octet and state. */
function cost(pattern: string, area: Buffer): Cost {
  const regex = new Regex(pattern);
  const measured = (run: () => void): number => {
    const before = regex.work;
    run();
    return (regex.work - before) / ((area.length + 2) * regex.states);
  };
  const costs = {
    search: measured(() => void regex.test(area)),
    match: measured(() => void regex.matched(area)),
    score: measured(() => {
      let left = area.length;
      for (const found of regex.matches(area)) if (found === "endless" || left-- < 0) break;
    }),
  };
  assert.ok(regex.octets < tables + 160 * regex.states + 258 * 258, `${pattern.slice(0, 100)} holds ${String(regex.octets)}`);
  return costs;
}

function check(pattern: string, area: Buffer): Cost {
  const costs = cost(pattern, area);
  const { search, match, score } = costs;
  assert.ok(search < searchLimit && match < matchLimit && score < scoreLimit, `${pattern.slice(0, 200)}: ${JSON.stringify(costs)}`);
  return costs;
}

/** Letters at random, so that states of all kinds are met. */
function letters(seed: number, length: number, from: string): Buffer {
  const chance = new Chance(seed);
  const area = Buffer.alloc(length);
  for (let i = 0; i < length; i++) area[i] = from.charCodeAt(chance.below(from.length));
  return area;
}

const nested = (depth: number, inner: string, operator: string): string => "(".repeat(depth) + inner + `)${operator}`.repeat(depth);

describe("patterns that explode elsewhere", () => {
  const area = letters(1, 20_000, "ab");
  const short = letters(2, 1000, "ab\n");
  const rows: readonly (readonly [name: string, pattern: string, area: Buffer])[] = [
    ["a loop in a loop", "(a*)*c", area],
    ["loops in loops of what may be empty", `${nested(30, "a?", "*")}c`, area],
    ["10,000 parentheses", `${nested(10_000, "a?", "*")}c`, short],
    ["a loop of ambiguous words", "(a|b|ab|ba|aba)*c", area],
    ["what was 20 octets ago", `(a|b)*a${"(a|b)".repeat(20)}c`, area],
    ["what was 500 octets ago", `a${"(a|b)".repeat(500)}c`, short],
    ["what was 500 octets ago, counted", `a${".".repeat(500)}`, area],
    ["optional octets before as many", `${"a?".repeat(300)}${"a".repeat(300)}c`, Buffer.alloc(2000, "a")],
    ["many times anything", `${".*a".repeat(20)}c`, area],
    ["10,000 alternatives", Array.from({ length: 10_000 }, (_, i) => `${((i * 7919) % 1_000_003).toString(2).replaceAll("0", "a").replaceAll("1", "b")}c`).join("|"), short],
    ["a pattern of 500,000 octets", `${"ab".repeat(250_000)}c`, short],
    ["500,000 times any octet", `a${".".repeat(500_000)}c`, letters(3, 30, "ab")],
    ["marks at every place", "(a|b)*\\/(a|b)*c", area],
    ["an exploding right part", `a\\/${"(a|b)".repeat(20)}c`, area],
    ["a right part that is looked for in vain", "a\\/((.|$)*z)?", short],
    ["one that may go on to the end", "a\\/(((.|$)*z)?|b*)", short],
    ["every mark of a loop", "(a\\/b?)*c", area],
  ];
  for (const [name, pattern, text] of rows) test(name, () => void check(pattern, text));

  test("no pattern is too large to be refused", () => {
    const regex = new Regex("a".repeat(1_100_000));
    assert.equal(regex.fault, "too large");
    assert.equal(regex.test(Buffer.from("a".repeat(10))), false);
  });
});

test("the worst patterns that can be found stay linear", () => {
  for (let run = 0; run < runs; run++) {
    const chance = new Chance(500 + run);
    const grammar = new Grammar(chance, 9);
    const area = letters(chance.below(1000), 2000, chance.one(["ab", "abc", "aab\n", "aB \n.", "abAB*+?([-_\n"]));
    const part = (): string => grammar.expression(1) + chance.one(["", "", "*", "+", "?"]);
    let worst = part();
    let height = 0;
    for (let tries = 0; tries < 150; tries++) {
      // A worse one is made of what is bad: repeated, nested, with something added, with "\/" somewhere.
      const at = chance.below(worst.length + 1);
      const made = chance.one([
        (): string => `(${worst})*${part()}`,
        (): string => worst + worst,
        (): string => `(${worst}|${part()})+`,
        (): string => part() + worst,
        (): string => `${worst.slice(0, at)}${part()}${worst.slice(at)}`,
        (): string => `${worst.slice(0, at)}\\/${worst.slice(at)}`,
        (): string => worst.slice(chance.below(at + 1)),
      ])();
      if (made.length > 300 || made === "") continue;
      const { search, match, score } = check(made, area);
      const found = search + match + score;
      if (found >= height) [worst, height] = [made, found];
    }
  }
});

test("twice the text is twice the work at most", () => {
  for (const pattern of ["(a|b)*a(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)c", "b\\/(.*a)?", "^.*$", "(a*b*)*\\/c?"]) {
    const steps = (length: number): number => {
      const regex = new Regex(pattern);
      const area = letters(7, length, "ab\n");
      regex.test(area);
      regex.matched(area);
      for (const found of regex.matches(area)) if (found === "endless") break;
      return regex.work;
    };
    // What the table knows of the first half makes the second one cheaper, never dearer.
    assert.ok(steps(40_000) < 2.2 * steps(20_000) + 10_000, pattern);
  }
});
