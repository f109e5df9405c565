/** Octets that lie here and there are the same as one buffer of them, however they are read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromLines, quoted } from "../../../src/message/from-lines.ts";
import { Octets, type Stored } from "../../../src/message/octets.ts";

/** As a file gives them. */
function stored(octets: Buffer, piece: number): Stored {
  return {
    length: octets.length,
    piece,
    read: (into, at) => {
      assert.ok(into.length > 0 && at + into.length <= octets.length);
      octets.copy(into, 0, at);
    },
  };
}

const parts = fc.array(fc.record({ octets: fc.array(fc.constantFrom(10, 32, 70, 114), { maxLength: 12 }).map((all) => Buffer.from(all)), piece: fc.integer({ min: 0, max: 5 }) }), { maxLength: 5 });

const joined = (all: readonly { readonly octets: Buffer; readonly piece: number }[]): Octets => Octets.join(...all.map(({ octets, piece }) => (piece === 0 ? octets : Octets.stored(stored(octets, piece)))));

const collected = (octets: Octets): Buffer => Buffer.concat([...octets.pieces().map((piece) => Buffer.from(piece))]);

describe("octets", () => {
  test("joined, taken apart, walked and searched", () => {
    fc.assert(
      fc.property(parts, fc.nat(70), fc.nat(70), fc.array(fc.constantFrom(10, 32, 70, 114), { minLength: 1, maxLength: 4 }), (all, a, b, wanted) => {
        const plain = Buffer.concat(all.map(({ octets }) => octets));
        const octets = joined(all);
        const what = Buffer.from(wanted);
        assert.equal(octets.length, plain.length);
        assert.deepEqual(collected(octets), plain);
        assert.deepEqual(octets.toBuffer(), plain);
        assert.equal(octets.indexOf(what, a), plain.indexOf(what, a));
        assert.equal(octets.startsWith(what, a), plain.subarray(a, a + what.length).equals(what));
        assert.equal(octets.at(b), plain[b] ?? -1);
        const part = octets.subarray(a, b);
        assert.deepEqual(part.toBuffer(), plain.subarray(a, Math.max(a, b)));
        assert.deepEqual(collected(part), plain.subarray(a, Math.max(a, b)));
        assert.equal(part.indexOf(what), plain.subarray(a, Math.max(a, b)).indexOf(what));
        for (let at = 0; at < plain.length; at++) {
          const { octets: some, start } = octets.window(at);
          assert.deepEqual(some, plain.subarray(start, start + some.length));
          assert.ok(start <= at && at < start + some.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("lines that begin with From are quoted", () => {
    const lines = fc.array(fc.record({ octets: fc.constantFrom("From ", "From x\n", "\n", "Fro", "m ", " From \n", ">From \n", "text\n").map((text) => Buffer.from(text)), piece: fc.integer({ min: 0, max: 9 }) }), { maxLength: 9 });
    fc.assert(
      fc.property(lines, (all) => {
        const octets = joined(all);
        const found = Buffer.concat([...quoted(octets, fromLines(octets)).map((piece) => Buffer.from(piece))]).toString();
        assert.equal(found, Buffer.concat(all.map((one) => one.octets)).toString().replace(/^From /gm, ">$&"));
      }),
      { numRuns: 1000 },
    );
  });

  test("what lies in memory in one piece is not copied", () => {
    const octets = Buffer.from("abcdef");
    assert.equal(Octets.of(octets).memory, octets);
    assert.equal(Octets.of(octets).toBuffer(), octets);
    assert.equal(Octets.of(octets).subarray(2, 4).toBuffer().buffer, octets.buffer);
    assert.equal(Octets.stored(stored(octets, 10)).memory, undefined);
    const walked = Octets.stored(stored(octets, 10));
    walked.window(0);
    assert.equal(walked.memory, undefined);
  });
});
