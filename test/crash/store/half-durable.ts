/**
 * A process in which one of the things that a STORE makes durable fails while another has still to come. Arguments: directory with a Maildir, and which fails:
 * "names" (the fsync of cur/) or "keywords" (posthorn-keywords), which are made durable at once; or "letters" (the fsync behind dovecot-keywords), while a
 * second STORE waits for the same letter. Says what happened, in the order in which it did.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readSync, rmdirSync, rmSync, watch, writeFileSync, writeSync } from "node:fs";
import { endianness } from "node:os";
import { StoreFault, type Uid } from "../../../src/store/mailbox.ts";
import { exitNow } from "../../../src/sys/exit.ts";
import { calls, Faults, type Order } from "./faults.ts";
import { openAt } from "./steps.ts";

const [room = "", fails = ""] = process.argv.slice(2);
const maildir = `${room}/Maildir`;
const control = openSync(process.env.FAULT_CONTROL ?? "", "r+");
const faults = new Faults();
const all = { first: 1, last: 0xffff_ffff };
const none = { first: 0xffff_ffff };
const arm = (order: Order): number => writeSync(control, faults.page(order), 0, null, 0);
const disarm = (): number => writeSync(control, Buffer.alloc(4), 0, 4, 0);
function field(at: number): number {
  const octets = Buffer.alloc(4);
  readSync(control, octets, 0, 4, at);
  return endianness() === "LE" ? octets.readUInt32LE() : octets.readUInt32BE();
}
/** As faults.ts lays them out: how many calls there were, and how many met their fault. */
const counted = (): number => field(20);
const hits = (): number => field(24);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** What has happened on a thread is heard, and promises that hang on it have settled. */
async function heard(): Promise<void> {
  for (let i = 0; i < 100; i++) await turn();
}

const said: string[] = [];
const settled = (work: Promise<unknown>, done: string): Promise<unknown> =>
  work.then(
    () => said.push(done),
    (fault: unknown) => said.push(fault instanceof StoreFault ? fault.kind : String(fault)),
  );

const store = await openAt("maildir", room);
const inbox = await store.open("INBOX");
const uids = (...some: number[]): Uid[] => some as Uid[];
const add = (some: readonly Uid[], ...names: string[]): Promise<unknown> => inbox.setFlags(some, { how: "add", flags: new Set(names) }, () => said.push("told"));

async function oneFails(): Promise<void> {
  // With the one that there is they have all letters.
  await inbox.setFlags(uids(1), { how: "add", flags: new Set(Array.from({ length: 25 }, (_, i) => `letter-${i}`)) });
  const lock = `${maildir}/posthorn-keywords.lock`;
  const file = `${maildir}/posthorn-keywords`;
  if (fails === "names") {
    // Another program changes the keywords.
    writeFileSync(lock, "");
    arm({ action: "fail", error: "EIO", calls: calls.sync, match: "/Maildir/cur$", ...all });
  } else {
    // Its name is taken by what can not be replaced.
    mkdirSync(file);
    arm({ action: "hold", calls: calls.sync, match: "/Maildir/cur$", ...all });
  }
  /** The lock file came, or went. */
  let locked = 0;
  const watcher = watch(maildir, (_, name) => {
    if (name === "posthorn-keywords.lock") locked++;
  });
  const first = settled(add(uids(1, 2), "\\Flagged", "beyond"), "done");
  // The folder is the first one's until both have ended.
  const next = settled(inbox.expunge(uids(2)), "next");
  while (hits() === 0 || (fails === "keywords" && locked < 2)) await turn();
  await heard();
  said.push("other");
  if (fails === "names") rmSync(lock);
  disarm();
  await first;
  watcher.close();
  if (fails === "keywords") rmdirSync(file);
  await next;
  await settled(add(uids(1), "\\Flagged", "beyond"), "again");
}

async function lettersFail(): Promise<void> {
  const names = (): string => ["cur", "new"].flatMap((part) => readdirSync(`${maildir}/${part}`)).sort().join();
  const before = names();
  arm({ action: "hold", error: "EIO", calls: calls.sync, match: "/Maildir$", ...all });
  const first = settled(add(uids(1), "fresh"), "done");
  const next = settled(add(uids(2), "fresh"), "next");
  while (hits() === 0) await turn();
  await heard();
  said.push(names() === before ? "unnamed" : "named");
  arm({ action: "fail", error: "EIO", calls: calls.sync, match: "/Maildir$", ...none });
  await first;
  await next;
  said.push(counted() > 0 ? "durable" : "not durable");
}

await (fails === "letters" ? lettersFail() : oneFails());
process.stdout.write(`${said.join(" ")}\n`);
await store.close();
closeSync(control);
faults.end();
exitNow(0);
