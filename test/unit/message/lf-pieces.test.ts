/** Line ends of a message that comes in pieces are those of the whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crlfSize, crlfSizeOf, LfPieces, toLf } from "../../../src/message/line-ends.ts";
import { Octets } from "../../../src/message/octets.ts";

const text = fc.array(fc.constantFrom("a", "\r", "\n", "\r\n", "bc"), { maxLength: 20 }).map((all) => Buffer.from(all.join("")));

const cut = (octets: Buffer, size: number): Buffer[] => Array.from({ length: Math.ceil(octets.length / size) }, (_, i) => Buffer.from(octets.subarray(i * size, (i + 1) * size)));

test("CRLF becomes LF across pieces", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 5 }), (octets, size) => {
      const pieces = new LfPieces();
      const given = cut(octets, size).flatMap((piece) => pieces.take(piece).map((one) => Buffer.from(one)));
      assert.deepEqual(Buffer.concat([...given, ...pieces.end()]), toLf(octets));
    }),
  );
});

test("the size with CRLF is the same in pieces", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 5 }), (octets, size) => {
      assert.equal(crlfSizeOf(Octets.join(...cut(octets, size))), crlfSize(octets));
    }),
  );
});
