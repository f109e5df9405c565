/** What sessions hold of the messages of an mbox: flags are those of then, the rest is looked up, also when the message is gone or the mailbox another one. */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Mailbox, Message, Uid } from "../../../src/store/mailbox.ts";
import type { State } from "../../../src/store/mbox/metadata.ts";
import { States } from "../../../src/store/mbox/states.ts";
import { openStore } from "../../../src/store/open.ts";
import { mboxFile, ours } from "./mbox-file.ts";
import { settings, uids, user } from "./support.ts";

const mail = (n: number): string => `From a@example.org Sat Nov 21 05:30:0${n} 2026\nSubject: ${n}\n\n${"x".repeat(n)}\n\n`;
const three = [1, 2, 3].map(mail).join("");

const known = ({ uid, size, internalDate, saveDate, modSeq, guid }: Message): unknown => ({ uid, size, internalDate, saveDate, modSeq, guid });
const flags = (inbox: Mailbox, ...of: number[]): Promise<readonly Message[]> => inbox.setFlags(of as Uid[], { how: "add", flags: new Set(["\\Flagged"]) });

test("a message keeps what is known of it when it is expunged", async (t) => {
  await ours(mboxFile(t, three), async (inbox) => {
    const held = inbox.messages.slice();
    const before = held.map(known);
    await inbox.expunge([uids(inbox)[0], uids(inbox)[2]] as Uid[]);
    assert.deepEqual(held.map(known), before);
    assert.deepEqual(inbox.messages.map(known), [before[1]]);
  });
});

test("with other flags it is another object; the old one has its flags, and the newest MODSEQ", async (t) => {
  await ours(mboxFile(t, three), async (inbox) => {
    const [, old] = inbox.messages;
    const [now, ...more] = await flags(inbox, 2);
    assert.deepEqual([[...(old?.flags ?? [])], [...(now?.flags ?? [])], more], [[], ["\\Flagged"], []]);
    assert.equal(inbox.messages[1], now);
    assert.equal(old?.modSeq, inbox.highestModSeq);
    assert.equal(now?.modSeq, inbox.highestModSeq);
    const before = known(now as Message);
    await inbox.expunge([2 as Uid]);
    assert.deepEqual(known(old as Message), before);
    assert.deepEqual(known(now as Message), before);
  });
});

test("UIDs named in any order, twice, or that there are none of: those whose flags changed, ascending", async (t) => {
  await ours(mboxFile(t, three), async (inbox) => {
    assert.deepEqual((await flags(inbox, 3, 9, 1, 3)).map(({ uid }) => uid), [1, 3]);
    assert.deepEqual((await flags(inbox, 1, 2, 3)).map(({ uid }) => uid), [2]);
    assert.deepEqual(await flags(inbox, 1, 2, 3), []);
    assert.deepEqual(await inbox.expunge([3, 1, 3] as Uid[]), [1, 3]);
  });
});

test("another file in place of the mbox, or all read anew: those held say what they said", async (t) => {
  const file = mboxFile(t, three);
  const store = await openStore(user(file.location), { ...settings, mailbox_auto_create: [] });
  try {
    const inbox = await store.open("INBOX");
    const held = inbox.messages.slice();
    const before = held.map(known);
    await store.resync?.("INBOX");
    assert.deepEqual(held.map(known), inbox.messages.map(known), "read anew");
    assert.deepEqual(held.map(({ size }) => size), before.map((message) => (message as Message).size));
    const last = inbox.messages.map(known);
    writeFileSync(`${file.path}.new`, mail(7).replace("Subject", "X-IMAPbase: 12345 1\nX-UID: 1\nSubject"));
    renameSync(`${file.path}.new`, file.path);
    const changes = await inbox.refresh();
    assert.equal(inbox.uidValidity, 12345);
    assert.deepEqual([changes.expunged, changes.arrived.map(({ uid }) => uid)], [[1, 2, 3], [1]]);
    assert.deepEqual(held.map(known), last, "another mailbox");
  } finally {
    await store.close();
  }
});

test("states by row: few objects for many rows, found in any order", () => {
  const [one, two]: State[] = [{ flags: new Set(["\\Seen"]), old: true }, { flags: new Set(), old: false }];
  const states = new States();
  for (let row = 0; row < 300; row += 3) states.add(row, (row % 2 === 0 ? one : two) as State);
  assert.equal(states.size, 100);
  assert.deepEqual([...states.rows.slice(0, 3)], [0, 3, 6]);
  for (const row of [0, 3, 6, 297, 3, 150, 153, 0]) assert.equal(states.get(row), row % 2 === 0 ? one : two, `row ${row}`);
  for (const row of [1, 2, 298, 299, 300, 151]) assert.deepEqual([states.has(row), states.get(row)], [false, undefined], `row ${row}`);
});
