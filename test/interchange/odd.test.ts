/**
 * Mailboxes as other programs leave them (strange-mbox.ts, strange-maildir.ts), used by Posthorn, Dovecot and procmail in turn, ten rounds there and
 * back. After each thing that one of them does both servers show the same UIDs, flags, keywords, dates, sizes and octets; they are what they were but
 * for what was done. ODD is how many mailboxes of each kind, FROM the first seed, ROUNDS how many rounds.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Mailbox, MailStore, Uid } from "../../src/store/mailbox.ts";
import { openStore } from "../../src/store/open.ts";
import { have } from "../harness/stack.ts";
import { Chance as Seeded } from "../unit/message/chance.ts";
import { fetchAll, imapMissing, seenIn } from "../unit/store/dovecot-imap.ts";
import { makeMaildir, strangeMaildir, strangeThings } from "../unit/store/strange-maildir.ts";
import { strangeMbox } from "../unit/store/strange-mbox.ts";
import { settings, user } from "../unit/store/support.ts";
import { Chance } from "./operations.ts";
import { becomeNobody } from "./turns/nobody.ts";
import { dovecotLog, dovecotSettings, DovecotSession } from "./turns/session.ts";
import type { Kind } from "./world.ts";

const count = Number(process.env["ODD"] ?? 3);
const from = Number(process.env["FROM"] ?? 1);
const rounds = Number(process.env["ROUNDS"] ?? 10);
const skip = imapMissing === false ? (have("procmail") ? false : "procmail is not installed") : imapMissing;

if (skip === false) await becomeNobody();

interface Shown {
  readonly uid: number;
  readonly flags: readonly string[];
  readonly date: number;
  readonly size: number;
  readonly octets: string;
}

/** Both folders, as one server shows them. */
interface View {
  readonly uidValidity: number;
  readonly inbox: readonly Shown[];
  readonly other: readonly Shown[];
}

/**
 * IMAP has no NUL; Dovecot shows another octet for it, and names of its own for letters that dovecot-keywords does not know. Its COPY may write a W=
 * that is that of the file, and then it shows the file's line ends.
 */
const asShown = (octets: Buffer): string => octets.toString("latin1").replaceAll("\0", "\x80").replaceAll(/(?<!\r)\n/g, "\r\n");
/** That of the file, where its name says so: until its octets were read. */
const sizeShown = (name: string, size: number, octets: string): number => (name === "Other" && size === octets.replaceAll("\r\n", "\n").length ? octets.length : size);
const named = (flags: Iterable<string>): string[] => [...flags].filter((flag) => flag !== "\\Recent" && !flag.startsWith("unknown-")).sort();

interface Place {
  readonly home: string;
  readonly kind: Kind;
  readonly location: string;
  readonly settings: string;
}

function place(t: TestContext, kind: Kind, seed: number): Place {
  const above = mkdtempSync(join(tmpdir(), "odd-"));
  t.after(() => rmSync(above, { recursive: true, force: true }));
  chmodSync(above, 0o755);
  const home = `${above}/home`;
  mkdirSync(home);
  const chance = new Seeded(seed);
  if (kind === "mbox") writeFileSync(`${home}/inbox`, strangeMbox(chance), "latin1");
  else makeMaildir(`${home}/Maildir`, strangeMaildir(chance), strangeThings(chance));
  const location = kind === "mbox" ? `mbox:${home}/mail:INBOX=${home}/inbox` : `maildir:${home}/Maildir`;
  const deliver = kind === "mbox" ? `:0:\n${home}/inbox\n` : `:0\n${home}/Maildir/\n`;
  writeFileSync(`${home}/rc`, `MAILDIR=${home}\nDEFAULT=${home}/lost\nORGMAIL=${home}/lost\nLOGFILE=${home}/log\n${deliver}`);
  return { home, kind, location, settings: dovecotSettings(home, location) };
}

// ------------------------------------------------------------ how it is seen

async function dovecot<T>({ home, settings: file }: Place, work: (session: DovecotSession) => Promise<T>): Promise<T> {
  const session = new DovecotSession(home, file);
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}

const theirs = (at: Place): Promise<View> =>
  dovecot(at, async (session) => {
    const folder = async (name: string): Promise<{ uidValidity: number; messages: Shown[] }> => {
      const selected = await session.say(`SELECT ${name}`);
      const fetched = /^\* 0 EXISTS/m.test(selected) ? "" : await session.say(fetchAll);
      const { uidValidity, messages } = seenIn(Buffer.from(selected + fetched, "latin1"));
      return { uidValidity, messages: messages.map(({ uid, flags, date, size, octets }) => ({ uid, flags: named(flags), date, size: sizeShown(name, size, asShown(octets)), octets: asShown(octets) })) };
    };
    const { uidValidity, messages } = await folder("INBOX");
    return { uidValidity, inbox: messages, other: (await folder("Other")).messages };
  });

async function ours(store: MailStore): Promise<View> {
  const folder = async (name: string): Promise<{ uidValidity: number; messages: Shown[] }> => {
    const mailbox = await store.open(name, "current");
    const messages: Shown[] = [];
    for (const { uid, flags, internalDate, size } of mailbox.messages) {
      const octets = await mailbox.read(uid);
      assert.ok(octets !== undefined);
      messages.push({ uid, flags: named(flags), date: Math.floor(internalDate / 1000) * 1000, size: sizeShown(name, size, asShown(octets)), octets: asShown(octets) });
    }
    const { uidValidity } = mailbox;
    store.release(mailbox);
    return { uidValidity, messages };
  };
  const { uidValidity, messages } = await folder("INBOX");
  return { uidValidity, inbox: messages, other: (await folder("Other")).messages };
}

// ------------------------------------------------------------ what it is to be

/** What a change leaves alone: an mbox has "From " quoted, and a line end behind the last line. */
const lasting = (octets: string): string => octets.replaceAll(/^>*From /gm, "From ").trimEnd();
const sameText = (one: Shown | undefined): unknown => one && { ...one, octets: lasting(one.octets), size: 0 };

/** The line end before the next message belongs to a header that has no end, or not: Dovecot ends it with the first change. */
const unended = (one: Shown, other: Shown | undefined): boolean => other !== undefined && Math.abs(one.octets.length - other.octets.length) === 2 && one.octets.trimEnd() === other.octets.trimEnd() && !one.octets.includes("\r\n\r\n");

function same(seen: readonly Shown[], wanted: readonly Shown[], what: string, of: (one: Shown | undefined) => unknown = (one) => one): void {
  for (const [i, one] of wanted.entries()) assert.deepEqual(of(seen[i]), of(unended(one, seen[i]) ? { ...one, octets: seen[i]?.octets ?? "", size: seen[i]?.size ?? 0 } : one), `${what}, message ${i + 1}`);
  assert.equal(seen.length, wanted.length, what);
}

/** As a mailbox is to be after a step; UIDs of new messages are not known before. */
interface Expected {
  readonly inbox: readonly Shown[];
  /** Without UID; a date of 0 is any. */
  readonly arrived?: readonly Omit<Shown, "uid">[];
  readonly copied?: readonly Shown[];
}

function judge(seen: View, before: View, { inbox, arrived = [], copied = [] }: Expected, what: string): void {
  assert.equal(seen.uidValidity, before.uidValidity, what);
  same(seen.inbox.slice(0, inbox.length), inbox, `${what}: what was there`, sameText);
  same(seen.other.slice(0, before.other.length), before.other, `${what}: the other folder`, sameText);
  const highest = Math.max(0, ...before.inbox.map(({ uid }) => uid));
  const news = seen.inbox.slice(inbox.length);
  assert.ok(news.every(({ uid }) => uid > highest), `${what}: new UIDs`);
  const loose = (one: Omit<Shown, "uid"> | undefined): unknown => one && { flags: one.flags, octets: lasting(one.octets) };
  assert.deepEqual(news.map(loose), arrived.map(loose), `${what}: what came`);
  for (const [i, { date }] of arrived.entries()) if (date !== 0) assert.equal(news[i]?.date, date, `${what}: date of what came`);
  const copies = seen.other.slice(before.other.length);
  assert.deepEqual(copies.map(loose), copied.map(loose), `${what}: what was copied`);
  for (const [i, { date }] of copied.entries()) assert.equal(copies[i]?.date, date, `${what}: date of what was copied`);
}

// ------------------------------------------------------------ what is done

const words = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "theirs", "$Forwarded", "NonJunk", "todo-1", "a-keyword-for-which-there-may-be-no-room"];

interface Doing {
  readonly at: Place;
  readonly store: MailStore;
  readonly inbox: Mailbox;
  readonly by: "ours" | "theirs";
  readonly chance: Chance;
  readonly before: View;
  serial(): number;
}

const some = ({ chance, before }: Doing, most: number): Shown[] => before.inbox.filter(() => chance.below(Math.max(1, before.inbox.length)) < most);
const uidsOf = (messages: readonly Shown[]): Uid[] => messages.map(({ uid }) => uid as Uid);

type Step = (doing: Doing) => Promise<Expected>;

const flag: Step = async (doing) => {
  const { at, by, inbox, chance, before } = doing;
  const chosen = some(doing, 3);
  const how = chance.of(["add", "remove", "replace"] as const);
  const flags = [...new Set([chance.of(words), chance.of(words)])];
  if (chosen.length === 0) return { inbox: before.inbox };
  if (by === "ours") await inbox.setFlags(uidsOf(chosen), { how, flags: new Set(flags) });
  else await dovecot(at, async (session) => [await session.say("SELECT INBOX"), await session.say(`UID STORE ${uidsOf(chosen).join()} ${{ add: "+", remove: "-", replace: "" }[how]}FLAGS (${flags.join(" ")})`)]);
  const changed = (old: readonly string[]): string[] => (how === "replace" ? flags : how === "add" ? [...new Set([...old, ...flags])] : old.filter((one) => !flags.includes(one)));
  return { inbox: before.inbox.map((one) => (chosen.includes(one) ? { ...one, flags: changed(one.flags).sort() } : one)) };
};

const expunge: Step = async (doing) => {
  const { at, by, inbox, before } = doing;
  const going = some(doing, 1);
  if (going.length === 0) return { inbox: before.inbox };
  if (by === "ours") await inbox.expunge(uidsOf(going));
  else await dovecot(at, async (session) => [await session.say("SELECT INBOX"), await session.say(`UID STORE ${uidsOf(going).join()} +FLAGS.SILENT (\\Deleted)`), await session.say(`UID EXPUNGE ${uidsOf(going).join()}`)]);
  return { inbox: before.inbox.filter((one) => !going.includes(one)) };
};

const copy: Step = async (doing) => {
  const { at, by, inbox, store, before } = doing;
  const chosen = some(doing, 2);
  if (chosen.length === 0) return { inbox: before.inbox };
  if (by === "ours") {
    const other = await store.open("Other");
    await inbox.copy(uidsOf(chosen), other).finally(() => store.release(other));
  } else await dovecot(at, async (session) => [await session.say("SELECT INBOX"), await session.say(`UID COPY ${uidsOf(chosen).join()} Other`)]);
  return { inbox: before.inbox, copied: chosen };
};

const text = (n: number, chance: Chance): string => `From: a@b\nSubject: m${n}\n${chance.of(["", "X-Long: folded\n\tline\n", "Status: none of ours\n"])}\n${chance.of(["plain\n", "From here\n>From there\n\n", "8 bit \xe4\xf6\n", `${"x".repeat(2000)}\n`])}`;
/** Fields that an mbox keeps for itself are not shown from there. */
const stored = (message: string, kind: Kind): string => (kind === "mbox" ? message.replace("Status: none of ours\n", "") : message).replaceAll("\n", "\r\n");

const append: Step = async ({ at, by, inbox, chance, before, serial }) => {
  const message = text(serial(), chance);
  const date = 1_600_000_000_000 + chance.below(1e6) * 1000;
  const flags = [...new Set([chance.of(words), chance.of(words)])].sort();
  const written = new Date(date).toUTCString().replace(/^\w+, (\d\d) (\w+) (\d+) (\S+) GMT$/, "$1-$2-$3 $4 +0000");
  if (by === "ours") await inbox.append([{ octets: Buffer.from(message, "latin1"), flags: new Set(flags), internalDate: date }]);
  else await dovecot(at, (session) => session.say(`APPEND INBOX (${flags.join(" ")}) "${written}" `, message.replaceAll("\n", "\r\n")));
  return { inbox: before.inbox, arrived: [{ flags, date, size: 0, octets: stored(message, at.kind) }] };
};

const deliver: Step = async ({ at, by, store, chance, before, serial }) => {
  const message = text(serial(), chance);
  if (by === "ours") await store.deliver("INBOX", { octets: Buffer.from(message, "latin1"), flags: new Set(), internalDate: undefined }, true);
  else {
    const done = spawnSync("procmail", ["-f", "sender@example.org", "-t", `${at.home}/rc`], { input: Buffer.from(message.replace("Status: none of ours\n", ""), "latin1"), env: { ...process.env, HOME: at.home, USER: "nobody", LOGNAME: "nobody" } });
    assert.equal(done.status, 0, done.stderr.toString());
  }
  const octets = stored(by === "ours" ? message : message.replace("Status: none of ours\n", ""), at.kind);
  return { inbox: before.inbox, arrived: [{ flags: [], date: 0, size: 0, octets }] };
};

const steps: Readonly<Record<string, Step>> = { flag, expunge, copy, append, deliver };

for (const kind of ["maildir", "mbox"] as const)
  for (let seed = from; seed < from + count; seed++)
    test(`${kind}, seed ${seed}`, { skip }, async (t) => {
      const at = place(t, kind, seed);
      const chance = new Chance(seed + 7919);
      let serial = 0;
      const open = (): Promise<MailStore> => openStore(user(at.location), { ...settings, mailbox_auto_create: [] });
      let store = await open();
      t.after(() => store.close());
      let before: View;
      try {
        await store.create("Other");
        before = await ours(store);
      } catch (fault) {
        // No mbox: Dovecot has none either (strange-mbox.test.ts).
        assert.equal((fault as { kind?: unknown }).kind, "corrupt");
        return;
      }
      // Into a file with CRLF Dovecot writes what is wrong, and where a header ends with a line that begins with NUL it tears what is behind.
      if (before.inbox.some(({ octets }) => kind === "mbox" && /\r\r|^\x80/m.test(octets))) return;
      const course: string[] = [];
      try {
        same((await theirs(at)).inbox, before.inbox, "before anything");
        for (let round = 0; round < rounds; round++)
          for (const by of ["ours", "theirs"] as const)
            for (const name of [chance.of(Object.keys(steps)), chance.of(Object.keys(steps))]) {
              course.push(`round ${round}: ${by}, ${name}`);
              const inbox = await store.open("INBOX");
              const expected = await (steps[name] ?? flag)({ at, store, inbox, by, chance, before, serial: () => ++serial }).finally(() => store.release(inbox));
              // Who looks first gives the UIDs.
              const first = chance.below(2) === 0 ? await theirs(at) : undefined;
              const mine = await ours(store);
              const other = first ?? (await theirs(at));
              judge(mine, before, expected, "ours");
              same(other.inbox, mine.inbox, "Dovecot beside ours");
              same(other.other, mine.other, "Dovecot beside ours, the other folder");
              before = mine;
              if (chance.below(4) > 0) continue;
              course.push("opened anew");
              await store.close();
              store = await open();
              same((await ours(store)).inbox, before.inbox, "opened anew");
            }
      } catch (fault) {
        assert.fail(`${String(fault)}\n${course.slice(-8).join("\n")}\n${dovecotLog(at.home).split("\n").filter((line) => !line.includes("Info: ")).slice(-5).join("\n")}`);
      }
    });
