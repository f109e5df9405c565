import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import test from "node:test";
import type { Changes } from "../../../src/store/mailbox.ts";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, maildir, message, plain, settings, temporary, uid, uids, user, view } from "./support.ts";

const fault = (kind: string) => (error: unknown) => error instanceof StoreFault && error.kind === kind;

test("names as other programs read them: sizes, and a letter for each flag", async (t) => {
  const { inbox, root } = await maildir(t);
  for (const flag of ["\\Draft", "\\Flagged", "\\Answered", "\\Seen", "\\Deleted"]) await inbox.append([message("a: b\n\nx\n", flags(flag))]);
  const names = readdirSync(`${root}/cur`);
  for (const name of names) assert.match(name, /^\d+\.M\d+P\d+Q\d+\.[^,:]+,S=8,W=11:2,[DFRST]$/);
  assert.deepEqual(inbox.messages.map(({ guid, flags: set }) => `${[...set].join()} ${names.find((name) => name.startsWith(guid))?.at(-1)}`), ["\\Draft D", "\\Flagged F", "\\Answered R", "\\Seen S", "\\Deleted T"]);
});

test("append gives UIDs in order, octets come back with CRLF, the date stays", async (t) => {
  const { inbox, root } = await maildir(t);
  const date = Date.UTC(2020, 1, 2, 3, 4, 5);
  assert.deepEqual(await inbox.append([message("A: 1\n\nx\n", flags("\\Seen", "$Forwarded"), date), message("B: 2\r\n\r\ny\r\n")]), [1, 2]);
  assert.equal((await inbox.read(uid(1)))?.toString(), "A: 1\r\n\r\nx\r\n");
  assert.equal((await inbox.read(uid(2)))?.toString(), "B: 2\r\n\r\ny\r\n");
  assert.deepEqual(view(inbox), [
    { uid: 1, flags: ["$Forwarded", "\\Seen"], size: 11 },
    { uid: 2, flags: [], size: 11 },
  ]);
  assert.equal(inbox.messages[0]?.internalDate, date);
  assert.equal(inbox.uidNext, 3);
  assert.deepEqual(inbox.keywords, ["$Forwarded"]);
  assert.equal(readdirSync(`${root}/cur`).length, 1);
  assert.equal(readdirSync(`${root}/new`).length, 1);
  assert.equal(readdirSync(`${root}/tmp`).length, 0);
  assert.equal(await inbox.read(uid(3)), undefined);
});

test("what one process wrote another finds: UIDs, UIDVALIDITY, flags, keywords", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([plain("one"), plain("two"), plain("three")]);
  await inbox.setFlags([uid(1), uid(3)], { how: "add", flags: flags("\\Flagged", "work") });
  await inbox.expunge([uid(2)]);
  const other = await maildir(t, root);
  assert.deepEqual(view(other.inbox), view(inbox));
  assert.equal(other.inbox.uidValidity, inbox.uidValidity);
  assert.equal(other.inbox.uidNext, 4);
  assert.deepEqual(await other.inbox.append([plain("four")]), [4]);
  assert.deepEqual((await inbox.refresh()).arrived.map((m) => m.uid), [4]);
});

test("expunging the last message does not give its UID again", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([plain("one"), plain("two")]);
  await inbox.expunge([uid(2)]);
  const other = await maildir(t, root);
  assert.equal(other.inbox.uidNext, 3);
  assert.deepEqual(await other.inbox.append([plain("three")]), [3]);
});

test("flags: add, remove, replace; letters of other programs stay", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([message("a\n\n", flags("\\Seen"))]);
  const [file] = readdirSync(`${root}/cur`);
  renameSync(`${root}/cur/${file}`, `${root}/cur/${file}Pz`);
  await inbox.refresh();
  const change = async (how: "add" | "remove" | "replace", ...names: string[]) => [...((await inbox.setFlags([uid(1)], { how, flags: flags(...names) }))[0]?.flags ?? [])].sort();
  assert.deepEqual(await change("add", "\\Deleted", "k"), ["\\Deleted", "\\Seen", "k"]);
  assert.deepEqual(await change("remove", "\\Seen"), ["\\Deleted", "k"]);
  assert.deepEqual(await change("replace", "\\Draft", "\\Answered"), ["\\Answered", "\\Draft"]);
  assert.deepEqual(await change("replace", "\\Draft", "\\Answered"), [], "nothing changed, nothing told");
  assert.match(readdirSync(`${root}/cur`)[0]!, /:2,DPRz$/);
});

test("26 keywords have letters, more are kept beside them; all keep their first spelling", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([plain("one"), plain("two")]);
  const names = Array.from({ length: 30 }, (_, i) => `Key${i}`);
  await inbox.setFlags([uid(1)], { how: "add", flags: flags(...names) });
  assert.deepEqual([...inbox.messages[0]!.flags].sort(), [...names].sort());
  assert.equal(inbox.canCreateKeywords, true);
  assert.match(readFileSync(`${root}/dovecot-keywords`, "utf8"), /^25 Key25\n$/m);
  await inbox.setFlags([uid(2)], { how: "replace", flags: flags("KEY3", "KEY28") });
  assert.deepEqual([...inbox.messages[1]!.flags], ["Key3", "Key28"]);
  assert.deepEqual(await inbox.setFlags([uid(1)], { how: "add", flags: flags("key28") }), []);
});

test("changes of other programs: arrival, flag, move to cur, removal", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([plain("one"), message("two\n\n", flags("\\Seen"))]);
  const heard: Changes[] = [];
  t.after(inbox.watch((changes) => heard.push(changes)));
  writeFileSync(`${root}/new/1700000000.17_3.other`, "Subject: three\n\nx\n");
  utimesSync(`${root}/new/1700000000.17_3.other`, 1600000000, 1600000000);
  const first = await inbox.refresh();
  assert.deepEqual(first.arrived.map((m) => [m.uid, m.size, m.internalDate, m.guid]), [[3, 21, 1600000000000, "1700000000.17_3.other"]]);
  renameSync(`${root}/new/1700000000.17_3.other`, `${root}/cur/1700000000.17_3.other:2,F`);
  const [seen] = readdirSync(`${root}/cur`).filter((name) => name.endsWith(":2,S"));
  unlinkSync(`${root}/cur/${seen}`);
  await inbox.refresh();
  // The watch may have been there before.
  assert.deepEqual(heard, [first, { arrived: [], expunged: [2], flagged: [inbox.messages[1]] }]);
  assert.deepEqual([...inbox.messages[1]!.flags], ["\\Flagged"]);
  assert.equal((await inbox.read(uid(3)))?.toString(), "Subject: three\r\n\r\nx\r\n");
});

test("a file renamed under our feet is still read, flagged and expunged", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([plain("one"), plain("two"), plain("three")]);
  for (const file of readdirSync(`${root}/new`)) renameSync(`${root}/new/${file}`, `${root}/cur/${file}:2,F`);
  assert.match((await inbox.read(uid(1)))!.toString(), /body of one/);
  const [two] = await inbox.setFlags([uid(2)], { how: "add", flags: flags("\\Seen") });
  assert.deepEqual([...two!.flags].sort(), ["\\Flagged", "\\Seen"], "the other program's flag is not lost");
  assert.deepEqual(await inbox.expunge([uid(3)]), [3]);
  await inbox.refresh();
  assert.deepEqual(view(inbox).map((m) => m.flags), [["\\Flagged"], ["\\Flagged", "\\Seen"]]);
});

test("recent: told to one session, and by peeking to any", async (t) => {
  const { inbox, root, store } = await maildir(t);
  await store.deliver("INBOX", plain("one"), false);
  await inbox.append([message("two\n\n", flags("\\Seen"))]);
  await inbox.refresh();
  assert.deepEqual([...(await inbox.claimRecent(true))], [1, 2]);
  assert.deepEqual([...(await inbox.claimRecent(false))], [1, 2]);
  assert.deepEqual([...(await inbox.claimRecent(false))], []);
  assert.equal(readdirSync(`${root}/new`).length, 0);
  assert.deepEqual(await inbox.refresh(), { arrived: [], expunged: [], flagged: [] });
});

test("copy: flags, keywords and dates come along; into itself too", async (t) => {
  const { inbox, store, root } = await maildir(t);
  await store.create("A/B");
  const target = await store.open("A/B");
  const date = Date.UTC(2001, 1, 1);
  await target.append([message("x\n\n", flags("other"))]);
  await inbox.append([message("one\n\n", flags("\\Seen", "mine"), date), plain("two")]);
  assert.deepEqual(await inbox.copy([uid(1), uid(2), uid(9)], target), { from: [1, 2], to: [2, 3] });
  assert.deepEqual(view(target).map((m) => m.flags), [["other"], ["\\Seen", "mine"], []]);
  assert.equal(target.messages[1]?.internalDate, date);
  assert.equal((await target.read(uid(2)))?.toString(), "one\r\n\r\n");
  const fileOf = (folder: string, guid = "none"): string => ["cur", "new"].flatMap((d) => readdirSync(`${folder}/${d}`).map((name) => `${folder}/${d}/${name}`)).find((path) => path.includes(guid)) ?? "none";
  assert.equal(statSync(fileOf(`${root}/.A.B`, target.messages[1]?.guid)).ino, statSync(fileOf(root, inbox.messages[0]?.guid)).ino, "a copy is a link");
  assert.deepEqual(await inbox.copy([uid(1)], inbox), { from: [1], to: [3] });
  await inbox.expunge([uid(1)]);
  assert.equal((await target.read(uid(2)))?.toString(), "one\r\n\r\n");
});

test("folders: create, list, rename with children, remove, UIDVALIDITY never again", async (t) => {
  const { store, root } = await maildir(t);
  await store.create("Work/Entwürfe & mehr");
  await store.create("inbox/x");
  assert.deepEqual(readdirSync(root).filter((name) => name.startsWith(".Work")), [".Work.Entw&APw-rfe &- mehr"]);
  const listed = (await store.folders()).map((f) => [f.name, f.selectable, f.children, f.specialUse]);
  assert.deepEqual(listed, [
    ["INBOX", true, true, undefined],
    ["Drafts", true, false, "\\Drafts"],
    ["Sent", true, false, "\\Sent"],
    ["Trash", true, false, "\\Trash"],
    ["Work", false, true, undefined],
    ["Work/Entwürfe & mehr", true, false, undefined],
    ["INBOX/x", true, false, undefined],
  ].sort((a, b) => (a[0] === "INBOX" ? -1 : b[0] === "INBOX" ? 1 : String(a[0]) < String(b[0]) ? -1 : 1)));
  await assert.rejects(store.create("inbox"), fault("exists"));
  await assert.rejects(store.create("a.b"), fault("bad-name"));
  await assert.rejects(store.create("a//b"), fault("bad-name"));
  await assert.rejects(store.open("Work"), fault("not-selectable"));
  await assert.rejects(store.open("Nowhere"), fault("nonexistent"));
  const child = await store.open("Work/Entwürfe & mehr");
  await child.append([plain("one")]);
  await store.rename("Work", "Play");
  assert.equal(child.name, "Play/Entwürfe & mehr");
  assert.deepEqual(await child.append([plain("two")]), [2]);
  await assert.rejects(store.rename("Work", "Else"), fault("nonexistent"));
  await assert.rejects(store.rename("Play", "Sent"), fault("exists"));
  await store.remove("Play/Entwürfe & mehr");
  await assert.rejects(store.open("Play/Entwürfe & mehr"), fault("nonexistent"));
  await store.create("Play/Entwürfe & mehr");
  assert.ok((await store.open("Play/Entwürfe & mehr")).uidValidity > child.uidValidity);
});

test("a folder may get a name that only has children, unless one of them is in the way", async (t) => {
  const { store } = await maildir(t);
  for (const name of ["Lists/a", "Old", "Old/a", "Other"]) await store.create(name);
  await assert.rejects(store.rename("Old", "Lists"), fault("exists"));
  await store.rename("Other", "Lists");
  await store.rename("Old/a", "New/b");
  await store.rename("New/b", "New");
  const listed = (await store.folders()).filter((f) => f.selectable).map((f) => f.name);
  for (const name of ["Lists", "Lists/a", "Old", "New"]) assert.ok(listed.includes(name), name);
});

test("renaming INBOX moves its messages and leaves it", async (t) => {
  const { store, inbox } = await maildir(t);
  await inbox.append([plain("one"), message("two\n\n", flags("\\Seen", "kw"))]);
  await store.rename("INBOX", "Old");
  assert.deepEqual(inbox.messages, []);
  assert.equal(inbox.uidNext, 3);
  const old = await store.open("Old");
  assert.deepEqual(view(old).map((m) => [m.uid, m.flags]), [[1, []], [2, ["\\Seen", "kw"]]]);
});

test("subscriptions in Dovecot's form, older forms read", async (t) => {
  const { store, root } = await maildir(t);
  writeFileSync(`${root}/subscriptions`, "Old.Sub\nINBOX\n");
  assert.deepEqual(await store.subscriptions(), ["Old/Sub", "INBOX"]);
  await store.subscribe("Entwürfe/x", true);
  await store.subscribe("INBOX", false);
  assert.equal(readFileSync(`${root}/subscriptions`, "latin1"), "V\t2\n\nOld\tSub\nEntw&APw-rfe\tx\n");
  assert.deepEqual(await store.subscriptions(), ["Old/Sub", "Entwürfe/x"]);
});

test("status counts without claiming", async (t) => {
  const { store } = await maildir(t);
  await store.deliver("Lists/a", plain("one"), true);
  await store.deliver("Lists/a", message("two\n\n", flags("\\Seen")), false);
  const status = await store.status("Lists/a");
  assert.deepEqual({ ...status, uidValidity: 0 }, { messages: 2, recent: 2, uidNext: 3, uidValidity: 0, unseen: 1 });
  await assert.rejects(store.deliver("Lists/b", plain("x"), false), fault("nonexistent"));
});

test("watch hears of deliveries by this process and of other programs", async (t) => {
  const { store, inbox, root } = await maildir(t);
  const heard: number[] = [];
  let enough = (): void => undefined;
  const stop = inbox.watch((changes) => {
    heard.push(...changes.arrived.map((m) => m.uid));
    if (heard.length === 2) enough();
  });
  const both = new Promise<void>((resolve) => (enough = resolve));
  await store.deliver("INBOX", plain("one"), false);
  writeFileSync(`${root}/tmp/5.x.y`, "a\n\nb");
  renameSync(`${root}/tmp/5.x.y`, `${root}/new/5.x.y`);
  await both;
  stop();
  assert.deepEqual(heard, [1, 2]);
});

test("watch hears of mail that comes amid a long change of ours, and goes on afterwards", async (t) => {
  const { inbox, root } = await maildir(t);
  for (let i = 0; i < 700; i++) writeFileSync(`${root}/cur/${i + 1}.x.y:2,`, "a\n\nb");
  await inbox.refresh();
  const heard: number[] = [];
  let more = (): void => undefined;
  t.after(inbox.watch((changes) => {
    heard.push(...changes.arrived.map((m) => m.uid));
    more();
  }));
  const another = (name: string): Promise<void> => {
    const came = new Promise<void>((resolve) => (more = () => void (heard.length > 0 && resolve())));
    writeFileSync(`${root}/new/${name}`, "a\n\nb");
    return came;
  };
  const changed = inbox.setFlags(uids(inbox).map(uid), { how: "add", flags: flags("\\Seen") });
  await new Promise((resolve) => setImmediate(resolve));
  await another("9000.x.y");
  assert.equal((await changed).length, 700);
  assert.deepEqual(heard.splice(0), [701]);
  await another("9001.x.y");
  assert.deepEqual(heard, [702]);
  assert.ok(inbox.messages.slice(0, 700).every(({ flags: set }) => set.has("\\Seen")));
});

test("leftovers in tmp/ go after 36 hours", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  await maildir(t, root);
  writeFileSync(`${root}/tmp/old`, "x");
  writeFileSync(`${root}/tmp/young`, "x");
  const { sweep } = await import("../../../src/store/maildir/deliver.ts");
  sweep(root, Date.now());
  assert.deepEqual(readdirSync(`${root}/tmp`).sort(), ["old", "young"]);
  utimesSync(`${root}/tmp/young`, Date.now() / 1000 + 86400, Date.now() / 1000 + 86400);
  const hours = 36 * 3_600_000;
  sweep(root, Date.now() + hours - 60_000);
  assert.deepEqual(readdirSync(`${root}/tmp`).sort(), ["old", "young"]);
  sweep(root, Date.now() + hours + 60_000);
  assert.deepEqual(readdirSync(`${root}/tmp`), ["young"]);
});

test("a folder that leads out of the store is not written", async (t) => {
  const { store, root } = await maildir(t);
  const outside = temporary(t);
  for (const part of ["cur", "new", "tmp"]) mkdirSync(`${outside}/${part}`);
  symlinkSync(outside, `${root}/.Evil`);
  await assert.rejects(store.deliver("Evil", plain("x"), false), fault("permission"));
  await assert.rejects(store.open("Evil"), fault("permission"));
  assert.deepEqual(readdirSync(`${outside}/new`), []);
});

test("a torn line at the end of the uidlist, a lost one, and a garbled one", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([plain("one"), plain("two")]);
  const path = `${root}/dovecot-uidlist`;
  const whole = readFileSync(path, "latin1");
  writeFileSync(path, whole.slice(0, -9));
  const torn = await maildir(t, root);
  assert.deepEqual(uids(torn.inbox), [1, 2]);
  assert.equal(torn.inbox.uidValidity, inbox.uidValidity);
  await torn.inbox.append([plain("three")]);
  assert.deepEqual(uids((await maildir(t, root)).inbox), [1, 2, 3]);
  unlinkSync(path);
  await torn.inbox.refresh();
  assert.deepEqual(uids((await maildir(t, root)).inbox), [1, 2, 3], "written back from memory");
});

test("noise for a uidlist: UIDs come from the index; without one they begin anew", async (t) => {
  const { inbox, root, store } = await maildir(t);
  await inbox.append([plain("one"), plain("two")]);
  const { uidValidity, id } = inbox;
  await store.close();
  const path = `${root}/dovecot-uidlist`;
  writeFileSync(path, "\0\0\0\n");
  writeFileSync(`${root}/new/1700000000.17_3.other`, "Subject: three\n\nx\n");
  const noise = await maildir(t, root);
  assert.deepEqual([noise.inbox.uidValidity, noise.inbox.id], [uidValidity, id]);
  assert.deepEqual(uids(noise.inbox).slice(0, 2), [1, 2]);
  assert.ok(noise.inbox.messages[2]!.uid > 3, "UIDs that somebody may have seen are passed over");
  await noise.store.close();
  writeFileSync(path, "\0\0\0\n");
  unlinkSync(`${root}/posthorn.index`);
  const anew = await maildir(t, root);
  assert.ok(anew.inbox.uidValidity > uidValidity);
  assert.deepEqual(uids(anew.inbox), [1, 2, 3]);
});

test("unknown fields of the uidlist are kept", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  await maildir(t, root);
  unlinkSync(`${root}/dovecot-uidlist`);
  writeFileSync(`${root}/cur/1.a.h:2,`, "x\n\ny\n");
  writeFileSync(`${root}/dovecot-uidlist`, "3 V77 N9 Gabcdef0123456789abcdef0123456789 Zz\n4 W9 Pfoo :1.a.h\n7 :gone\n");
  const { inbox } = await maildir(t, root);
  assert.deepEqual(view(inbox), [{ uid: 4, flags: [], size: 9 }]);
  assert.equal(inbox.uidValidity, 77);
  await inbox.append([plain("new")]);
  const lines = readFileSync(`${root}/dovecot-uidlist`, "latin1").split("\n");
  assert.deepEqual(lines.slice(0, 3), ["3 V77 N9 Gabcdef0123456789abcdef0123456789 Zz", "4 W9 Pfoo :1.a.h", "7 :gone"]);
  assert.match(lines[3]!, /^9 :/);
});

test("an expunged file that comes back is a new message", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([message("one\n\n", flags("\\Seen")), message("two\n\n", flags("\\Seen"))]);
  const file = readdirSync(`${root}/cur`).sort()[0]!;
  const octets = readFileSync(`${root}/cur/${file}`);
  await inbox.expunge([uid(1)]);
  writeFileSync(`${root}/cur/${file}`, octets);
  const { arrived } = await inbox.refresh();
  assert.deepEqual(arrived.map((m) => m.uid), [3]);
  assert.deepEqual(uids((await maildir(t, root)).inbox), [2, 3]);
});

test("two objects on one folder agree on UIDs however they interleave", async (t) => {
  const { inbox, root } = await maildir(t);
  const other = (await maildir(t, root)).inbox;
  const given = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? inbox : other).append([plain(`m${i}`)])));
  assert.deepEqual(given.flat().sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1));
  await inbox.refresh();
  await other.refresh();
  assert.deepEqual(view(inbox), view(other));
  assert.deepEqual(inbox.messages.map((m) => m.guid), other.messages.map((m) => m.guid));
});

test("files and directories are the user's alone", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const store = await openStore(user(`maildir:${root}`), settings);
  await store.deliver("INBOX", plain("one"), false);
  assert.equal(statSync(`${root}/new`).mode & 0o777, 0o700);
  assert.equal(statSync(`${root}/new/${readdirSync(`${root}/new`)[0]}`).mode & 0o777, 0o600);
  await store.close();
});
