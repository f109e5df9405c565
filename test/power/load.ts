/** Clients outside of the machine, and what they were told: mail by SMTP and LMTP, and an IMAP session for each user. */
import { ImapClient } from "../load/imap-client.ts";
import { LineSocket } from "../load/line-socket.ts";
import { check, compose } from "../load/message.ts";
import { SmtpClient } from "../load/smtp-client.ts";
import { domain, passwordOf, users, type User } from "./images.ts";
import type { Machine } from "./machine.ts";

/** Everything that was acknowledged so far, over all cuts. */
export class Ledger {
  /** Ids to the user who has them: 250 from SMTP or LMTP, OK from APPEND. */
  readonly acknowledged = new Map<string, User>();
  /** "USER FOLDER UID" to the id that a client saw there, or was told by COPYUID. */
  readonly seen = new Map<string, string>();
  /** "USER FOLDER UID" that got \Flagged, or lost \Seen, by an OK. */
  readonly flagged = new Set<string>();
  readonly unseen = new Set<string>();
  /** "USER ID" that an OK of COPY or MOVE put into the other folder. */
  readonly copied = new Set<string>();
  /** Ids whose expunge was asked for, and "USER FOLDER UID" of messages whose expunge or move was acknowledged. A message that came twice has two UIDs. */
  readonly expunging = new Set<string>();
  readonly gone = new Set<string>();
  /** By "USER FOLDER". */
  readonly uidValidity = new Map<string, string>();
  readonly counts = { smtp: 0, lmtp: 0, append: 0, store: 0, copy: 0, move: 0, expunge: 0 };
  #last = 0;

  /** Acknowledgements of all kinds. */
  get total(): number {
    return Object.values(this.counts).reduce((a, b) => a + b, 0);
  }

  /** Those of IMAP. */
  get mailbox(): number {
    return this.total - this.counts.smtp - this.counts.lmtp;
  }

  id(): string {
    return `p${++this.#last}`;
  }
}

/** An interpreted machine on a busy host is slow to answer, ms. */
const answerTime = 240_000;

/** Where COPY and MOVE put messages. */
const other = "Kept";

const octetsOf = (random: () => number): number => 500 + Math.floor(random() ** 3 * 40_000);
const address = (user: User): string => `${user}@${domain}`;
const pick = <T>(list: readonly T[], random: () => number): T | undefined => list[Math.floor(random() * list.length)];

/** Runs until the machine is gone; resolves then. Faults of connections are the end of them, anything else is thrown. */
export async function load(machine: Machine, ledger: Ledger, random: () => number): Promise<void> {
  const sessions = [
    ...[1, 2, 3].map(() => smtp(machine, ledger, random)),
    ...[1, 2, 3, 4].map(() => lmtp(machine, ledger, random)),
    ...users.map((user) => imap(machine, ledger, user, random)),
  ];
  const ends = await Promise.allSettled(sessions);
  for (const end of ends) if (end.status === "rejected" && end.reason instanceof Refused) throw end.reason;
}

/** The server said no, which under this load it should not. */
class Refused extends Error {}

async function smtp(machine: Machine, ledger: Ledger, random: () => number): Promise<never> {
  const client = await SmtpClient.connect(machine.ports.smtp, { timeout: answerTime });
  for (;;) {
    const user = pick(users, random) ?? "m1";
    const id = ledger.id();
    const { code, text } = await client.send("a@elsewhere.test", [address(user)], compose({ id, attempt: 1, octets: octetsOf(random) }));
    if (code !== 250) throw new Refused(`SMTP: ${code} ${text}`);
    ledger.acknowledged.set(id, user);
    ledger.counts.smtp++;
  }
}

async function lmtp(machine: Machine, ledger: Ledger, random: () => number): Promise<never> {
  const wire = await LineSocket.connect(machine.ports.lmtp, "127.0.0.1", answerTime);
  const reply = async (wanted: string): Promise<void> => {
    for (;;) {
      const line = await wire.line();
      if (!line.startsWith(wanted)) throw new Refused(`LMTP: ${line}`);
      if (line[3] !== "-") return;
    }
  };
  await reply("220");
  wire.write("LHLO load.example.test\r\n");
  await reply("250");
  for (;;) {
    // Most mail is for one user, so that some is delivered by groups.
    const user = random() < 0.5 ? users[0] : (pick(users, random) ?? "m1");
    const id = ledger.id();
    wire.write(`MAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<${address(user)}>\r\nDATA\r\n`);
    for (const code of ["250", "250", "354"]) await reply(code);
    wire.write(Buffer.concat([compose({ id, attempt: 1, octets: octetsOf(random) }), Buffer.from(".\r\n")]));
    await reply("250");
    ledger.acknowledged.set(id, user);
    ledger.counts.lmtp++;
  }
}

async function imap(machine: Machine, ledger: Ledger, user: User, random: () => number): Promise<never> {
  const client = await ImapClient.login(machine.ports.imap, user, passwordOf(user), answerTime);
  // NO when it is there.
  await client.command(`CREATE ${other}`);
  await client.ok("SELECT INBOX");
  const inInbox = (uid: number): string => `${user} INBOX ${uid}`;
  for (let last = 0; ; ) {
    const id = ledger.id();
    await client.ok("APPEND INBOX (\\Seen)", compose({ id, attempt: 1, octets: octetsOf(random) }));
    ledger.acknowledged.set(id, user);
    ledger.counts.append++;
    await client.ok("NOOP");
    const found = await client.ok(`UID FETCH ${last + 1}:* (UID BODY.PEEK[HEADER.FIELDS (X-LOAD-ID)])`);
    const uids: number[] = [];
    for (const { line, literals } of found.untagged) {
      const uid = Number(/UID (\d+)/.exec(line)?.[1] ?? 0);
      const seen = /X-Load-Id: (\S+)/i.exec(literals[0]?.toString("latin1") ?? "")?.[1];
      if (uid === 0 || seen === undefined) continue;
      ledger.seen.set(inInbox(uid), seen);
      uids.push(uid);
      last = Math.max(last, uid);
    }
    const flag = pick(uids, random);
    if (flag !== undefined) {
      await client.ok(`UID STORE ${flag} +FLAGS.SILENT (\\Flagged keyword${flag % 5})`);
      ledger.flagged.add(inInbox(flag));
      ledger.counts.store++;
      if (random() < 0.5) {
        await client.ok(`UID STORE ${flag} -FLAGS.SILENT (\\Seen)`);
        ledger.unseen.add(inInbox(flag));
        ledger.counts.store++;
      }
    }
    await copy(client, ledger, user, uids.filter(() => random() < 0.3));
    const moving = uids.filter(() => random() < 0.2);
    await move(client, ledger, user, moving);
    const victim = pick(uids.filter((uid) => !moving.includes(uid)), random);
    const gone = victim === undefined ? undefined : ledger.seen.get(inInbox(victim));
    if (gone === undefined || random() < 0.6) continue;
    ledger.expunging.add(gone);
    await client.ok(`UID STORE ${victim} +FLAGS.SILENT (\\Deleted)`);
    await client.ok("EXPUNGE");
    ledger.gone.add(inInbox(victim ?? 0));
    ledger.counts.expunge++;
  }
}

const idsAt = (ledger: Ledger, user: User, uids: readonly number[]): string[] => uids.map((uid) => ledger.seen.get(`${user} INBOX ${uid}`) ?? "none");

/** "COPYUID VALIDITY FROM TO": notes what the UIDs there mean. RFC 4315 §3 */
function noteCopies(ledger: Ledger, user: User, text: string): void {
  const [, from = "", to = ""] = /COPYUID \d+ ([\d:,]+) ([\d:,]+)/.exec(text) ?? [];
  const [old, next] = [from, to].map((set) => set.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split(":").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }));
  old?.forEach((uid, i) => ledger.seen.set(`${user} ${other} ${next?.[i]}`, ledger.seen.get(`${user} INBOX ${uid}`) ?? "none"));
}

async function copy(client: ImapClient, ledger: Ledger, user: User, uids: readonly number[]): Promise<void> {
  if (uids.length === 0) return;
  const { text } = await client.ok(`UID COPY ${uids.join()} ${other}`);
  for (const id of idsAt(ledger, user, uids)) ledger.copied.add(`${user} ${id}`);
  noteCopies(ledger, user, text);
  ledger.counts.copy++;
}

async function move(client: ImapClient, ledger: Ledger, user: User, uids: readonly number[]): Promise<void> {
  if (uids.length === 0) return;
  const { untagged } = await client.ok(`UID MOVE ${uids.join()} ${other}`);
  for (const id of idsAt(ledger, user, uids)) ledger.copied.add(`${user} ${id}`);
  for (const uid of uids) ledger.gone.add(`${user} INBOX ${uid}`);
  for (const { line } of untagged) if (line.includes("COPYUID")) noteCopies(ledger, user, line);
  ledger.counts.move++;
}

export interface Verdict {
  readonly found: number;
  /** Delivered twice: the outcome was not on record when the power went. */
  readonly again: number;
  readonly faults: readonly string[];
}

/** Looks at every mailbox; what is acknowledged and still in the queue has `patience` ms to arrive. */
export async function judge(machine: Machine, ledger: Ledger, patience: number): Promise<Verdict> {
  const end = Date.now() + patience;
  for (;;) {
    let verdict: Verdict;
    try {
      verdict = await look(machine, ledger);
    } catch (fault) {
      // On a slow machine the agent may take its time; mail must be reachable in the end.
      if (Date.now() > end) throw fault;
      continue;
    }
    if (verdict.faults.every((fault) => !fault.startsWith("lost")) || Date.now() > end) return verdict;
  }
}

async function look(machine: Machine, ledger: Ledger): Promise<Verdict> {
  const faults: string[] = [];
  /** Ids by "USER FOLDER". */
  const found = new Map<string, string[]>();
  for (const user of users) {
    const client = await ImapClient.login(machine.ports.imap, user, passwordOf(user), answerTime);
    await client.command(`CREATE ${other}`);
    for (const folder of ["INBOX", other]) found.set(`${user} ${folder}`, await lookInto(client, ledger, user, folder, faults));
    await client.logout();
  }
  const idsIn = (user: User, folder: string): readonly string[] => found.get(`${user} ${folder}`) ?? [];
  let again = 0;
  for (const [id, user] of ledger.acknowledged) {
    const [here, there] = ["INBOX", other].map((folder) => idsIn(user, folder).filter((one) => one === id).length) as [number, number];
    if (here + there === 0 && !ledger.expunging.has(id)) faults.push(`lost: ${id} of ${user}`);
    if (there === 0 && ledger.copied.has(`${user} ${id}`)) faults.push(`lost: ${id} of ${user} in ${other}`);
    again += Math.max(0, here - 1);
  }
  return { found: [...found.values()].reduce((sum, { length }) => sum + length, 0), again, faults };
}

/** Ids of the messages in a folder; what is wrong with one goes to `faults`. */
async function lookInto(client: ImapClient, ledger: Ledger, user: User, folder: string, faults: string[]): Promise<string[]> {
  const selected = await client.ok(`SELECT ${folder}`);
  const validity = selected.untagged.map(({ line }) => /UIDVALIDITY (\d+)/.exec(line)?.[1]).find((v) => v !== undefined) ?? "none";
  const known = ledger.uidValidity.get(`${user} ${folder}`) ?? validity;
  if (validity !== known) faults.push(`${user} ${folder}: UIDVALIDITY is ${validity}, was ${known}`);
  ledger.uidValidity.set(`${user} ${folder}`, validity);
  const ids: string[] = [];
  const fetched = await client.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
  for (const { line, literals } of fetched.untagged) {
    const uid = Number(/UID (\d+)/.exec(line)?.[1] ?? 0);
    if (uid === 0 || !/ FETCH /.test(line)) continue;
    const where = `${user} ${folder} ${uid}`;
    const message = check(literals[0] ?? Buffer.alloc(0));
    if (message.kind === "torn") {
      faults.push(`torn: ${where}: ${message.why}`);
      continue;
    }
    const { id } = message;
    ids.push(id);
    const before = ledger.seen.get(where);
    if (before !== undefined && before !== id) faults.push(`${where} was ${before} and is ${id}`);
    if (ledger.flagged.has(where) && !line.includes("\\Flagged")) faults.push(`${where} (${id}) has lost its flag`);
    if (ledger.unseen.has(where) && line.includes("\\Seen")) faults.push(`${where} (${id}) has a flag again`);
    if (ledger.gone.has(where)) faults.push(`${where} (${id}) is back from its expunge or move`);
    ledger.seen.set(where, id);
  }
  return ids;
}
