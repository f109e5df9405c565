/**
 * Generated Maildirs of all kinds through Dovecot and through ours: the same messages, octets, dates, flags and UIDs; what ours wrote read by Dovecot.
 * MAILDIRS=1000 takes that many, FROM=5000 others. And what Dovecot and we do not do alike.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Mailbox } from "../../../src/store/mailbox.ts";
import { Chance } from "../message/chance.ts";
import { imapMissing, imapSees, type Seen } from "./dovecot-imap.ts";
import { makeMaildir, strangeMaildir, strangeThings } from "./strange-maildir.ts";
import { flags, maildir, temporary } from "./support.ts";

const count = Number(process.env["MAILDIRS"] ?? 20);
const from = Number(process.env["FROM"] ?? 1);

interface Shown {
  readonly uid: number;
  readonly flags: readonly string[];
  readonly date: number;
  readonly octets: string;
  readonly size: number;
}

/** Dovecot gives letters that dovecot-keywords does not know names of its own. */
const known = (names: readonly string[]): string[] => names.filter((name) => !name.startsWith("unknown-")).sort();
const asShown = (octets: Buffer): string => octets.toString("latin1").replaceAll("\0", "\x80");
const shown = ({ uid, flags: names, date, octets, size }: Seen): Shown => ({ uid, flags: known(names), date, octets: asShown(octets), size });

async function look(inbox: Mailbox): Promise<Shown[]> {
  const all: Shown[] = [];
  for (const { uid, flags: set, internalDate, size } of inbox.messages) {
    const octets = await inbox.read(uid);
    assert.ok(octets !== undefined);
    all.push({ uid, flags: known([...set]), date: Math.floor(internalDate / 1000) * 1000, octets: asShown(octets), size });
  }
  return all;
}

function same(all: readonly Shown[], wanted: readonly Shown[], what: string): void {
  const first = wanted.findIndex((one, i) => !isDeepStrictEqual(all[i], one));
  if (first >= 0) assert.deepEqual(all[first], wanted[first], `${what}, message ${first + 1}`);
  assert.equal(all.length, wanted.length, what);
}

function home(t: TestContext, seed: number): { readonly home: string; readonly root: string } {
  const above = temporary(t);
  chmodSync(above, 0o755);
  const chance = new Chance(seed);
  mkdirSync(`${above}/home`);
  const files = strangeMaildir(chance);
  makeMaildir(`${above}/home/Maildir`, files, strangeThings(chance));
  return { home: `${above}/home`, root: `${above}/home/Maildir` };
}

for (let seed = from; seed < from + count; seed++)
  test(`a strange Maildir, seed ${seed}`, { skip: imapMissing }, async (t) => {
    const theirs = home(t, seed);
    const mine = home(t, seed);
    const seen = imapSees(theirs.home, `maildir:${theirs.root}`);
    const { store, inbox } = await maildir(t, mine.root);
    same(await look(inbox), seen.messages.map(shown), "ours as Dovecot");
    assert.equal(inbox.uidNext, seen.uidNext);
    assert.deepEqual([...(await inbox.claimRecent(true))], seen.messages.flatMap(({ uid, recent }) => (recent ? uid : [])), "\\Recent");
    const some = inbox.messages.flatMap(({ uid }, i) => (i % 3 === 0 ? [uid] : []));
    await inbox.setFlags(some, { how: "add", flags: flags("\\Flagged", "$Forwarded") });
    await inbox.expunge(inbox.messages.flatMap(({ uid }, i) => (i % 5 === 4 ? [uid] : [])));
    const last = await look(inbox);
    await store.close();
    same(imapSees(mine.home, `maildir:${mine.root}`).messages.map(shown), last, "Dovecot on what ours changed");
  });

const text = (subject: string): string => `Subject: ${subject}\n\nbody of ${subject}\n`;
const subjects = async (inbox: Mailbox): Promise<string[]> => (await look(inbox)).map(({ octets }) => /^Subject: (.*)\r$/m.exec(octets)?.[1] ?? "").sort();

test("two files of one name are two messages, whichever way they came", async (t) => {
  const { inbox, root } = await maildir(t);
  writeFileSync(`${root}/cur/1700000000.M1P1.h:2,S`, text("one"));
  writeFileSync(`${root}/cur/1700000000.M1P1.h:2,FS`, text("two"));
  writeFileSync(`${root}/new/1700000000.M1P1.h`, text("three"));
  await inbox.refresh();
  await inbox.refresh();
  assert.deepEqual(await subjects(inbox), ["one", "three", "two"]);
  assert.equal(new Set(inbox.messages.map(({ uid }) => uid)).size, 3);
  assert.deepEqual(inbox.messages.map((one) => [...one.flags].sort().join(" ")).sort(), ["", "\\Flagged \\Seen", "\\Seen"]);
  writeFileSync(`${root}/cur/${readdirSync(`${root}/cur`)[0]?.replace(/:.*/, "") ?? ""}:2,T`, text("late"));
  await inbox.refresh();
  assert.deepEqual(await subjects(inbox), ["late", "one", "three", "two"]);
});

test("a file with two names is one message, and loses neither", async (t) => {
  const { inbox, root } = await maildir(t);
  writeFileSync(`${root}/cur/1700000000.M1P1.h:2,`, text("one"));
  assert.equal(spawnSync("ln", [`${root}/cur/1700000000.M1P1.h:2,`, `${root}/cur/1700000000.M1P1.h:2,S`]).status, 0);
  await inbox.refresh();
  assert.deepEqual(await subjects(inbox), ["one"]);
  assert.equal(readdirSync(`${root}/cur`).length, 2);
});

test("what is no file is no message, and keeps nobody from the others; a link is what it leads to", async (t) => {
  const { inbox, root } = await maildir(t);
  const cur = `${root}/cur`;
  writeFileSync(`${cur}/1700000001.M1P1.h:2,S`, text("file"));
  mkdirSync(`${cur}/1700000002.M1P1.h:2,S`);
  symlinkSync("/nonexistent", `${cur}/1700000003.M1P1.h:2,S`);
  symlinkSync(`${cur}/1700000004.M1P1.h:2,S`, `${cur}/1700000004.M1P1.h:2,S`);
  assert.equal(spawnSync("mkfifo", [`${cur}/1700000005.M1P1.h:2,S`]).status, 0);
  writeFileSync(`${root}/elsewhere`, text("linked"));
  symlinkSync(`${root}/elsewhere`, `${cur}/1700000006.M1P1.h:2,S`);
  await inbox.refresh();
  assert.deepEqual(await subjects(inbox), ["file", "linked"]);
  renameSync(`${root}/elsewhere`, `${root}/gone`);
  writeFileSync(`${cur}/1700000007.M1P1.h:2,S`, text("more"));
  await inbox.refresh();
  assert.deepEqual(await subjects(inbox), ["file", "more"]);
});
