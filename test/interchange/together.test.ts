/**
 * One mailbox, used at the same time by procmail, mutt, mail(1), Dovecot's and our IMAP sessions and our deliveries, each with its own locks
 * and habits. At the end every acknowledged message is there once, unless its owner removed it; every flag is as its owner left it; a UID
 * meant one message all the time; and both servers see the same. TOGETHER is for how many seconds (`make together`), SEED another course.
 *
 * Two habits of the others set limits to what they can promise, and so to what is asked of them here. mutt takes an mbox for unchanged as
 * long as its size is the same, and writes Status and X-Status of messages behind the one it changes as it knew them: in an mbox the
 * servers' own flags are keywords. mail(1) writes back what it read, whatever happened since: it reads and sends only.
 *
 * procmail waits for the fcntl lock while it holds the dotlock. Dovecot as Debian sets it (fcntl dotlock) waits the other way round, and the
 * two stop each other for as long as Dovecot's patience is, with nobody else there. A host that has both needs Dovecot's original order.
 * With mbox_lazy_writes two of its own sessions lose a flag to each other now and then, with nobody else there either.
 *
 * mutt gives the messages of an mbox it rewrites Content-Length and Lines; Dovecot ends a session in which a message has another size than it
 * knew. Dovecot looks at dovecot-keywords again when its mtime has another second, and may write a list over a keyword made in the same one.
 * So `make together` can fail by them; what runs with every test keeps out of their way.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { bin, have } from "../harness/stack.ts";
import { deliver, mail as mailText, type Imap } from "../system/client.ts";
import { Chance } from "./operations.ts";
import { Clock } from "./together/clock.ts";
import { imapObserver, imapWriter } from "./together/imap-writer.ts";
import { Ledger, type Found } from "./together/ledger.ts";
import { mboxFaults } from "./together/mbox-file.ts";
import { mail, mutt, procmail, type ProgramOptions } from "./together/programs.ts";
import { look } from "./view.ts";
import { forgetDovecotIndex, forgetOurIndex, makeWorld, missing, type Kind, type World } from "./world.ts";

/**
 * With every test: keywords are made before all begin, and an mbox is without mutt and without a second writer by Dovecot: on a busy machine a
 * keyword of such a one was lost in one of some twenty runs, and in one of six of two minutes where nobody but Dovecot wrote
 * (ONLY="theirs1,theirs2,their observer"). Without anything of ours (dovecot-alone.ts) it was one of eight of a minute.
 */
const short = process.env["TOGETHER"] === undefined;
const seconds = Number(process.env["TOGETHER"] ?? 15);
const seed = Number(process.env["SEED"] ?? 1);
/** To find out who hurts whom: "theirs1,procmail". */
const only = process.env["ONLY"]?.split(",");
/** No step of anybody may take longer, ms: then somebody waits for ever. */
const bound = 60_000;

const absent = missing ?? ["procmail", "mutt", "script", "mail"].map((program) => (have(program) ? undefined : `${program} is not installed`)).find((why) => why !== undefined);

/** Every message with its subject and flags. */
async function found(imap: Imap): Promise<Found[]> {
  const { untagged } = await imap.command("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
  return untagged.flatMap(({ line, literals }) => {
    const subject = /^Subject: (.*?)\r\n/m.exec(literals[0]?.toString("latin1") ?? "")?.[1];
    const flags = /FLAGS \(([^)]*)\)/.exec(line)?.[1]?.split(" ") ?? [];
    return subject === undefined ? [] : [{ uid: Number(/UID (\d+)/.exec(line)?.[1]), subject, flags: new Set(flags) }];
  });
}

async function together(t: TestContext, kind: Kind): Promise<void> {
  const world = await makeWorld(t, { kind, letter: `t${kind.slice(0, 2)}`, spool: true, set: { deliver_lock_delay: "50ms", deliver_lock_attempts: "600", mailbox_size_limit: "0", agent_idle_timeout: "60s" }, dovecot: "mbox_write_locks = dotlock fcntl\nmbox_lazy_writes = no\n" });
  await world.theirs.start();
  const { ports } = world.ours;
  const writers = ["ours1", "ours2", "theirs1", "theirs2"];
  const session = (port: number) => (): Promise<Imap> => world.imap(port, "INBOX");
  const ledger = new Ledger();
  // An mbox has its UIDVALIDITY in its first message: without one each server would think of its own.
  const imap = await session(ports.imap)();
  await imap.ok("APPEND INBOX () ", Buffer.from("Subject: first\r\n\r\ntext\r\n"));
  ledger.acknowledged("first");
  if (short) for (const how of ["+", "-"]) await imap.ok(`STORE 1 ${how}FLAGS.SILENT (${writers.join(" ")})`);
  await imap.logout();

  const numbers = new Chance(seed + (kind === "mbox" ? 77 : 0));
  const chance = (): Chance => new Chance(numbers.below(2 ** 31));
  const flags = (name: string): string[] => [name, ...(kind === "maildir" ? ["\\Flagged", "\\Answered", "\\Draft"] : [])];
  const parts: Readonly<Record<string, () => Promise<void>>> = {
    ...Object.fromEntries(writers.map((name) => [name, () => imapWriter({ name, connect: session(name.startsWith("ours") ? ports.imap : world.theirs.imap), ledger, chance: chance(), clock, flags: flags(name) })])),
    "our observer": () => imapObserver({ name: "our observer", connect: session(ports.imap), ledger, chance: chance(), clock }),
    "their observer": () => imapObserver({ name: "their observer", connect: session(world.theirs.imap), ledger, chance: chance(), clock }),
    procmail: () => procmail(options()),
    mutt: () => mutt(options(), lookAs),
    smtp: () => smtp(world, ledger, chance(), clock),
    ...(kind === "mbox" ? { mail: () => mail(options(), bin("sendmail"), world.ours.config) } : {}),
  };
  const apart = short && kind === "mbox" ? ["mutt", "theirs2"] : [];
  const chosen = Object.keys(parts).filter((name) => only?.includes(name) ?? !apart.includes(name));
  const clock = new Clock(seconds * 1000, chosen.length);
  const options = (): ProgramOptions => ({ user: world.user, kind, inbox: world.inbox, ledger, chance: chance(), clock });
  const lookAs = async (): Promise<Found[]> => {
    const imap = await session(ports.imap)();
    const seen = await found(imap);
    await imap.logout();
    return seen;
  };
  const all = chosen.map((name) => parts[name]?.() ?? Promise.resolve());
  const ended = await Promise.allSettled(all.map((one) => one.catch((fault: unknown) => (clock.stop(), Promise.reject(fault)))));
  const failed = ended.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
  assert.deepEqual(failed, [], [...clock.report(), ...complaints(world)].join("\n"));

  // The queue holds what was accepted and not yet delivered.
  let last: Found[] = [];
  let faults: string[] = [];
  for (const end = Date.now() + bound; ; await pause(500)) {
    last = await lookAs();
    faults = ledger.judge(last);
    if (faults.length === 0 || Date.now() > end || !faults.some((fault) => /^(smtp|mail)-\d+ is lost/.test(fault))) break;
  }
  const report = clock.report();
  t.diagnostic(`${ledger.messages} messages acknowledged, ${ledger.removals} removed, ${last.length} there`);
  for (const line of report) t.diagnostic(line);
  assert.deepEqual(faults, [], complaints(world).join("\n"));
  const slow = report.filter((line) => Number(/at most (\d+) ms/.exec(line)?.[1] ?? 0) > bound);
  assert.deepEqual(slow, []);

  await world.theirs.stop();
  await world.ours.stop(false);
  if (kind === "mbox") assert.deepEqual(mboxFaults(world.inbox), []);
  forgetDovecotIndex(world.root);
  forgetOurIndex(world.root);
  await world.ours.restart();
  const ours = await world.imap(ports.imap);
  const seen = await look(ours);
  await ours.logout();
  await world.theirs.start();
  const theirs = await world.imap(world.theirs.imap);
  assert.deepEqual(await look(theirs), seen);
  await theirs.logout();
}

/** What the servers found worth complaining about. */
const complaints = ({ theirs, ours }: World): string[] => [...theirs.log().split("\n"), ...ours.log().split("\n")].filter((line) => /error|warning|panic|fatal/i.test(line)).slice(-30);

/** Mail from outside. 250 is our word. */
async function smtp(world: World, ledger: Ledger, chance: Chance, clock: Clock): Promise<void> {
  clock.ready();
  for (let i = 1; clock.running; i++) {
    const subject = `smtp-${i}`;
    await clock.timed("smtp: delivery", () => deliver(world.ours, `${world.user.name}@${world.ours.domain}`, mailText(subject)));
    ledger.acknowledged(subject);
    await clock.rest(chance);
  }
}

for (const kind of ["maildir", "mbox"] satisfies Kind[]) test(`${kind}: everybody at once`, { skip: absent }, (t) => together(t, kind));
