import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { decodeMutf7, encodeMutf7 } from "../../../src/syntax/mutf7.ts";

test("modified UTF-7 of RFC 3501 §5.1.3", () => {
  assert.equal(encodeMutf7("~peter/mail/台北/日本語"), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
  assert.equal(decodeMutf7("~peter/mail/&U,BTFw-/&ZeVnLIqe-"), "~peter/mail/台北/日本語");
  assert.equal(encodeMutf7("a&b\u{1f600}"), "a&-b&2D3eAA-");
  for (const wrong of ["&Jjo!", "&U,BTFw-&ZeVnLIqe-", "ä", "&AGE-", "&", "&U,BTFw", "&AA-", "a\x7f"]) assert.equal(decodeMutf7(wrong), undefined, wrong);
});

test("every name goes both ways", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => assert.equal(decodeMutf7(encodeMutf7(name)), name)));
});
