import assert from "node:assert/strict";
import { test } from "node:test";
import { indexedText, textLimit, textVersion } from "../../../src/store/fulltext/text.ts";
import { trigramQuery } from "../../../src/store/fulltext/trigrams.ts";

const message = (header: string, body: string | Buffer): Buffer => Buffer.concat([Buffer.from(`${header}\r\n`), Buffer.from("\r\n"), Buffer.from(body)]);

test("a message with more text than the limit is not indexed, however it is spread", () => {
  const line = `${"word ".repeat(1000)}\r\n`;
  const much = line.repeat(Math.ceil(textLimit / line.length) + 1);
  assert.equal(indexedText(message("Subject: a", much)), undefined);
  assert.equal(indexedText(message(`Subject: ${"x".repeat(textLimit)}`, "b")), undefined);
  assert.equal(indexedText(message("Subject: a", Buffer.alloc(5 * textLimit, "a"))), undefined, "not even decoded");
  assert.ok(indexedText(message("Subject: a", much.slice(0, textLimit / 2))) !== undefined);
});

test("what is no text costs no room", () => {
  const texts = indexedText(message("Content-Type: image/png", Buffer.alloc(5 * textLimit, 0x41)));
  assert.equal(texts?.body, "");
  assert.match(texts?.header ?? "", /image\/png/i);
});

test("the version of the text is the same every time", () => {
  assert.equal(textVersion(), textVersion());
  assert.match(textVersion(), /^[0-9a-f]{16}$/);
});

test("the query for a needle", () => {
  assert.equal(trigramQuery("AB"), undefined);
  assert.equal(trigramQuery("\u{1f600}\u{1f601}"), undefined, "two code points, four units");
  assert.equal(trigramQuery("ABC"), '"ABC"');
  assert.equal(trigramQuery("ABCD"), '"ABC" AND "BCD"');
  assert.equal(trigramQuery('A"B'), '"A""B"');
  assert.equal(trigramQuery("AAAAAA"), '"AAA"');
  assert.equal(trigramQuery("A\0BCD"), '"BCD"');
  assert.equal(trigramQuery("A\0B"), undefined);
  assert.equal(trigramQuery("\ud83dABC"), '"ABC"');
  assert.equal(trigramQuery(Array.from({ length: 500 }, (_, n) => String.fromCharCode(0x4e00 + n)).join(""))?.split(" AND ").length, 16);
});
