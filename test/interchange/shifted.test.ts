/** Another program rewrites an mbox so that everything looks as before from afar: a UID must not come to mean another message. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Mailbox } from "../../src/store/mailbox.ts";
import { openStore } from "../../src/store/open.ts";
import { settingsWith } from "../unit/pop3/place.ts";

/** All of one size, with one From line. */
const message = (n: number, uid?: number): string => `From a@b Sat Nov 21 05:30:00 2026\n${n === 0 ? "X-IMAPbase: 1790000000 0000000009\n" : ""}Subject: m${n}\n${uid === undefined ? "X-Fill: 00\nStatus: O\n" : `X-UID: ${String(uid).padStart(3, "0")}\nStatus: O\n`}\nbody\n\n`;

async function open(t: TestContext): Promise<{ readonly inbox: string; readonly mailbox: Mailbox }> {
  const home = mkdtempSync(join(tmpdir(), "shifted-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, "mail"));
  const inbox = join(home, "inbox");
  writeFileSync(inbox, [0, 1, 2, 3, 4, 5].map((n) => message(n, n + 1)).join(""));
  const user = { name: "alice", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, home, mail: `mbox:${home}/mail:INBOX=${inbox}`, shell: "", agent: "virtual" };
  const store = await openStore(user, settingsWith({ user_database: "file", mailbox_auto_create: "" }));
  t.after(() => store.close());
  const mailbox = await store.open("INBOX");
  await mailbox.refresh();
  return { inbox, mailbox };
}

/** Subjects by UID. */
async function subjects(mailbox: Mailbox): Promise<Record<number, string>> {
  const found: Record<number, string> = {};
  for (const { uid } of mailbox.messages) found[uid] = /^Subject: (.*)\r$/m.exec(String(await mailbox.read(uid)))?.[1] ?? "";
  return found;
}

test("two messages removed, two of the same size appended", async (t) => {
  const { inbox, mailbox } = await open(t);
  assert.deepEqual(await subjects(mailbox), { 1: "m0", 2: "m1", 3: "m2", 4: "m3", 5: "m4", 6: "m5" });
  const size = statSync(inbox).size;
  writeFileSync(inbox, message(0, 1) + message(3, 4) + message(4, 5) + message(5, 6) + message(6) + message(7));
  assert.equal(statSync(inbox).size, size);
  await mailbox.refresh();
  assert.deepEqual(await subjects(mailbox), { 1: "m0", 4: "m3", 5: "m4", 6: "m5", 10: "m6", 11: "m7" });
});

test("two messages removed, three of the same size appended", async (t) => {
  const { inbox, mailbox } = await open(t);
  await subjects(mailbox);
  writeFileSync(inbox, message(0, 1) + message(3, 4) + message(4, 5) + message(5, 6) + message(6) + message(7) + message(8));
  await mailbox.refresh();
  assert.deepEqual(await subjects(mailbox), { 1: "m0", 4: "m3", 5: "m4", 6: "m5", 10: "m6", 11: "m7", 12: "m8" });
});

test("the same, with the mtime of before", async (t) => {
  const { inbox, mailbox } = await open(t);
  await subjects(mailbox);
  const { atime, mtime } = statSync(inbox);
  writeFileSync(inbox, readFileSync(inbox, "latin1") + message(6), "latin1");
  utimesSync(inbox, atime, mtime);
  await mailbox.refresh();
  assert.deepEqual(await subjects(mailbox), { 1: "m0", 2: "m1", 3: "m2", 4: "m3", 5: "m4", 6: "m5", 10: "m6" });
});
