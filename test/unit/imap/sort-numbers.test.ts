/** What SORT takes from the columns of a store is what its messages say, whatever happened since the mailbox was opened. */
import assert from "node:assert/strict";
import { renameSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Mailbox } from "../../../src/store/mailbox.ts";
import { flags, maildir, message } from "../store/support.ts";
import { startSessions, type Client } from "./session.ts";

const count = 30;

/** Dates and sizes that are in no order. */
function fill(root: string): void {
  for (let n = 0; n < count; n++) {
    const file = `${root}/cur/${2000 + n}.x.y:2,`;
    writeFileSync(file, `Subject: ${n}\n\n${"a".repeat((n * 7) % 11)}\n`);
    utimesSync(file, 1_000_000 + ((n * 13) % count), 1_000_000 + ((n * 13) % count));
  }
}

/** Places of messages by a number of theirs, then by place. */
function expected({ messages }: Mailbox, by: "size" | "internalDate"): number[] {
  return messages.map((_, i) => i).sort((a, b) => (messages[a]?.[by] ?? 0) - (messages[b]?.[by] ?? 0) || a - b);
}

async function sorted(client: Client, command: string): Promise<number[]> {
  const lines = await client.ask(command);
  assert.match(lines.at(-1) ?? "", /^OK /);
  return (/^\* SORT ?(.*)$/.exec(lines.find((line) => line.startsWith("* SORT")) ?? "")?.[1] ?? assert.fail()).split(" ").filter((n) => n !== "").map(Number);
}

async function check(client: Client, inbox: Mailbox): Promise<void> {
  for (const [key, by] of [["ARRIVAL", "internalDate"], ["SIZE", "size"]] as const) {
    const order = expected(inbox, by);
    assert.deepEqual(await sorted(client, `SORT (${key}) UTF-8 ALL`), order.map((i) => i + 1));
    assert.deepEqual(await sorted(client, `UID SORT (${key}) UTF-8 ALL`), order.map((i) => inbox.messages[i]?.uid));
    const half = order.filter((i) => i < 8);
    assert.deepEqual(await sorted(client, `UID SORT (${key}) UTF-8 1:8`), half.map((i) => inbox.messages[i]?.uid));
  }
}

test("SORT by arrival and size: known, not known, after changes of all kinds", async (t) => {
  const { root, store, inbox } = await maildir(t);
  fill(root);
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  // Nobody has looked at a message: its numbers are found out by this.
  assert.deepEqual(await sorted(client, "SORT (ARRIVAL) UTF-8 ALL"), expected(inbox, "internalDate").map((i) => i + 1));
  await check(client, inbox);
  await client.ask("STORE 1:5 +FLAGS (\\Flagged)");
  await check(client, inbox);
  await client.ask("STORE 3,9,30 +FLAGS (\\Deleted)");
  await client.ask("EXPUNGE");
  await check(client, inbox);
  await inbox.append([message("Subject: new\n\nlast\n", flags(), 1_000_000_500)]);
  await client.ask("NOOP");
  await check(client, inbox);
  // Another program.
  unlinkSync(`${root}/cur/2010.x.y:2,`);
  renameSync(`${root}/cur/2011.x.y:2,`, `${root}/cur/2011.x.y:2,S`);
  await client.ask("CHECK");
  await check(client, inbox);
});

test("columns of a Maildir are its messages, or there are none", async (t) => {
  const { root, inbox } = await maildir(t);
  fill(root);
  await inbox.refresh();
  const uids = inbox.numbers?.("uid") ?? assert.fail();
  assert.deepEqual([...uids], inbox.messages.map(({ uid }) => uid));
  assert.ok((inbox.numbers?.("internalDate") ?? assert.fail()).every((date) => Number.isNaN(date)));
  const dates = inbox.messages.map(({ internalDate }) => internalDate);
  assert.deepEqual([...(inbox.numbers?.("internalDate") ?? assert.fail())], dates);
  const sizes = inbox.messages.map(({ size }) => size);
  assert.deepEqual([...(inbox.numbers?.("size") ?? assert.fail())], sizes);
});
