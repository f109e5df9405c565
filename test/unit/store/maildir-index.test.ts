/** A Maildir with its index and cache: what they keep, and that nothing is believed of them that is not so. */
import assert from "node:assert/strict";
import fs, { copyFileSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setImmediate as turn } from "node:timers/promises";
import test, { type TestContext } from "node:test";
import type { Mailbox, MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, message, plain, settings, temporary, ticked, uid, uids, user, view } from "./support.ts";

interface Opened {
  readonly store: MailStore;
  readonly inbox: Mailbox;
  readonly lines: string[];
}

/** Facts that can be told from those of another message. */
const makeFacts = (octets: Buffer): Buffer => Buffer.from(`facts of ${/^Subject: (.*)\r$/m.exec(octets.toString("latin1"))?.[1]}`);

async function open(t: TestContext, root: string): Promise<Opened> {
  const lines: string[] = [];
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] }, undefined, { facts: makeFacts, log: (line) => lines.push(line) });
  t.after(() => store.close());
  return { store, inbox: await store.open("INBOX"), lines };
}

/** All that a session could see. */
const all = (inbox: Mailbox): unknown => ({
  ...{ id: inbox.id, uidValidity: inbox.uidValidity, uidNext: inbox.uidNext, keywords: inbox.keywords, highest: inbox.highestModSeq },
  messages: inbox.messages.map(({ uid, flags: set, size, internalDate, saveDate, modSeq, guid }) => ({ uid, flags: [...set].sort(), size, internalDate, saveDate, modSeq, guid })),
  expunged: inbox.expungedSince((inbox.highestModSeq - 1) as never),
});

const subject = async (inbox: Mailbox, n: number): Promise<string | undefined> => /^Subject: (.*)\r$/m.exec(String(await inbox.read(uid(n))))?.[1];

/** A folder with something of everything, closed. */
async function filled(t: TestContext, root = `${temporary(t)}/Maildir`): Promise<{ root: string; seen: unknown }> {
  const { store, inbox } = await open(t, root);
  await inbox.append(["one", "two", "three", "four"].map(plain));
  await inbox.setFlags([uid(1), uid(3)], { how: "add", flags: flags("\\Seen", "work") });
  await inbox.expunge([uid(2)]);
  const seen = all(inbox);
  await ticked(root);
  await store.close();
  return { root, seen };
}

test("opened again everything is as it was", async (t) => {
  const { root, seen } = await filled(t);
  assert.deepEqual(all((await open(t, root)).inbox), seen);
});

test("MODSEQs ascend over changes, restarts and expunges; the history tells what is gone", async (t) => {
  const { root } = await filled(t);
  const first = await open(t, root);
  const start = first.inbox.highestModSeq;
  const [flagged] = await first.inbox.setFlags([uid(4)], { how: "add", flags: flags("\\Flagged") });
  assert.ok(flagged!.modSeq > start);
  assert.equal(first.inbox.messages.find((one) => one.uid === 4)?.modSeq, flagged!.modSeq);
  assert.ok(first.inbox.messages[0]!.modSeq <= start, "others stay as they are");
  await first.inbox.expunge([uid(3)]);
  const after = first.inbox.highestModSeq;
  assert.ok(after > flagged!.modSeq);
  await ticked(root);
  await first.store.close();
  const second = await open(t, root);
  assert.equal(second.inbox.highestModSeq, after);
  assert.deepEqual(second.inbox.expungedSince(start), [3]);
  assert.deepEqual(second.inbox.expungedSince(flagged!.modSeq), [3]);
  assert.deepEqual(second.inbox.expungedSince(after), []);
  assert.equal(second.inbox.expungedSince(1 as never), undefined);
  await second.store.close();
  unlinkSync(`${root}/posthorn.index`);
  const third = await open(t, root);
  assert.ok(third.inbox.highestModSeq > after, "an index made anew begins above all there were");
  assert.equal(third.inbox.expungedSince(start), undefined);
});

test("what other programs did meanwhile is found, and has a higher MODSEQ", async (t) => {
  const { root } = await filled(t);
  const cur = readdirSync(`${root}/cur`).sort();
  assert.equal(cur.length, 2);
  renameSync(`${root}/cur/${cur[0]}`, `${root}/cur/${cur[0]!.replace(/,S(a?)$/, ",RS$1")}`);
  unlinkSync(`${root}/cur/${cur[1]}`);
  writeFileSync(`${root}/new/1700000000.17_3.other`, "Subject: five\n\nx\n");
  const { inbox } = await open(t, root);
  assert.deepEqual(view(inbox).map((one) => [one.uid, one.flags]), [[1, ["\\Answered", "\\Seen", "work"]], [4, []], [5, []]]);
  assert.ok(inbox.messages[0]!.modSeq > inbox.messages[1]!.modSeq);
  assert.deepEqual(inbox.expungedSince((inbox.messages[0]!.modSeq - 1) as never), [3]);
});

for (const [what, harm] of Object.entries<(root: string, name: string) => void>({
  deleted: (root, name) => unlinkSync(`${root}/${name}`),
  "cut in half": (root, name) => truncateSync(`${root}/${name}`, statSync(`${root}/${name}`).size >> 1),
  emptied: (root, name) => truncateSync(`${root}/${name}`, 0),
  "filled with noise": (root, name) => writeFileSync(`${root}/${name}`, Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * i * 31 + 7) & 0xff))),
}))
  for (const name of ["posthorn.index", "posthorn.cache", "dovecot-uidlist"])
    test(`${name} ${what}: the same messages, UIDs and flags`, async (t) => {
      const { root } = await filled(t);
      const before = await open(t, root);
      const seen = view(before.inbox);
      const { uidValidity } = before.inbox;
      for (const { uid: one } of before.inbox.messages) assert.ok(before.inbox.facts(one) !== undefined);
      await before.store.close();
      harm(root, name);
      const { inbox, lines } = await open(t, root);
      if (name === "dovecot-uidlist" && what === "cut in half") assert.deepEqual(view(inbox).map((one) => one.flags).sort(), seen.map((one) => one.flags).sort());
      else assert.deepEqual(view(inbox), seen);
      assert.equal(inbox.uidValidity, uidValidity);
      if (name === "dovecot-uidlist" && what !== "cut in half") assert.match(lines.join("\n"), /dovecot-uidlist .*written from what is known/);
      if (name === "posthorn.index" && what === "filled with noise") assert.match(lines.join("\n"), /damaged, made anew/);
      for (const { uid: one } of inbox.messages) {
        const facts = inbox.facts(one)?.toString();
        if (name === "posthorn.index") assert.equal(facts, `facts of ${await subject(inbox, one)}`, "found again in the cache");
        else if (facts !== undefined) assert.equal(facts, `facts of ${await subject(inbox, one)}`);
      }
    });

test("index, cache and uidlist of another mailbox in place of ours", async (t) => {
  for (const names of [["posthorn.index"], ["posthorn.cache"], ["posthorn.index", "posthorn.cache"], ["dovecot-uidlist"], ["posthorn.index", "posthorn.cache", "dovecot-uidlist"]]) {
    const [one, other] = [await filled(t), await filled(t)];
    for (const name of names) copyFileSync(`${other.root}/${name}`, `${one.root}/${name}`);
    const { inbox } = await open(t, one.root);
    assert.deepEqual([...inbox.messages.map((m) => [...m.flags].sort().join())].sort(), ["", "\\Seen,work", "\\Seen,work"], names.join());
    const subjects = await Promise.all(inbox.messages.map((m) => subject(inbox, m.uid)));
    assert.deepEqual(subjects.sort(), ["four", "one", "three"]);
    for (const { uid: n } of inbox.messages) assert.ok([undefined, `facts of ${await subject(inbox, n)}`].includes(inbox.facts(n)?.toString()));
    if (!names.includes("dovecot-uidlist")) assert.deepEqual(uids(inbox), [1, 3, 4]);
  }
});

test("an index without its uidlist, in another folder: not believed", async (t) => {
  const [one, other] = [await filled(t), await filled(t)];
  copyFileSync(`${other.root}/posthorn.index`, `${one.root}/posthorn.index`);
  unlinkSync(`${one.root}/dovecot-uidlist`);
  const { inbox, lines } = await open(t, one.root);
  assert.match(lines.join("\n"), /another folder's/);
  assert.equal(inbox.messages.length, 3);
});

test("more keywords than letters: durable, come along with a copy, readable", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const first = await open(t, root);
  const names = Array.from({ length: 40 }, (_, i) => `Key-${i}`);
  await first.inbox.append([message("Subject: one\n\nx\n", flags(...names)), plain("two"), plain("three")]);
  await first.inbox.setFlags([uid(2)], { how: "add", flags: flags("Key-1", "key-35", "\\Seen") });
  await first.inbox.setFlags([uid(1)], { how: "remove", flags: flags("KEY-39", "Key-0") });
  const expected = [names.filter((name) => name !== "Key-0" && name !== "Key-39").sort(), ["Key-1", "Key-35", "\\Seen"], []];
  const sorted = (inbox: Mailbox): string[][] => inbox.messages.map((one) => [...one.flags].sort());
  assert.deepEqual(sorted(first.inbox), expected);
  assert.ok(first.inbox.keywords.includes("Key-38"));
  await first.store.create("Copies");
  const copies = await first.store.open("Copies");
  await first.inbox.copy([uid(1), uid(2)], copies);
  assert.deepEqual(sorted(copies), expected.slice(0, 2));
  await first.store.close();
  assert.match(readFileSync(`${root}/posthorn-keywords`, "utf8"), /^Key-35 :\d+\.M\d+P/m);
  assert.equal(readFileSync(`${root}/dovecot-keywords`, "utf8").split("\n").length, 27);
  assert.deepEqual(sorted((await open(t, root)).inbox), expected);
  unlinkSync(`${root}/posthorn.index`);
  const third = await open(t, root);
  assert.deepEqual(sorted(third.inbox), expected);
  const other = await open(t, root);
  await other.inbox.setFlags([uid(3)], { how: "add", flags: flags("Key-36") });
  const { flagged } = await third.inbox.refresh();
  assert.deepEqual(flagged.map((one) => [one.uid, ...one.flags]), [[3, "Key-36"]]);
  assert.deepEqual(sorted(await third.store.open("Copies")), expected.slice(0, 2));
});

test("a torn last line in posthorn-keywords costs that line only, and the next one begins anew", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const first = await open(t, root);
  const names = Array.from({ length: 30 }, (_, i) => `k${i}`);
  await first.inbox.append([message("a\n\n", flags(...names)), message("b\n\n", flags("k27")), message("c\n\n", flags("k28"))]);
  await first.store.close();
  const path = `${root}/posthorn-keywords`;
  truncateSync(path, statSync(path).size - 9);
  const { inbox } = await open(t, root);
  assert.deepEqual(inbox.messages.map((one) => one.flags.size), [30, 1, 0]);
  await inbox.setFlags([uid(3)], { how: "add", flags: flags("k29") });
  assert.deepEqual([...(await open(t, root)).inbox.messages[2]!.flags], ["k29"]);
});

test("facts are there for what was delivered, appended and copied", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const { store, inbox } = await open(t, root);
  await store.deliver("INBOX", plain("delivered"), false);
  await inbox.append([plain("appended")]);
  for (let n = 0; n < 10; n++) await turn();
  await inbox.refresh();
  const said = (box: Mailbox): (string | undefined)[] => box.messages.map((one) => box.facts(one.uid)?.toString());
  assert.deepEqual(said(inbox).sort(), ["facts of appended", "facts of delivered"]);
  await store.create("Copies");
  const copies = await store.open("Copies");
  await inbox.copy(inbox.messages.map((one) => one.uid), copies);
  for (let n = 0; n < 5; n++) await turn();
  assert.deepEqual(said(copies).sort(), ["facts of appended", "facts of delivered"]);
  await store.close();
  const again = await open(t, root);
  assert.deepEqual(said(again.inbox).sort(), ["facts of appended", "facts of delivered"]);
  await again.store.close();
  const third = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] });
  t.after(() => third.close());
  const box = await third.open("INBOX");
  await box.append([plain("without")]);
  assert.equal(box.facts(box.messages.at(-1)!.uid), undefined);
  box.keepFacts(box.messages.at(-1)!.uid, Buffer.from("kept"));
  assert.equal(box.facts(box.messages.at(-1)!.uid)?.toString(), "kept");
});

test("facts of delivered mail are made in folders that nobody has read yet", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const delivering = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] }, undefined, { facts: makeFacts });
  await delivering.create("Unread");
  await delivering.deliver("Unread", plain("first"), false);
  await delivering.close();
  const { store } = await open(t, root);
  const unread = await store.open("Unread");
  assert.deepEqual(unread.messages.map((one) => unread.facts(one.uid)?.toString()), ["facts of first"]);
});

test("resync: UIDs stay, what is wrong is counted and mended", async (t) => {
  const { root } = await filled(t);
  const { store, inbox, lines } = await open(t, root);
  const seen = view(inbox);
  assert.deepEqual(await store.resync!("INBOX"), { messages: 3, arrived: 0, expunged: 0, flagged: 0, given: 0, dropped: 1, renumbered: false });
  assert.deepEqual(await store.resync!("INBOX"), { messages: 3, arrived: 0, expunged: 0, flagged: 0, given: 0, dropped: 0, renumbered: false });
  const list = readFileSync(`${root}/dovecot-uidlist`, "latin1").split("\n");
  writeFileSync(`${root}/dovecot-uidlist`, [list[0], "rubbish", list[1], list[2]!.replace(/^3 /, "77 "), list[3]!.replace(/^4 /, "78 "), ""].join("\n"));
  writeFileSync(`${root}/posthorn.cache`, "rubbish");
  const found = await store.resync!("INBOX");
  assert.deepEqual(found, { messages: 3, arrived: 2, expunged: 2, flagged: 0, given: 0, dropped: found.dropped, renumbered: false });
  assert.ok(found.dropped >= 1);
  assert.equal(lines.filter((line) => /can not be read/.test(line)).length, 1);
  assert.deepEqual(view(inbox).map((one) => [one.flags, one.size]), seen.map((one) => [one.flags, one.size]));
  assert.doesNotMatch(readFileSync(`${root}/dovecot-uidlist`, "latin1"), /rubbish/);
  assert.ok(!existsSync(`${root}/posthorn.cache`) || !readFileSync(`${root}/posthorn.cache`, "latin1").includes("rubbish"));
});

test("an index that may not be written does no harm", async (t) => {
  const { root, seen } = await filled(t);
  rmSync(`${root}/posthorn.index`);
  await (await open(t, root)).store.close();
  rmSync(`${root}/posthorn.index`);
  const { mkdirSync } = await import("node:fs");
  mkdirSync(`${root}/posthorn.index`);
  const { inbox, store, lines } = await open(t, root);
  assert.deepEqual(view(inbox).map((one) => one.uid), (seen as { messages: { uid: number }[] }).messages.map((one) => one.uid));
  await inbox.setFlags([uid(1)], { how: "add", flags: flags("\\Draft") });
  await store.close();
  assert.equal(lines.length, 1);
  utimesSync(root, 1, 1);
});

/**
 * Runs `work`, with the index saved while the disk is waited for amid it, and puts that state of the index back afterwards: as a kill leaves it that
 * comes before the next save.
 */
async function savedAmid(t: TestContext, root: string, inbox: Mailbox, work: () => Promise<unknown>): Promise<void> {
  const path = `${root}/posthorn.index`;
  let saved: Buffer | undefined;
  for (const name of ["fsync", "fdatasync"] as const) {
    const real = fs[name];
    t.mock.method(fs, name, (fd: number, done: fs.NoParamCallback) => {
      inbox.keepFacts(inbox.messages.at(-1)!.uid, Buffer.from("facts that want to be saved"));
      // Timers go off in their order: that of the index is the earlier one.
      setTimeout(() => {
        saved = readFileSync(path);
        real(fd, done);
      }, 1000);
    });
  }
  syncBuiltinESMExports();
  await work();
  t.mock.restoreAll();
  syncBuiltinESMExports();
  assert.ok(saved !== undefined, "something was waited for");
  writeFileSync(path, saved);
}

for (const [what, work] of Object.entries<(inbox: Mailbox, store: MailStore, root: string) => Promise<unknown>>({
  append: (inbox) => inbox.append([message("Subject: six\n\nx\n", flags("\\Seen"))]),
  copy: (inbox) => inbox.copy([uid(1)], inbox),
  "what another program delivered": (inbox, _, root) => (writeFileSync(`${root}/new/1700000000.17_3.other`, "Subject: five\n\nx\n"), inbox.refresh()),
}))
  test(`killed after an index that was saved amid: ${what}`, async (t) => {
    const { root } = await filled(t);
    const { store, inbox } = await open(t, root);
    await savedAmid(t, root, inbox, () => work(inbox, store, root));
    const told = inbox.messages.map(({ uid: n, guid }) => [n, guid]);
    assert.equal(told.length, 4);
    const second = await open(t, root);
    assert.deepEqual(second.inbox.messages.map(({ uid: n, guid }) => [n, guid]), told);
    assert.ok(second.inbox.highestModSeq >= inbox.highestModSeq);
    const given = await second.inbox.append([plain("next")]);
    assert.ok(given[0]! > Number(told.at(-1)![0]), "no UID is given twice");
  });
