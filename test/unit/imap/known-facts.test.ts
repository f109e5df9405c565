/** Facts from the store; in memory, bounded, where it keeps none; what is used stays longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KnownFacts } from "../../../src/agent/imap/known-facts.ts";
import { makeFacts } from "../../../src/imap/facts.ts";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";

/** Keeps nothing, unless given something to keep it in. */
const folder = (name: string, uidValidity = 1, kept?: Map<Uid, Buffer>): Mailbox => ({ id: name, uidValidity, facts: (uid: Uid) => kept?.get(uid), keepFacts: (uid: Uid, facts: Buffer) => void kept?.set(uid, facts) }) as unknown as Mailbox;
const uid = (n: number): Uid => n as Uid;
const facts = (octets: number): Buffer => makeFacts(Buffer.from(`Subject: ${"x".repeat(octets / 3)}\r\n\r\n`));

test("the store's facts count, memory only where it keeps none", () => {
  const known = new KnownFacts(100_000);
  const kept = new Map<Uid, Buffer>();
  const own = facts(300);
  known.keep(folder("a", 1, kept), uid(1), own);
  assert.equal(kept.get(uid(1)), own);
  assert.equal(known.get(folder("a", 1, kept), uid(1)), own);
  kept.clear();
  assert.equal(known.get(folder("a", 1, kept), uid(1)), undefined);
  const given = Buffer.from(own);
  known.keep(folder("a"), uid(1), given);
  // Whoever made them makes the next ones in the same place.
  given.fill(0);
  assert.deepEqual(known.get(folder("a"), uid(1)), own);
  assert.equal(known.get(folder("b"), uid(1)), undefined);
  assert.equal(known.get(folder("a", 2), uid(1)), undefined);
});

test("what is in memory of messages is not taken for that of edited ones", () => {
  const known = new KnownFacts(100_000);
  const own = facts(300);
  known.keep({ ...folder("a"), edits: 0 }, uid(1), own);
  assert.deepEqual(known.get(folder("a"), uid(1)), own);
  assert.equal(known.get({ ...folder("a"), edits: 1 }, uid(1)), undefined);
});

test("what the store has and is no facts is none", () => {
  assert.equal(new KnownFacts(1000).get(folder("a", 1, new Map([[uid(1), Buffer.from("noise of another layout")]])), uid(1)), undefined);
});

test("the limit holds, and what is looked at outlives what is not", () => {
  const known = new KnownFacts(10_000);
  const inbox = folder("INBOX");
  for (let n = 1; n < 200; n++) {
    known.keep(inbox, uid(n), facts(300));
    assert.ok(known.get(inbox, uid(1)) !== undefined, `after ${n}`);
  }
  let kept = 0;
  for (let n = 2; n < 200; n++) if (known.get(inbox, uid(n)) !== undefined) kept++;
  assert.ok(kept > 0 && kept * 500 <= 10_000, `${kept} kept`);
});

test("facts that would fill an eighth of it are not kept", () => {
  const known = new KnownFacts(10_000);
  known.keep(folder("a"), uid(1), facts(3000));
  assert.equal(known.get(folder("a"), uid(1)), undefined);
});
