/** The short way to what is compared of a field says what the long one says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fieldReader, fieldTest, type HeaderKey } from "../../../src/agent/imap/search-fields.ts";
import { makeFacts } from "../../../src/imap/facts.ts";

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "Z", "word", " ", ":", "=", "?", "\\", "\"", "@", "<", ">", ",") },
  { weight: 1, arbitrary: fc.constantFrom("\t", "  ", "=?utf-8?q?=C3=BC?=", "\r\n ", "\n\t", "\u00fc", "\0", "\r", "\x7f") },
);
const value = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(""));
const line = fc.tuple(fc.constantFrom("Subject", "subject ", "SUBJECT", "X-Other", "To", "Su=?bject"), fc.constantFrom(":", ": ", ":\t", ":  ", ""), value, fc.constantFrom("\r\n", "\n")).map((parts) => parts.join(""));
const message = fc.array(line, { maxLength: 4 }).map((lines) => Buffer.from(`${lines.join("")}\r\nbody`, "latin1"));
const keys = (["subject", "value", "addresses"] as const).flatMap((as) => ["Subject", "To", "X-Other", "Missing"].map((name): HeaderKey => ({ key: "header", as, name, text: Buffer.alloc(0) })));

test("what is put is what the text is", () => {
  let put = 0;
  fc.assert(
    fc.property(message, (octets) => {
      const facts = makeFacts(octets);
      for (const key of keys) {
        const reader = fieldReader(key);
        const into = Buffer.alloc(facts.length + 3);
        const end = reader.put?.(facts, into, 3) ?? -1;
        if (end < 0) continue;
        put++;
        // Of an address that is empty both ways to write it are.
        assert.equal(into.toString("latin1", 3, end), reader.textOf(facts)?.replace("\0", ""));
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(put > 1000);
});

test("a text is found where it is in the text", () => {
  fc.assert(
    fc.property(message, fc.constantFrom("A", "WORD", "Z:", "=", " W", "@", "\\", "A@Z", "Ü"), (octets, needle) => {
      const facts = makeFacts(octets);
      for (const key of keys) assert.equal(fieldTest(key, needle)(facts, undefined), fieldReader(key).textOf(facts)?.includes(needle));
    }),
    { numRuns: 3000 },
  );
});
