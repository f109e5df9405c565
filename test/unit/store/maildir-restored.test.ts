/** A Maildir as backups, copies, other clocks and tired administrators leave it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import test, { type TestContext } from "node:test";
import { makeLockFile } from "../../../src/store/dotlock.ts";
import type { Mailbox, MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { resyncFolder } from "../../../src/store/resync.ts";
import { flags, message, plain, settings, temporary, ticked, uid, uids, user } from "./support.ts";

async function open(t: TestContext, root: string, more: object = {}): Promise<{ readonly root: string; readonly store: MailStore; readonly inbox: Mailbox }> {
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [], quota_warning: [], quota_exceeded_message: "full", ...more });
  t.after(() => store.close());
  return { root, store, inbox: await store.open("INBOX") };
}

const fresh = (t: TestContext, more: object = {}): ReturnType<typeof open> => open(t, `${temporary(t)}/Maildir`, more);
const byHand = (path: string, name: string): void => writeFileSync(`${path}/new/${name}`, "Subject: by hand\n\nx\n");

test("directories that a copy left out, since they were empty, are made again", async (t) => {
  const { root, store } = await fresh(t);
  await store.create("A");
  await (await store.open("A")).append([message("Subject: one\n\nx\n", flags("\\Seen"))]);
  await store.close();
  for (const part of ["tmp", "new"]) rmSync(`${root}/.A/${part}`, { recursive: true });
  const again = await open(t, root);
  assert.deepEqual((await again.store.folders()).map(({ name }) => name), ["INBOX", "A"]);
  await again.store.deliver("A", plain("two"), false);
  assert.deepEqual(uids(await again.store.open("A", "current")), [1, 2]);
});

test("the same under an open folder", async (t) => {
  const { root, store } = await fresh(t);
  await store.create("A");
  const folder = await store.open("A");
  await folder.append([message("Subject: one\n\nx\n", flags("\\Seen"))]);
  const lose = (): void => ["tmp", "new"].forEach((part) => rmSync(`${root}/.A/${part}`, { recursive: true }));
  lose();
  await folder.refresh();
  assert.deepEqual(uids(folder), [1]);
  await folder.append([message("Subject: two\n\nx\n", flags("\\Seen"))]);
  lose();
  await store.deliver("A", plain("three"), false);
  await folder.refresh();
  assert.deepEqual(uids(folder), [1, 2, 3]);
});

test("INBOX removed under an open session is made again by the next delivery, or who opens it; UIDs go on", async (t) => {
  for (const deliver of [true, false]) {
    const { root, store, inbox } = await fresh(t);
    await inbox.append(["one", "two"].map(plain));
    const { uidValidity } = inbox;
    rmSync(root, { recursive: true });
    if (deliver) await store.deliver("INBOX", plain("three"), false);
    const again = await store.open("INBOX", "current");
    if (!deliver) await store.deliver("INBOX", plain("three"), false);
    await again.refresh();
    assert.equal(again.messages.length, 1);
    assert.ok(again.uidValidity !== uidValidity || (again.messages[0]?.uid ?? 0) > 2);
  }
});

test("another directory put in the place of an open one: what comes into it is seen at once", async (t) => {
  const { root, inbox } = await fresh(t);
  await inbox.append([plain("one")]);
  await inbox.setFlags([uid(1)], { how: "add", flags: flags("\\Seen") });
  for (const part of ["cur", "new"]) {
    cpSync(`${root}/${part}`, `${root}/${part}.copy`, { recursive: true, preserveTimestamps: true });
    renameSync(`${root}/${part}`, `${root}/tmp/${part}`);
    renameSync(`${root}/${part}.copy`, `${root}/${part}`);
  }
  for (let n = 0; n < 200; n++) {
    await inbox.refresh();
    byHand(root, `${1_700_000_000 + n}.1.other`);
    await inbox.refresh();
    assert.equal(inbox.messages.length, n + 2);
  }
});

test("a file in tmp/ that can not be removed keeps nobody from the mail", { skip: process.getuid?.() === 0 ? false : "only root can make a file immutable" }, async (t) => {
  const { root, store, inbox } = await fresh(t);
  await inbox.append([plain("one")]);
  await store.close();
  writeFileSync(`${root}/tmp/old`, "x");
  if (spawnSync("chattr", ["+i", `${root}/tmp/old`]).status !== 0) return t.skip("no immutable files here");
  try {
    const now = Date.now;
    t.mock.method(Date, "now", () => now() + 48 * 3_600_000);
    assert.deepEqual(uids((await open(t, root)).inbox), [1]);
    assert.ok(existsSync(`${root}/tmp/old`));
  } finally {
    spawnSync("chattr", ["-i", `${root}/tmp/old`]);
  }
});

test("mail in a directory whose mtime was put back, as rsync(1) and tar(1) do it", async (t) => {
  const { root, store, inbox } = await fresh(t);
  await inbox.append([plain("one")]);
  const back = (): void => ["cur", "new"].forEach((part) => utimesSync(`${root}/${part}`, 1_700_000_000, 1_700_000_000));
  back();
  await inbox.refresh();
  await ticked(root);
  await inbox.refresh();
  await store.close();
  byHand(root, "1700000000.1.other");
  back();
  assert.deepEqual(uids((await open(t, root)).inbox), [1, 2]);
});

test("a uidlist written anew in place, with its old mtime (rsync --inplace)", async (t) => {
  const { root, store, inbox } = await fresh(t);
  await inbox.append(["one", "two"].map(plain));
  const path = `${root}/dovecot-uidlist`;
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  await inbox.refresh();
  await store.close();
  const text = readFileSync(path, "latin1").replace(/^2 /m, "7 ");
  const fd = openSync(path, "r+");
  writeSync(fd, text);
  closeSync(fd);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  assert.deepEqual(uids((await open(t, root)).inbox), [1, 7]);
});

test("a copy without times (cp -r): UIDs, flags and dates stay, where the index came along", async (t) => {
  const { root, store, inbox } = await fresh(t);
  await inbox.append([message("Subject: one\n\nx\n", flags("\\Seen", "work"), 1_600_000_000_000)]);
  const seen = ({ uidValidity, messages }: Mailbox): unknown => [uidValidity, messages.map((m) => [m.uid, [...m.flags], m.internalDate, m.size])];
  const before = seen(inbox);
  await store.close();
  cpSync(root, `${root}-copy`, { recursive: true });
  assert.deepEqual(seen((await open(t, `${root}-copy`)).inbox), before);
});

test("old side files with newer mail, and new ones with older mail: nothing is lost, no UID comes to mean another message", async (t) => {
  const { root, store, inbox } = await fresh(t);
  await inbox.append(["one", "two"].map(plain));
  await store.close();
  cpSync(root, `${root}-old`, { recursive: true, preserveTimestamps: true });
  const later = await open(t, root);
  await later.inbox.expunge([uid(1)]);
  await later.inbox.append(["three", "four"].map(plain));
  const told = new Map(later.inbox.messages.map((m) => [m.uid as number, m.guid]));
  const { highestModSeq } = later.inbox;
  await later.store.close();
  const mails = (from: string, to: string): void => ["cur", "new"].forEach((part) => (rmSync(`${to}/${part}`, { recursive: true }), cpSync(`${from}/${part}`, `${to}/${part}`, { recursive: true, preserveTimestamps: true })));
  // Side files of today, mail of the backup.
  cpSync(root, `${root}-today`, { recursive: true, preserveTimestamps: true });
  mails(`${root}-old`, `${root}-today`);
  const today = await open(t, `${root}-today`);
  assert.equal(today.inbox.messages.length, 2);
  for (const m of today.inbox.messages) assert.ok(told.get(m.uid) === m.guid || m.uid > 4 || (m.uid as number) === 1, `UID ${m.uid}`);
  assert.ok(today.inbox.highestModSeq > highestModSeq);
  // Side files of the backup, mail of today.
  mails(root, `${root}-old`);
  const old = await open(t, `${root}-old`);
  assert.equal(old.inbox.messages.length, 3);
  assert.equal(old.inbox.messages.find((m) => (m.uid as number) === 2)?.guid, told.get(2));
  assert.ok(old.inbox.highestModSeq > highestModSeq, `${old.inbox.highestModSeq} after ${highestModSeq}: clients look again`);
});

test("HIGHESTMODSEQ never goes back: flags there and back that no index has heard of, and a clock set back with the index lost", async (t) => {
  const { root, store, inbox } = await fresh(t);
  await inbox.append([message("Subject: one\n\nx\n", flags("\\Seen"))]);
  await ticked(root);
  await store.close();
  const path = `${root}/posthorn.index`;
  const before = readFileSync(path);
  const { inbox: killed, store: dead } = await open(t, root);
  for (const how of ["add", "remove"] as const) await killed.setFlags([uid(1)], { how, flags: flags("\\Flagged") });
  const told = killed.highestModSeq;
  await dead.close();
  writeFileSync(path, before);
  const again = await open(t, root);
  assert.ok(again.inbox.highestModSeq >= told, `${again.inbox.highestModSeq} after ${told}`);
  const last = again.inbox.highestModSeq;
  await again.store.close();
  rmSync(path);
  const now = Date.now;
  t.mock.method(Date, "now", () => now() - 86_400_000);
  const { inbox: yesterday } = await open(t, root);
  assert.equal(yesterday.uidValidity, inbox.uidValidity);
  assert.ok(yesterday.highestModSeq >= last, "a day back");
  const [flagged] = await yesterday.setFlags([uid(1)], { how: "add", flags: flags("\\Draft") });
  assert.ok((flagged?.modSeq ?? 0) > last);
});

test("letters that came to mean other keywords while nobody looked: messages have a higher MODSEQ", async (t) => {
  const { root, store, inbox } = await fresh(t);
  await inbox.append([message("Subject: one\n\nx\n", flags("one")), message("Subject: two\n\nx\n", flags("\\Seen"))]);
  await ticked(root);
  const told = inbox.highestModSeq;
  await store.close();
  writeFileSync(`${root}/dovecot-keywords`, "0 two\n");
  const again = await open(t, root);
  const [first, second] = again.inbox.messages;
  assert.deepEqual([...(first?.flags ?? [])], ["two"]);
  assert.ok((first?.modSeq ?? 0) > told, `${first?.modSeq} after ${told}`);
  assert.ok((second?.modSeq ?? Infinity) <= told, `${second?.modSeq} until ${told}`);
  assert.ok(again.inbox.highestModSeq > told);
});

test("maildirsize of a time to come does not refuse mail, and resync counts what others left unsaid", async (t) => {
  const { root, store, inbox } = await fresh(t, { mailbox_quota: { octets: 1000, messages: 0 } });
  const large = message(`a: b\n\n${"x".repeat(800)}`);
  await inbox.append([large]);
  for (const name of readdirSync(`${root}/new`)) rmSync(`${root}/new/${name}`);
  utimesSync(`${root}/maildirsize`, Date.now() / 1000 + 86_400, Date.now() / 1000 + 86_400);
  await store.deliver("INBOX", large, false);
  writeFileSync(`${root}/new/1700000000.1.other`, "x".repeat(5000));
  await resyncFolder(store, "INBOX");
  assert.equal(readFileSync(`${root}/maildirsize`, "latin1"), "1000S\n5806 2\n");
});

test("a stranger's lock of a time to come is broken when it was watched for long enough", async (t) => {
  const path = `${temporary(t)}/x.lock`;
  writeFileSync(path, "1:elsewhere");
  utimesSync(path, Date.now() / 1000 + 86_400, Date.now() / 1000 + 86_400);
  assert.equal(makeLockFile(path, 50), false);
  while (!makeLockFile(path, 50)) await turn();
  assert.match(readFileSync(path, "latin1"), new RegExp(`^${process.pid}:`));
});

test("links: a Maildir that is one, a folder that leads to another within, a message that leads to a file", async (t) => {
  const { root, store, inbox } = await fresh(t);
  await store.create("A");
  await (await store.open("A")).append([plain("in A")]);
  await inbox.append([plain("one")]);
  await store.close();
  const there = `${root}-there`;
  renameSync(root, there);
  assert.equal(spawnSync("ln", ["-s", there, root]).status, 0);
  assert.equal(spawnSync("ln", ["-s", ".A", `${there}/.B`]).status, 0);
  writeFileSync(`${there}/letter`, "Subject: a letter\n\nx\n");
  assert.equal(spawnSync("ln", ["-s", `${there}/letter`, `${there}/cur/1700000000.1.link:2,`]).status, 0);
  const again = await open(t, root);
  assert.deepEqual((await again.store.folders()).map(({ name }) => name), ["INBOX", "A", "B"]);
  const letter = again.inbox.messages.at(-1);
  assert.match(String(await again.inbox.read(letter?.uid ?? uid(0))), /a letter/);
  await again.inbox.setFlags([letter?.uid ?? uid(0)], { how: "add", flags: flags("\\Seen") });
  await again.inbox.expunge([letter?.uid ?? uid(0)]);
  assert.ok(existsSync(`${there}/letter`), "what a link leads to is not removed with it");
  assert.equal((await again.store.open("B")).messages.length, 1);
  mkdirSync(`${root}-outside/cur`, { recursive: true });
  assert.equal(spawnSync("ln", ["-s", `${root}-outside`, `${there}/.C`]).status, 0);
  await assert.rejects(again.store.deliver("C", plain("x"), true), { kind: "permission" });
  assert.equal(statSync(`${root}-outside/cur`).nlink, 2);
});
