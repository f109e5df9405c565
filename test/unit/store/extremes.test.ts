/** Maildirs at the limits of their format, and as they are after a copy of another time was put back. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { StoreFault, type Mailbox } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, maildir, plain, settings, temporary, uid, uids, user, view } from "./support.ts";

/** INBOX, whose uidlist is `list` and of which no index is left, read and delivered to, and read anew. */
async function listed(t: TestContext, list: (text: string) => string): Promise<{ before: number; after: number; seen: Map<number, string> }> {
  const root = `${temporary(t)}/Maildir`;
  const first = await maildir(t, root);
  await first.inbox.append([plain("one"), plain("two")]);
  await first.store.close();
  rmSync(`${root}/posthorn.index`);
  writeFileSync(`${root}/dovecot-uidlist`, list(readFileSync(`${root}/dovecot-uidlist`, "latin1")), "latin1");
  const { inbox, store } = await maildir(t, root);
  for (const subject of ["three", "four"]) await store.deliver("INBOX", plain(subject), false);
  await inbox.refresh();
  const subjects = async (mailbox: Mailbox): Promise<Map<number, string>> =>
    new Map(await Promise.all(mailbox.messages.map(async ({ uid: one }) => [one, /^Subject: (.*)\r$/m.exec(String(await mailbox.read(one)))?.[1] ?? ""] as const)));
  const seen = await subjects(inbox);
  await store.close();
  const again = await maildir(t, root);
  assert.deepEqual(await subjects(again.inbox), seen);
  return { before: first.inbox.uidValidity, after: again.inbox.uidValidity, seen };
}

test("no UIDs are left: they begin anew under another UIDVALIDITY, and nothing is lost", async (t) => {
  const last = 0xffff_ffff - 0x10_0000;
  const { before, after, seen } = await listed(t, (text) => text.replace(/^2 :/m, `${last} :`));
  assert.deepEqual([...seen.values()].sort(), ["four", "one", "three", "two"]);
  assert.ok([...seen.keys()].every((one) => one <= 4));
  assert.ok(after > before);
});

test("UIDs that nobody gets to, in lines or as the next one, are damage: all others stay", async (t) => {
  for (const one of ["4294967295", "4294967294", "4294967296", "0", "x"]) {
    const line = await listed(t, (text) => text.replace(/^2 :/m, `${one} :`));
    assert.equal(line.after, line.before);
    assert.equal(line.seen.get(1), "one");
    assert.ok([...line.seen.keys()].every((each) => each < 10));
    const next = await listed(t, (text) => text.replace(/ N\d+/, ` N${one}`));
    assert.equal(next.after, next.before);
    assert.equal(next.seen.get(2), "two");
    // What was given behind the last line is not given again.
    assert.deepEqual([...next.seen.keys()], [1, 2, 1003, 1004]);
  }
});

test("a next UID below those given, and lines twice: no UID is given again", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const first = await maildir(t, root);
  await first.inbox.append(["one", "two", "three"].map(plain));
  const seen = view(first.inbox);
  await first.store.close();
  rmSync(`${root}/posthorn.index`);
  const [head = "", ...lines] = readFileSync(`${root}/dovecot-uidlist`, "latin1").trimEnd().split("\n");
  writeFileSync(`${root}/dovecot-uidlist`, `${[head.replace(/N\d+/, "N2"), ...lines.flatMap((line) => [line, line]), lines[0]].join("\n")}\n`, "latin1");
  const { inbox } = await maildir(t, root);
  assert.deepEqual(view(inbox), seen);
  assert.deepEqual(await inbox.append([plain("four")]), [4]);
});

test("names of 255 octets, and messages of 0: read, flagged where the name has room, removed", async (t) => {
  const { inbox, root } = await maildir(t);
  const long = `1700000000.${"x".repeat(244)}`;
  writeFileSync(`${root}/new/${long}`, "A: b\n\nx\n");
  writeFileSync(`${root}/new/1700000001.empty`, "");
  writeFileSync(`${root}/cur/1700000002.other:2,`, "A: b\n\nx\n");
  await inbox.refresh();
  assert.equal(inbox.messages.length, 3);
  assert.equal(String(await inbox.read(uid(1))), "A: b\r\n\r\nx\r\n");
  assert.equal((await inbox.read(uid(2)))?.length, 0);
  await assert.rejects(inbox.setFlags([uid(1), uid(2), uid(3)], { how: "add", flags: flags("\\Seen") }), (fault) => fault instanceof StoreFault && fault.kind === "limit");
  assert.deepEqual([...(await inbox.claimRecent(false))], [1, 2, 3]);
  assert.deepEqual(readdirSync(`${root}/new`), [long]);
  assert.deepEqual([...(await inbox.claimRecent(false))], [1]);
  await inbox.refresh();
  assert.deepEqual(view(inbox).map((one) => one.flags), [[], ["\\Seen"], ["\\Seen"]]);
  assert.deepEqual(await inbox.expunge([uid(1), uid(2)]), [1, 2]);
  assert.deepEqual(readdirSync(`${root}/cur`), ["1700000002.other:2,S"]);
});

test("an older copy of the whole store put back: no UIDVALIDITY is given again", async (t) => {
  const base = temporary(t);
  const root = `${base}/Maildir`;
  const first = await maildir(t, root);
  await first.inbox.append([plain("one")]);
  await first.store.close();
  cpSync(root, `${base}/copy`, { recursive: true, preserveTimestamps: true });
  const given = new Set<number>();
  for (let n = 0; n < 2; n++) {
    const { store } = await maildir(t, root);
    await store.create("A");
    const folder = await store.open("A");
    await folder.append([plain("in A")]);
    assert.ok(!given.has(folder.uidValidity), "A is another folder now");
    given.add(folder.uidValidity);
    await store.close();
    rmSync(root, { recursive: true });
    cpSync(`${base}/copy`, root, { recursive: true, preserveTimestamps: true });
    t.mock.timers.reset();
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 10_000 });
  }
});

test("noise for the last UIDVALIDITY given does not end all of them", async (t) => {
  const { store, root } = await maildir(t);
  writeFileSync(`${root}/dovecot-uidvalidity`, "ffffffff");
  await store.create("A");
  const folder = await store.open("A");
  await folder.append([plain("one")]);
  assert.ok(folder.uidValidity > 0 && folder.uidValidity < 2 ** 32);
  await store.close();
  const again = await maildir(t, root);
  assert.deepEqual(uids(await again.store.open("A")), [1]);
});

test("a quota that is reached amid: COPY of several copies none, APPEND of several appends none, MOVE moves", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const warned: number[] = [];
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [], mailbox_quota: { octets: 1_000_000, messages: 7 }, quota_warning: [50, 90] }, undefined, { quotaWarning: (percent) => warned.push(percent) });
  t.after(() => store.close());
  const inbox = await store.open("INBOX");
  await inbox.append(["one", "two", "three", "four"].map(plain));
  assert.deepEqual(warned, [50], "told once, when it was reached");
  await store.create("A");
  const other = await store.open("A");
  const over = (fault: unknown): boolean => fault instanceof StoreFault && fault.kind === "over-quota";
  const four = inbox.messages.map(({ uid: one }) => one);
  await assert.rejects(inbox.copy(four, other), over);
  assert.equal(other.messages.length, 0);
  assert.deepEqual([...readdirSync(`${root}/.A/cur`), ...readdirSync(`${root}/.A/new`), ...readdirSync(`${root}/.A/tmp`)], []);
  await assert.rejects(inbox.append(["5", "6", "7", "8"].map(plain)), over);
  assert.deepEqual(uids(inbox), [1, 2, 3, 4]);
  assert.deepEqual(readdirSync(`${root}/tmp`), []);
  assert.equal((await inbox.copy(four, other, true)).to.length, 4);
  assert.deepEqual(await inbox.expunge(four), four);
  assert.equal(other.messages.length, 4);
});
