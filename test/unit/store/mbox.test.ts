import assert from "node:assert/strict";
import { appendFileSync, chmodSync, closeSync, existsSync, linkSync, openSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import type { Changes, Mailbox, MailStore, Message } from "../../../src/store/mailbox.ts";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { tryLock } from "../../../src/sys/lock.ts";
import { openStore, parseMailLocation } from "../../../src/store/open.ts";
import { flags, message, plain, settings, temporary, uid, uids, user, view } from "./support.ts";

const fault = (kind: string) => (error: unknown) => error instanceof StoreFault && error.kind === kind;

async function mbox(t: TestContext, root = temporary(t)): Promise<{ root: string; path: string; store: MailStore; inbox: Mailbox }> {
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), settings);
  t.after(() => store.close());
  return { root, path: `${root}/inbox`, store, inbox: await store.open("INBOX") };
}

const fromPostfix = (n: number, body = `body ${n}\n`): string => `From s${n}@example.org  Sat Nov 21 05:3${n}:00 2026\nFrom: a@b\nSubject: m${n}\n\n${body}\n`;

test("locations", () => {
  assert.deepEqual(parseMailLocation("maildir:/home/a/Maildir/"), { kind: "maildir", root: "/home/a/Maildir", inbox: "/home/a/Maildir", control: undefined, nested: false, dirname: "" });
  assert.deepEqual(parseMailLocation("mbox:/home/b/mail:INBOX=/var/mail/b"), { kind: "mbox", root: "/home/b/mail", inbox: "/var/mail/b" });
  assert.deepEqual(parseMailLocation("mbox:/home/b/mail"), { kind: "mbox", root: "/home/b/mail", inbox: "/home/b/mail/inbox" });
  // Dovecot's options that say nothing of where mail is.
  assert.deepEqual(parseMailLocation("maildir:/home/a/Maildir:INDEX=/var/i/a:LAYOUT=maildir++:INBOX=/home/a/Maildir/"), { kind: "maildir", root: "/home/a/Maildir", inbox: "/home/a/Maildir", control: undefined, nested: false, dirname: "" });
  assert.deepEqual(parseMailLocation("mbox:/home/b/mail:INDEX=MEMORY:INBOX=/var/mail/b:LAYOUT=fs"), { kind: "mbox", root: "/home/b/mail", inbox: "/var/mail/b" });
  assert.deepEqual(parseMailLocation("maildir:/a:LAYOUT=fs:INBOX=/b/:CONTROL=/c/"), { kind: "maildir", root: "/a", inbox: "/b", control: "/c", nested: true, dirname: "" });
  assert.deepEqual(parseMailLocation("maildir:/a:LAYOUT=fs:DIRNAME=.md:CONTROL=/a"), { kind: "maildir", root: "/a", inbox: "/a/INBOX/.md", control: undefined, nested: true, dirname: ".md" });
  const strange = ["maildir:/a:LAYOUT=index", "maildir:/a:INBOX=b", "maildir:/a:CONTROL=c", "maildir:/a:DIRNAME=d", "maildir:/a:LAYOUT=fs:DIRNAME=x/y", "maildir:/a:LAYOUT=fs:DIRNAME=cur", "maildir:/a:LAYOUT=fs:LAYOUT=fs", "maildir:/a:UTF-8", "mbox:/a:LAYOUT=maildir++", "mbox:/a:INBOX=/b:INBOX=/c", "mbox:/a:CONTROL=/c", "mbox:/a:x"];
  for (const wrong of ["", "maildir:", "maildir:x", "mbox:/a:INBOX=b", "mdbox:/x", ...strange]) assert.throws(() => parseMailLocation(wrong), fault("bad-name"));
});

test("append and read: octets, sizes, flags, dates", async (t) => {
  const { inbox, root } = await mbox(t);
  const date = new Date(2020, 1, 2, 3, 4, 5).getTime();
  assert.deepEqual(await inbox.append([message("A: 1\n\nx\n", flags("\\Seen", "$Forwarded"), date), message("B: 2\r\n\r\n"), message("C: 3\r\n\r\nno end")]), [1, 2, 3]);
  assert.equal((await inbox.read(uid(1)))?.toString(), "A: 1\r\n\r\nx\r\n");
  assert.equal((await inbox.read(uid(2)))?.toString(), "B: 2\r\n\r\n");
  assert.equal((await inbox.read(uid(3)))?.toString(), "C: 3\r\n\r\nno end\r\n");
  assert.deepEqual(view(inbox), [
    { uid: 1, flags: ["$Forwarded", "\\Seen"], size: 11 },
    { uid: 2, flags: [], size: 8 },
    { uid: 3, flags: [], size: 16 },
  ]);
  assert.equal(inbox.messages[0]?.internalDate, date);
  assert.equal(inbox.messages[0]?.guid, `1.${inbox.uidValidity}`);
  const other = await mbox(t, root);
  assert.deepEqual(view(other.inbox), view(inbox));
  assert.equal(other.inbox.uidValidity, inbox.uidValidity);
  assert.equal(other.inbox.uidNext, 4);
});

test("a mailbox other programs filled gets its UIDs at once, and they stay", async (t) => {
  const { root, path, inbox } = await mbox(t);
  writeFileSync(path, fromPostfix(1) + fromPostfix(2, "x\n>From y\n") + fromPostfix(3, ""));
  await inbox.refresh();
  assert.deepEqual(uids(inbox), [1, 2, 3]);
  assert.equal((await inbox.read(uid(2)))?.toString(), "From: a@b\r\nSubject: m2\r\n\r\nx\r\n>From y\r\n");
  assert.match(readFileSync(path, "latin1"), /^From s1@example\.org .*\nFrom: a@b\nSubject: m1\nX-IMAPbase: \d+ 0000000003\nX-UID: 1 +\nStatus:  *\n/);
  appendFileSync(path, fromPostfix(4));
  assert.deepEqual((await inbox.refresh()).arrived.map((m) => m.uid), [4]);
  const other = await mbox(t, root);
  assert.deepEqual(view(other.inbox), view(inbox));
});

test("flags in place: nothing else moves", async (t) => {
  const { inbox, path } = await mbox(t);
  await inbox.append([plain("one"), plain("two"), plain("three")]);
  const size = statSync(path).size;
  const heard: Changes[] = [];
  t.after(inbox.watch((changes) => heard.push(changes)));
  const changed = await inbox.setFlags([uid(2), uid(9)], { how: "add", flags: flags("\\Seen", "\\Flagged", "Work") });
  assert.deepEqual(changed.map((m) => [m.uid, [...m.flags].sort()]), [[2, ["Work", "\\Flagged", "\\Seen"]]]);
  assert.deepEqual(heard, [{ arrived: [], expunged: [], flagged: changed }]);
  assert.equal(statSync(path).size, size);
  assert.match(readFileSync(path, "latin1"), /X-UID: 2 +\nStatus: R \nX-Status: F +\nX-Keywords: Work +\n/);
  await inbox.setFlags([uid(2)], { how: "remove", flags: flags("\\Seen", "WORK") });
  assert.deepEqual([...inbox.messages[1]!.flags], ["\\Flagged"]);
  await inbox.setFlags([uid(2)], { how: "replace", flags: flags("\\Answered", "\\Deleted", "\\Draft") });
  assert.deepEqual([...inbox.messages[1]!.flags].sort(), ["\\Answered", "\\Deleted", "\\Draft"]);
  const long = "k".repeat(200);
  await inbox.setFlags([uid(1)], { how: "add", flags: flags(long) });
  assert.ok(statSync(path).size > size);
  assert.deepEqual([...inbox.messages[0]!.flags], [long]);
  assert.match((await inbox.read(uid(3)))!.toString(), /body of three/);
});

test("expunge: first, middle, all; UIDs are never given again", async (t) => {
  const { inbox, path, root } = await mbox(t);
  await inbox.append([plain("one"), plain("two"), plain("three"), plain("four")]);
  assert.deepEqual(await inbox.expunge([uid(1), uid(3), uid(7)]), [1, 3]);
  assert.deepEqual(uids(inbox), [2, 4]);
  assert.match((await inbox.read(uid(4)))!.toString(), /^From: a@example.org\r\nSubject: four\r\n\r\nbody of four\r\n$/);
  assert.deepEqual(await inbox.expunge([uid(2), uid(4)]), [2, 4]);
  assert.match(readFileSync(path, "latin1"), /FOLDER INTERNAL DATA/);
  const other = await mbox(t, root);
  assert.deepEqual(other.inbox.messages, []);
  assert.equal(other.inbox.uidValidity, inbox.uidValidity);
  assert.deepEqual(await other.inbox.append([plain("five")]), [5]);
  assert.deepEqual((await inbox.refresh()).arrived.map((m) => m.uid), [5]);
  assert.equal((await inbox.read(uid(5)))?.toString(), "From: a@example.org\r\nSubject: five\r\n\r\nbody of five\r\n");
});

test("From lines in text are quoted, metadata of strangers is dropped", async (t) => {
  const { store, inbox, path } = await mbox(t);
  const text = "From evil Sat Nov 21 05:30:00 2026\nSubject: x\nX-UID: 99\nStatus: RO\nX-IMAPbase: 1 2\nContent-Length: 3\nX-Keywords: a\n\tb\nTo: c\n\nFrom here Sat Nov 21 05:30:00 2026\n>From there\nend\n";
  await store.deliver("INBOX", { ...message(text), sender: "s@example.org" }, false);
  await store.deliver("INBOX", { ...message("Subject: y\n\nz\n"), sender: "" }, false);
  await inbox.refresh();
  assert.deepEqual(uids(inbox), [1, 2]);
  assert.equal((await inbox.read(uid(1)))?.toString(), ">From evil Sat Nov 21 05:30:00 2026\nSubject: x\nTo: c\n\n>From here Sat Nov 21 05:30:00 2026\n>From there\nend\n".replaceAll("\n", "\r\n"));
  assert.deepEqual(view(inbox).map((m) => m.flags), [[], []]);
  const file = readFileSync(path, "latin1");
  assert.match(file, /^From s@example\.org (Mon|Tue|Wed|Thu|Fri|Sat|Sun) /);
  assert.match(file, /\n\nFrom MAILER-DAEMON /);
});

test("Content-Length counts when it is right, and only then", async (t) => {
  const { path, inbox } = await mbox(t);
  const head = "From a@b Sat Nov 21 05:30:00 2026\nSubject: x\n";
  const inner = "text\n\nFrom c@d Sat Nov 21 05:30:00 2026\nmore\n";
  writeFileSync(path, `${head}Content-Length: ${inner.length}\n\n${inner}\n${head}Content-Length: 7\n\n${inner}\n`);
  await inbox.refresh();
  assert.deepEqual(view(inbox).map((m) => m.size), [14 + inner.length + 4, 14 + 6, 6]);
  assert.equal((await inbox.read(uid(1)))?.toString(), `Subject: x\n\n${inner}`.replaceAll("\n", "\r\n"));
  await inbox.setFlags([uid(1), uid(2)], { how: "add", flags: flags("\\Seen") });
  assert.equal((await inbox.read(uid(1)))?.toString(), `Subject: x\n\n${inner}`.replaceAll("\n", "\r\n"), "a rewrite keeps the count");
});

test("changes by others: expunge, flags, X-IMAPbase dropped, file replaced", async (t) => {
  const { path, inbox } = await mbox(t);
  await inbox.append([plain("one"), plain("two"), plain("three")]);
  const validity = inbox.uidValidity;
  const [, one, two, three] = readFileSync(path, "latin1").split(/^(?=From .* 20)/m).reduce<string[]>((all, part) => [...all, part], [""]);
  writeFileSync(path, `${two}${three!.replace(/^Status:.*$/m, "Status: RO")}`);
  assert.ok(one!.includes("X-IMAPbase"));
  const changes = await inbox.refresh();
  assert.deepEqual([changes.expunged, changes.arrived, changes.flagged.map((m) => m.uid)], [[1], [], [3]]);
  assert.equal(inbox.uidValidity, validity);
  assert.match(readFileSync(path, "latin1"), new RegExp(`X-IMAPbase: ${validity} 0000000003`));
  writeFileSync(`${path}.new`, fromPostfix(9));
  renameSync(`${path}.new`, path);
  assert.deepEqual({ ...(await inbox.refresh()), arrived: uids(inbox) }, { arrived: [4], expunged: [2, 3], flagged: [] });
  unlinkSync(path);
  assert.deepEqual((await inbox.refresh()).expunged, [4]);
  assert.deepEqual(await inbox.append([plain("again")]), [5]);
});

test("a flag changed by another program together with an append is noticed", async (t) => {
  const { path, inbox } = await mbox(t);
  await inbox.append([plain("one"), plain("two")]);
  writeFileSync(path, readFileSync(path, "latin1").replace(/^Status: {3}$/m, "Status: R ") + fromPostfix(3));
  const changes = await inbox.refresh();
  assert.deepEqual([changes.flagged.map((m) => m.uid), changes.arrived.map((m) => m.uid)], [[1], [3]]);
});

test("a message that another program was still writing has its length when it is all there, and facts that say so", async (t) => {
  const { path, inbox } = await mbox(t);
  const whole = fromPostfix(3);
  const before = readFileSync(path, "latin1");
  const half = whole.slice(0, -20);
  writeFileSync(path, `${before}${half}`);
  await inbox.refresh();
  const [{ uid }] = inbox.messages as [Message];
  const read = async (): Promise<string> => (await inbox.read(uid))!.toString("latin1");
  assert.equal(inbox.messages[0]!.size, (await read()).length);
  const cut = await read();
  writeFileSync(path, `${readFileSync(path, "latin1")}${whole.slice(-20)}`);
  const changes = await inbox.refresh();
  assert.deepEqual([changes.arrived, changes.expunged, changes.flagged, uids(inbox)], [[], [], [], [uid]]);
  assert.ok((await read()).length > cut.length);
  assert.equal(inbox.messages[0]!.size, (await read()).length);
});

test("recent is what has no O in Status", async (t) => {
  const { path, inbox } = await mbox(t);
  writeFileSync(path, fromPostfix(1) + fromPostfix(2).replace("Subject", "Status: O\nSubject"));
  await inbox.refresh();
  assert.deepEqual([...(await inbox.claimRecent(true))], [1]);
  assert.deepEqual([...(await inbox.claimRecent(false))], [1]);
  assert.deepEqual([...(await inbox.claimRecent(false))], []);
  appendFileSync(path, fromPostfix(3));
  await inbox.refresh();
  assert.deepEqual([...(await inbox.claimRecent(true))], [3]);
  assert.deepEqual([...(await inbox.claimRecent(false))], [3]);
  assert.deepEqual([...(await inbox.claimRecent(false))], []);
  // Another program has it seem unread and new again.
  writeFileSync(path, readFileSync(path, "latin1").replace(/^Status: O /m, "Status:   "));
  await inbox.refresh();
  assert.deepEqual([...(await inbox.claimRecent(false))], [1]);
});

test("copy between folders, and to a Maildir", async (t) => {
  const { inbox, store } = await mbox(t);
  const date = new Date(2001, 1, 1).getTime();
  await inbox.append([message("one\n\n", flags("\\Seen", "kw"), date), plain("two")]);
  await store.create("a/b");
  const target = await store.open("a/b");
  assert.deepEqual(await inbox.copy([uid(2), uid(1)], target), { from: [1, 2], to: [1, 2] });
  assert.deepEqual(view(target), view(inbox));
  const other = await openStore(user(`maildir:${temporary(t)}/M`), settings);
  const outside = await other.open("INBOX");
  await inbox.copy([uid(1)], outside);
  assert.deepEqual(view(outside)[0], view(inbox)[0]);
  assert.equal(outside.messages[0]?.internalDate, date);
  assert.deepEqual(await outside.copy([uid(1)], inbox), { from: [1], to: [3] });
  await other.close();
});

test("folders are files, directories hold folders", async (t) => {
  const { store, root } = await mbox(t);
  await store.create("Work/Entwürfe");
  await store.create("Dir/");
  assert.ok(existsSync(`${root}/mail/Work/Entw&APw-rfe`));
  const list = (await store.folders()).map((f) => [f.name, f.selectable, f.inferiors, f.children]);
  assert.deepEqual(list, [
    ["INBOX", true, true, false],
    ["Dir", false, true, false],
    ["Drafts", true, false, false],
    ["Sent", true, false, false],
    ["Trash", true, false, false],
    ["Work", false, true, true],
    ["Work/Entwürfe", true, false, false],
  ]);
  await assert.rejects(store.open("Work"), fault("not-selectable"));
  await assert.rejects(store.create("Work/Entwürfe/x"), fault("bad-name"));
  for (const wrong of ["../x", ".hidden", "a//b", "a/./b", "~root"]) await assert.rejects(store.create(wrong), fault("bad-name"));
  await assert.rejects(store.remove("Work"), fault("not-selectable"));
  const folder = await store.open("Work/Entwürfe");
  await folder.append([plain("one")]);
  await store.rename("Work", "Play");
  assert.deepEqual(await folder.append([plain("two")]), [2]);
  await store.remove("Play/Entwürfe");
  await store.create("Play/Entwürfe");
  const again = await store.open("Play/Entwürfe");
  assert.ok(again.uidValidity > folder.uidValidity);
  await store.subscribe("Play/Entwürfe", true);
  assert.equal(readFileSync(`${root}/mail/.subscriptions`, "latin1"), "V\t2\n\nPlay\tEntw&APw-rfe\n");
  const inbox = await store.open("INBOX");
  await inbox.append([plain("x")]);
  await store.rename("INBOX", "Old");
  assert.equal((await store.status("Old")).messages, 1);
  assert.equal((await store.status("INBOX")).messages, 0);
});

test("INBOX is selectable whatever lies below it; DEL in a name is no reason to refuse it", async (t) => {
  const { store } = await mbox(t);
  await store.create("INBOX/sub");
  await store.create("del\x7f");
  const folders = await store.folders();
  assert.deepEqual(folders.filter(({ name }) => name.startsWith("INBOX")).map(({ name, selectable, inferiors, children }) => [name, selectable, inferiors, children]), [["INBOX", true, true, true], ["INBOX/sub", true, false, false]]);
  for (const { name, selectable } of folders) if (selectable) store.release(await store.open(name));
});

test("links, other names and strangers' files are refused", async (t) => {
  const { root, path, store, inbox } = await mbox(t);
  const target = `${root}/target`;
  writeFileSync(target, "");
  unlinkSync(path);
  symlinkSync(target, path);
  await assert.rejects(store.deliver("INBOX", plain("x"), false), fault("permission"));
  await assert.rejects(inbox.append([plain("x")]), fault("permission"));
  unlinkSync(path);
  linkSync(target, path);
  await assert.rejects(store.deliver("INBOX", plain("x"), false), fault("permission"));
  assert.equal(readFileSync(target, "latin1"), "");
});

test("what is no mbox is left alone", async (t) => {
  const root = temporary(t);
  writeFileSync(`${root}/inbox`, "#!/bin/sh\necho\n");
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), settings);
  await assert.rejects(store.open("INBOX"), fault("corrupt"));
  assert.equal(readFileSync(`${root}/inbox`, "latin1"), "#!/bin/sh\necho\n");
});

test("mailbox_size_limit", async (t) => {
  const root = temporary(t);
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, mailbox_size_limit: 1000 });
  await store.deliver("INBOX", plain("x"), false);
  const before = readFileSync(`${root}/inbox`);
  await assert.rejects(store.deliver("INBOX", message(`A: b\n\n${"x\n".repeat(400)}`), false), fault("too-large"));
  assert.deepEqual(readFileSync(`${root}/inbox`), before);
});

test("locks: a dotlock of another program is waited for, a stale one broken", async (t) => {
  const root = temporary(t);
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, deliver_lock_attempts: 3, deliver_lock_delay: 5, stale_lock_time: 60_000 });
  writeFileSync(`${root}/inbox.lock`, "0");
  await assert.rejects(store.deliver("INBOX", plain("x"), false), fault("in-use"));
  utimesSync(`${root}/inbox.lock`, 1, 1);
  await store.deliver("INBOX", plain("x"), false);
  assert.equal(existsSync(`${root}/inbox.lock`), false);
  writeFileSync(`${root}/inbox.lock`, `999999999:${(await import("node:os")).hostname()}`);
  await store.deliver("INBOX", plain("y"), false);
  assert.deepEqual(readdirSync(root).sort(), ["inbox", "mail"]);
});

test("locks: an fcntl lock of another program is waited for, and its reading keeps nobody from reading", async (t) => {
  const root = temporary(t);
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, deliver_lock_attempts: 3, deliver_lock_delay: 5 });
  await store.deliver("INBOX", plain("x"), false);
  const inbox = await store.open("INBOX", "current");
  const before = readFileSync(`${root}/inbox`, "latin1");
  for (const how of ["write", "read"] as const) {
    const fd = openSync(`${root}/inbox`, "r+");
    assert.ok(tryLock(fd, how));
    await assert.rejects(store.deliver("INBOX", plain("y"), false), fault("in-use"));
    await assert.rejects(inbox.setFlags([uid(1)], { how: "add", flags: flags("\\Seen") }), fault("in-use"));
    if (how === "read") assert.match(String(await inbox.read(uid(1))), /Subject: x/);
    assert.equal(existsSync(`${root}/inbox.lock`), false, "nobody waits with one of two locks");
    closeSync(fd);
  }
  assert.equal(readFileSync(`${root}/inbox`, "latin1"), before);
  await store.deliver("INBOX", plain("y"), false);
  await store.close();
});

test("an InboxLocker makes the dotlock of INBOX", async (t) => {
  const root = temporary(t);
  const calls: string[] = [];
  let free = 2;
  const locker = { lock: async () => (calls.push("lock"), --free < 0 || free === 0), touch: async () => undefined, unlock: async () => void calls.push("unlock") };
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), settings, locker);
  await store.deliver("INBOX", plain("x"), false);
  assert.deepEqual(calls, ["lock", "lock", "unlock"]);
  await store.deliver("other", plain("x"), true);
  assert.equal(calls.length, 3);
});

test("deliveries at once are appended together, all of them", async (t) => {
  const { store, inbox } = await mbox(t);
  await Promise.all(Array.from({ length: 50 }, (_, i) => store.deliver("INBOX", plain(`m${i}`), false)));
  await inbox.refresh();
  assert.deepEqual(uids(inbox), Array.from({ length: 50 }, (_, i) => i + 1));
  const subjects = await Promise.all(inbox.messages.map(async (m) => /Subject: (\S+)/.exec((await inbox.read(m.uid))!.toString())![1]));
  assert.deepEqual(subjects, Array.from({ length: 50 }, (_, i) => `m${i}`));
});

test("watch hears of other programs", async (t) => {
  const { inbox, path } = await mbox(t);
  const arrived = new Promise<number[]>((resolve) => {
    const stop = inbox.watch((changes) => {
      stop();
      resolve(changes.arrived.map((m) => m.uid));
    });
  });
  appendFileSync(path, fromPostfix(1));
  assert.deepEqual(await arrived, [1]);
});

test("files are the user's alone", async (t) => {
  const { store, path } = await mbox(t);
  await store.deliver("INBOX", plain("x"), false);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  chmodSync(path, 0o660);
});
