/** What is kept of messages: joined, bounded, and what is used stays longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageCache } from "../../../src/agent/imap/message-cache.ts";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";

const folder = (name: string, uidValidity = 1): Mailbox => ({ name, uidValidity }) as Mailbox;
const uid = (n: number): Uid => n as Uid;

test("what is learned later joins what was known", () => {
  const cache = new MessageCache(100_000);
  cache.learn(folder("a"), uid(1), { envelope: "e" });
  cache.learn(folder("a"), uid(1), { body: "b" });
  assert.deepEqual(cache.get(folder("a"), uid(1)), { envelope: "e", body: "b" });
  assert.equal(cache.get(folder("b"), uid(1)), undefined);
  assert.equal(cache.get(folder("a", 2), uid(1)), undefined);
});

test("the limit holds, and what is looked at outlives what is not", () => {
  const cache = new MessageCache(10_000);
  const inbox = folder("INBOX");
  cache.learn(inbox, uid(1), { envelope: "x".repeat(300) });
  for (let n = 2; n < 200; n++) {
    cache.learn(inbox, uid(n), { envelope: "x".repeat(300) });
    assert.ok(cache.get(inbox, uid(1)) !== undefined, `after ${n}`);
  }
  let kept = 0;
  for (let n = 2; n < 200; n++) if (cache.get(inbox, uid(n)) !== undefined) kept++;
  assert.ok(kept > 0 && kept * 500 <= 10_000, `${kept} kept`);
});

test("an entry that would fill an eighth of it is not kept", () => {
  const cache = new MessageCache(10_000);
  cache.learn(folder("a"), uid(1), { envelope: "x".repeat(2000) });
  assert.equal(cache.get(folder("a"), uid(1)), undefined);
});
