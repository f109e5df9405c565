/**
 * An mbox that Dovecot has open, as it comes from its makers (`mbox_dirty_syncs = yes`: it goes by what it remembers of a file that has grown),
 * and that others change between two of its commands: we, and programs that append. After each step every message is whole, there once, with
 * the UID it had and the flags it was given. SEED is another course of events, STEPS how many.
 */
import assert from "node:assert/strict";
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Mailbox, Uid } from "../../src/store/mailbox.ts";
import { openStore } from "../../src/store/open.ts";
import { imapMissing } from "../unit/store/dovecot-imap.ts";
import { settings, user } from "../unit/store/support.ts";
import { Chance } from "./operations.ts";
import { appendedText, letter, lettersIn, letterText, type Letter } from "./turns/letters.ts";
import { becomeNobody } from "./turns/nobody.ts";
import { dovecotLog, dovecotSettings, DovecotSession } from "./turns/session.ts";

const steps = Number(process.env["STEPS"] ?? 150);
const seed = Number(process.env["SEED"] ?? 1);
if (imapMissing === false) await becomeNobody();

interface Scene {
  readonly path: string;
  readonly inbox: Mailbox;
  /** A session by name, begun when it is asked for. */
  session(name: string): Promise<DovecotSession>;
  endSession(name: string): Promise<void>;
  deliver(one: Letter): Promise<void>;
  log(): string;
}

async function scene(t: TestContext): Promise<Scene> {
  const above = mkdtempSync(join(tmpdir(), "stale-"));
  chmodSync(above, 0o755);
  const home = `${above}/home`;
  mkdirSync(home);
  const path = `${home}/inbox`;
  writeFileSync(path, "");
  const location = `mbox:${home}/mail:INBOX=${path}`;
  const dovecot = dovecotSettings(home, location, ["mbox_dirty_syncs = yes", "mbox_lazy_writes = no"]);
  const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
  const sessions = new Map<string, DovecotSession>();
  t.after(async () => {
    for (const session of sessions.values()) await session.end();
    await store.close();
    rmSync(above, { recursive: true });
  });
  return {
    path,
    inbox: await store.open("INBOX"),
    async session(name) {
      const known = sessions.get(name);
      if (known !== undefined) return known;
      const session = new DovecotSession(home, dovecot);
      sessions.set(name, session);
      await session.say("SELECT INBOX");
      return session;
    },
    async endSession(name) {
      const session = sessions.get(name);
      sessions.delete(name);
      await session?.end();
    },
    deliver: (one) => store.deliver("INBOX", { octets: Buffer.from(letterText(one)), flags: new Set(), internalDate: undefined }, true),
    log: () => dovecotLog(home).split("\n").slice(-10).join("\n"),
  };
}

const known = (letters: readonly Letter[]): Letter[] => letters.filter(({ uid }) => uid !== 0);
const uidsOf = (letters: readonly Letter[]): Uid[] => letters.map(({ uid }) => uid as Uid);

/** The file holds these, and nothing else. UIDs given since are noted. */
function holds(path: string, letters: readonly Letter[]): void {
  const found = lettersIn(path);
  assert.deepEqual(found.map(({ subject }) => subject), letters.map(({ subject }) => subject));
  let last = 0;
  for (const [i, one] of letters.entries()) {
    const { body, flags, uid } = found[i] ?? one;
    assert.deepEqual({ body: body.trimEnd(), flags: [...flags].sort() }, { body: one.body.trimEnd(), flags: [...one.flags].sort() }, one.subject);
    if (one.uid !== 0) assert.equal(uid, one.uid, `the UID of ${one.subject}`);
    if (uid !== 0) assert.ok(uid > last, `UID ${uid} of ${one.subject} behind ${last}`);
    one.uid = uid;
    last = Math.max(last, uid);
  }
}

for (const how of ["delivered", "appended"] as const)
  test(`a message of ours is ${how} between the \\Deleted and the EXPUNGE of a Dovecot session`, { skip: imapMissing }, async (t) => {
    const { path, inbox, session, deliver } = await scene(t);
    const chance = new Chance(seed);
    const letters = [1, 2, 3, 4].map((n) => letter("ours", n, chance));
    const add = (one: Letter): Promise<unknown> => (how === "delivered" ? deliver(one) : inbox.append([{ octets: Buffer.from(letterText(one)), flags: new Set(), internalDate: undefined }]));
    for (const one of letters) await add(one);
    await inbox.refresh();
    const theirs = await session("a");
    await theirs.say("STORE 2 +FLAGS (\\Deleted)");
    for (const n of [5, 6]) {
      const one = letter("ours", n, chance);
      letters.push(one);
      await add(one);
    }
    await theirs.say("EXPUNGE");
    holds(path, letters.filter(({ subject }) => subject !== "ours-2"));
  });

const flagWords = ["\\Seen", "\\Flagged", "\\Answered", "a", "bb", "work", "$Forwarded", "todo-1", "longer-keyword-number-one", "x+y"];
/** Between so many messages the mailbox is kept. */
const [fewest, most] = [5, 25];

test("changed by us, by two Dovecot sessions and by others, in any order", { skip: imapMissing, timeout: 300_000 }, async (t) => {
  const { path, inbox, session, endSession, deliver, log } = await scene(t);
  const chance = new Chance(seed);
  let letters: Letter[] = [];
  let serial = 0;
  const next = (who: string): Letter => {
    const one = letter(who, ++serial, chance);
    letters.push(one);
    return one;
  };
  const name = (): string => chance.of(["a", "b"]);
  const remove = (gone: readonly Letter[]): void => void (letters = letters.filter((one) => !gone.includes(one)));
  const look = async (): Promise<void> => {
    await inbox.refresh();
    holds(path, letters);
  };
  const change = (one: Letter, flag: string, on: boolean): unknown => (on ? one.flags.add(flag) : one.flags.delete(flag));

  const doings: Readonly<Record<string, () => Promise<string | undefined>>> = {
    async append() {
      const one = next("append");
      await inbox.append([{ octets: Buffer.from(letterText(one)), flags: new Set(), internalDate: undefined }]);
      return one.subject;
    },
    async deliver() {
      const one = next("deliver");
      await deliver(one);
      return one.subject;
    },
    async flags() {
      await look();
      const some = chance.some(known(letters), 4);
      const flag = chance.of(flagWords);
      const on = chance.below(2) === 0;
      await inbox.setFlags(uidsOf(some), { how: on ? "add" : "remove", flags: new Set([flag]) });
      for (const one of some) change(one, flag, on);
      return `${on ? "+" : "-"}${flag} ${uidsOf(some).join()}`;
    },
    async expunge() {
      await look();
      const some = chance.some(known(letters), 3);
      await inbox.expunge(uidsOf(some));
      remove(some);
      return uidsOf(some).join();
    },
    async "another appends"() {
      const one = next("another");
      appendFileSync(path, appendedText(one));
      return one.subject;
    },
    async "they look"() {
      const theirs = await session(name());
      const said = await theirs.say(chance.of(["NOOP", "CHECK", "UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"]));
      for (const [, uid, subject] of said.matchAll(/^\* \d+ FETCH \(UID (\d+) BODY\[[^\]]*\] \{\d+\}\r\nSubject: (.*)\r\n/gm)) {
        const one = letters.find((letter) => letter.subject === subject);
        if (one !== undefined && one.uid !== 0) assert.equal(Number(uid), one.uid, `what Dovecot shows as ${subject}`);
      }
      return undefined;
    },
    async "they end"() {
      await endSession(name());
      return undefined;
    },
    async "they append"() {
      const one = next("theirs");
      await (await session(name())).say("APPEND INBOX () ", letterText(one).replaceAll("\n", "\r\n"));
      return one.subject;
    },
    async "they flag"() {
      const some = chance.some(known(letters), 3);
      if (some.length === 0) return undefined;
      const flag = chance.of(flagWords);
      const on = chance.below(2) === 0;
      const said = await (await session(name())).say(`UID STORE ${uidsOf(some).join()} ${on ? "+" : "-"}FLAGS (${flag})`);
      // It goes by what it knew before it looked, and says what is so now.
      const told = new Map([...said.matchAll(/^\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)/gm)].map(([, uid, words]) => [Number(uid), words?.split(" ")]));
      const there = new Map(lettersIn(path).map((one) => [one.uid, one.flags]));
      for (const one of some) change(one, flag, told.get(one.uid)?.includes(flag) ?? there.get(one.uid)?.has(flag) ?? false);
      return `${on ? "+" : "-"}${flag} ${uidsOf(some).join()}`;
    },
    async "they expunge"() {
      const one = known(letters).at(chance.below(Math.max(1, known(letters).length)));
      if (one === undefined) return undefined;
      const theirs = await session(name());
      await theirs.say(`UID STORE ${one.uid} +FLAGS.SILENT (\\Deleted)`);
      const between = chance.of(["deliver", "deliver", "append", "another appends", "flags", "expunge"]);
      if (lettersIn(path).find(({ uid }) => uid === one.uid)?.flags.has("\\Deleted") === true) one.flags.add("\\Deleted");
      const meanwhile = await doings[between]?.();
      await theirs.say(`UID EXPUNGE ${one.uid}`);
      if (!lettersIn(path).some(({ uid }) => uid === one.uid)) remove([one]);
      return `${one.uid}, ${between} ${meanwhile ?? ""} meanwhile`;
    },
  };
  const names = ["append", "deliver", "flags", "flags", "expunge", "expunge", "another appends", "they look", "they look", "they end", "they append", "they flag", "they flag", "they flag", "they expunge"];
  const course: string[] = [];
  for (let i = 0; i < steps; i++) {
    const step = letters.length < fewest ? "append" : letters.length > most ? "expunge" : chance.of(names);
    try {
      course.push(`${step} ${(await doings[step]?.()) ?? ""}`);
      holds(path, letters);
    } catch (fault) {
      assert.fail(`seed ${seed}, step ${i}, ${step}: ${String(fault)}\n${course.slice(-12).join("\n")}\n${log()}`);
    }
  }
});
