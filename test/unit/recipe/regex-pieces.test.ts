/** A pattern finds in octets that are read piece by piece what it finds in one buffer: across borders, at them, and again and again. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { regexScore } from "../../../src/filter/score.ts";
import { Octets } from "../../../src/message/octets.ts";
import { Regex } from "../../../src/recipe/regex/regex.ts";

const inPieces = (octets: Buffer, piece: number): Octets => Octets.stored({ length: octets.length, piece, read: (into, at) => void octets.copy(into, 0, at) });

const atom = fc.constantFrom("a", "b", "ab", ".", "$", "^", "[ab]", "[^a]", "\\<", "\\>", "(a|b)", "(ab|b)*", "a+", "b?", ".*", "(.|$)*", "c");
const pattern = fc
  .record({ before: fc.array(atom, { maxLength: 5 }), mark: fc.boolean(), behind: fc.array(atom, { maxLength: 4 }), ends: fc.constantFrom("", "^^") })
  .map(({ before, mark, behind, ends }) => `${ends}${before.join("")}${mark ? "\\/" : ""}${behind.join("")}`);
const text = fc.array(fc.constantFrom("a", "b", "ab", "\n", " ", "c", "\0", "a\nb"), { maxLength: 40 }).map((all) => Buffer.from(all.join("")));

function scored(regex: Regex, area: Buffer | Octets): readonly string[] {
  const found: string[] = [];
  const score = regexScore(regex, area, { w: 3, x: 0.9 }, 0);
  for (;;) {
    const { done, value } = score.next();
    found.push(done === true ? String(value) : value.toString("latin1"));
    if (done === true) return found;
  }
}

describe("patterns over pieces", () => {
  test("match, MATCH and score are those of one buffer", () => {
    fc.assert(
      fc.property(pattern, text, fc.integer({ min: 1, max: 9 }), (written, octets, piece) => {
        const regex = new Regex(written);
        const pieces = inPieces(octets, piece);
        assert.equal(regex.test(pieces), regex.test(octets));
        assert.deepEqual(regex.matched(pieces), regex.matched(octets));
        assert.deepEqual(scored(regex, pieces), scored(regex, octets));
        const joined = Octets.join(octets.subarray(0, piece), inPieces(octets.subarray(piece), piece));
        assert.deepEqual(regex.matched(joined), regex.matched(octets));
        assert.deepEqual([...regex.matches(joined)], [...regex.matches(octets)]);
      }),
      { numRuns: 2000 },
    );
  });

  test("where the table is of no use, and where it is full", () => {
    const words = Array.from({ length: 3000 }, (_, i) => `${String((i * 7919) % 3001)}x${String((i * 104_729) % 9973)}`).join(" ");
    const octets = Buffer.from(`${words}\nend\n`);
    for (const written of ["(a|b|[0-9])*x(.*)[0-9]99[0-9] .*e\\/nd$", "([0-9]|x|[0-9 ])+([0-9][0-9 x])+7\\/[0-9]*x", "x(a|b)|[0-9][0-9]?[0-9]?x\\/.*end", "(.|$)*99(.|$)*e"])
      for (const piece of [64, 1000, 4096]) {
        const regex = new Regex(written);
        assert.deepEqual(new Regex(written).matched(inPieces(octets, piece)), regex.matched(octets), written);
        assert.deepEqual([...new Regex(written).matches(inPieces(octets, piece))], [...regex.matches(octets)], written);
      }
  });
});
