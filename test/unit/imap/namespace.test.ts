/** Names of clients and of stores: RFC 2342, RFC 3501 §5.1. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { prefixFault } from "../../../src/config/namespace.ts";
import { Namespace, type Separator } from "../../../src/imap/namespace.ts";

const courier = new Namespace("INBOX.", ".");

const cases: readonly { readonly of: Namespace; readonly names: readonly (readonly [client: string, store: string | undefined])[] }[] = [
  { of: new Namespace("", "/"), names: [["inBOX", "INBOX"], ["inbox/Sub", "INBOX/Sub"], ["inboxes", "inboxes"], ["a.b/c", "a.b/c"], ["a/", "a/"], ["", ""]] },
  { of: new Namespace("", "."), names: [["inbox.a", "INBOX/a"], ["inbox/a", undefined], ["a.b", "a/b"], ["a.", "a/"], ["a\\2eb", "a.b"], ["a\\5c2eb", "a\\2eb"], ["a\\b", "a\\b"]] },
  { of: courier, names: [["Inbox", "INBOX"], ["INBOX.Sent", "Sent"], ["inbox.a.b", "a/b"], ["Sent", undefined], ["INBOXES", undefined], ["INBOX.INBOX", "INBOX"], ["INBOX.INBOX.z", "INBOX/z"], ["INBOX.a/b", undefined], ["INBOX.", ""]] },
  { of: new Namespace("inbox/", "/"), names: [["INBOX/Sent", "Sent"], ["inbox/Sent", "Sent"], ["INBOX.Sent", undefined]] },
  { of: new Namespace("Mail/", "/"), names: [["inbox", "INBOX"], ["Mail/a", "a"], ["mail/a", undefined], ["Mail", undefined], ["INBOX/a", undefined]] },
];

for (const { of, names } of cases)
  test(`prefix "${of.prefix}", separator "${of.separator}"`, () => {
    for (const [client, store] of names) assert.equal(of.inner(client), store, client);
  });

test("what a store has is found again under the name that clients see", () => {
  const level = fc.stringMatching(/^[a.\\2ec5é ]{1,8}$/);
  const spaces = fc.constantFrom<readonly [string, Separator]>(["", "/"], ["", "."], ["INBOX.", "."], ["Mail/", "/"], ["A.b.", "."]);
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 4 }), spaces, (levels, [prefix, separator]) => {
      const namespace = new Namespace(prefix, separator);
      const name = levels.join("/");
      const outer = namespace.outer(name);
      assert.equal(namespace.inner(outer), name);
      assert.equal(outer.slice(prefix.length).split(separator).length, levels.length);
    }),
  );
});

test("commands come with the names of the store", () => {
  assert.deepEqual(courier.within({ name: "SELECT", mailbox: "INBOX.a.b" }), { name: "SELECT", mailbox: "a/b" });
  assert.deepEqual(courier.within({ name: "RENAME", from: "INBOX.a", to: "inbox.b" }), { name: "RENAME", from: "a", to: "b" });
  assert.equal(courier.within({ name: "RENAME", from: "INBOX.a", to: "b" }), undefined);
  assert.deepEqual(courier.within({ name: "LIST", reference: "INBOX.", pattern: "*" }), { name: "LIST", reference: "INBOX.", pattern: "*" });
});

test("the root of a reference", () => {
  assert.deepEqual(["INBOX.x", "inbox.", "INBOX", "Foo", ".", "#news.x", "#news", ""].map((reference) => courier.rootOf(reference)), ["INBOX.", "INBOX.", "", "", ".", "#news.", "", ""]);
});

test("prefixes that can be none", () => {
  for (const prefix of ["", "INBOX.", "a.b.", "Öffentlich."]) assert.equal(prefixFault(prefix, "."), undefined, prefix);
  for (const prefix of ["INBOX", "INBOX/", ".", "a..", "%.", "*.", "a\t.", '".']) assert.notEqual(prefixFault(prefix, "."), undefined, prefix);
});
