/** Message identifiers and references. RFC 5256 §3 THREAD, RFC 5322 §3.6.4 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHeader } from "../../../src/message/header.ts";
import { messageIds, ownId, references } from "../../../src/message/message-id.ts";

test("ways to write an identifier", () => {
  const cases: readonly (readonly [value: string, ids: readonly string[]])[] = [
    ["<a@b>", ["a@b"]],
    ["  <a@b>\r\n <c@d>", ["a@b", "c@d"]],
    ["<a@b><c@d>", ["a@b", "c@d"]],
    // The example of RFC 5256 §3.
    ['<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', ["01KF8JCEOCBS0045PS@xxx.yyy.com"]],
    ['<"a b"@c>', ["a b@c"]],
    ['<"a\\"b"@c>', ['a"b@c']],
    ["< a @ b >", ["a@b"]],
    ["<a(comment)@b>", ["a@b"]],
    ["<a@[1.2.3.4]>", ["a@[1.2.3.4]"]],
    ["<a@b@c>", ["a@b@c"]],
    ["<nothing> <a@b>", ["a@b"]],
    ["<@b> <a@> <>", []],
    ["Your message of Monday <a@b> (from Bob <bob@c>)", ["a@b", "bob@c"]],
    ["<open@b <a@b>", ["a@b"]],
    ["<open@b", []],
    ["a@b", []],
    ["", []],
  ];
  for (const [value, ids] of cases) assert.deepEqual(messageIds(value), ids, value);
});

const header = (text: string): ReturnType<typeof parseHeader> => parseHeader(Buffer.from(`${text}\r\n\r\n`));

test("References count, else the first of In-Reply-To", () => {
  assert.deepEqual(references(header("References: <a@b> <c@d>\r\nIn-Reply-To: <e@f>")), ["a@b", "c@d"]);
  assert.deepEqual(references(header("In-Reply-To: <e@f> <g@h>")), ["e@f"]);
  assert.deepEqual(references(header("References: none\r\nIn-Reply-To: bob's message <e@f>")), ["e@f"]);
  assert.deepEqual(references(header("Subject: x")), []);
  assert.equal(ownId(header("Message-ID: <e@f> <g@h>")), "e@f");
  assert.equal(ownId(header("Message-ID: e@f")), undefined);
});

test("long values take no longer than they are", () => {
  const n = 200_000;
  assert.equal(messageIds("<".repeat(n)).length, 0);
  assert.equal(messageIds(`<${"@".repeat(n)}`).length, 0);
  assert.equal(messageIds('<"'.repeat(n)).length, 0);
  assert.equal(messageIds("<a@b(".repeat(n)).length, 0);
  assert.equal(messageIds("<a@b> ".repeat(n)).length, n);
  assert.equal(messageIds("<a@b> ".repeat(n), 3).length, 3);
});

test("a bracket that is far away is looked for once", () => {
  // Looked for at each of the others it takes an hour.
  assert.deepEqual(messageIds(`${"<".repeat(4_000_000)}>`), []);
});
