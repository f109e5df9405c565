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
  /** "USER UID" to the id that a client saw there. */
  readonly seen = new Map<string, string>();
  /** "USER UID" that got \Flagged, by an OK. */
  readonly flagged = new Set<string>();
  /** Ids whose expunge was asked for, and those where it was acknowledged. */
  readonly expunging = new Set<string>();
  readonly expunged = new Set<string>();
  readonly uidValidity = new Map<User, string>();
  readonly counts = { smtp: 0, lmtp: 0, append: 0, store: 0, expunge: 0 };
  #last = 0;

  /** Acknowledgements of all kinds. */
  get total(): number {
    const { smtp, lmtp, append, store, expunge } = this.counts;
    return smtp + lmtp + append + store + expunge;
  }

  id(): string {
    return `p${++this.#last}`;
  }
}

/** An interpreted machine on a busy host is slow to answer, ms. */
const answerTime = 240_000;

const octetsOf = (random: () => number): number => 500 + Math.floor(random() ** 3 * 40_000);
const address = (user: User): string => `${user}@${domain}`;
const pick = <T>(list: readonly T[], random: () => number): T | undefined => list[Math.floor(random() * list.length)];

/** Runs until the machine is gone; resolves then. Faults of connections are the end of them, anything else is thrown. */
export async function load(machine: Machine, ledger: Ledger, random: () => number): Promise<void> {
  const sessions = [
    ...[1, 2, 3].map(() => smtp(machine, ledger, random)),
    ...[1, 2].map(() => lmtp(machine, ledger, random)),
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
    const user = pick(users, random) ?? "m1";
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
  await client.ok("SELECT INBOX");
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
      ledger.seen.set(`${user} ${uid}`, seen);
      uids.push(uid);
      last = Math.max(last, uid);
    }
    const flag = pick(uids, random);
    if (flag !== undefined) {
      await client.ok(`UID STORE ${flag} +FLAGS.SILENT (\\Flagged keyword${flag % 5})`);
      ledger.flagged.add(`${user} ${flag}`);
      ledger.counts.store++;
    }
    const victim = pick(uids, random);
    const gone = victim === undefined ? undefined : ledger.seen.get(`${user} ${victim}`);
    if (gone === undefined || random() < 0.6) continue;
    ledger.expunging.add(gone);
    await client.ok(`UID STORE ${victim} +FLAGS.SILENT (\\Deleted)`);
    await client.ok("EXPUNGE");
    ledger.expunged.add(gone);
    ledger.counts.expunge++;
  }
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
  const copies = new Map<string, number>();
  for (const user of users) {
    const client = await ImapClient.login(machine.ports.imap, user, passwordOf(user), answerTime);
    const selected = await client.ok("SELECT INBOX");
    const validity = selected.untagged.map(({ line }) => /UIDVALIDITY (\d+)/.exec(line)?.[1]).find((v) => v !== undefined) ?? "none";
    if (validity !== (ledger.uidValidity.get(user) ?? validity)) faults.push(`${user}: UIDVALIDITY is ${validity}, was ${ledger.uidValidity.get(user)}`);
    ledger.uidValidity.set(user, validity);
    const fetched = await client.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
    for (const { line, literals } of fetched.untagged) {
      const uid = Number(/UID (\d+)/.exec(line)?.[1] ?? 0);
      if (uid === 0 || !/ FETCH /.test(line)) continue;
      const where = `${user} UID ${uid}`;
      const message = check(literals[0] ?? Buffer.alloc(0));
      if (message.kind === "torn") {
        faults.push(`torn: ${where}: ${message.why}`);
        continue;
      }
      copies.set(message.id, (copies.get(message.id) ?? 0) + 1);
      const before = ledger.seen.get(`${user} ${uid}`);
      if (before !== undefined && before !== message.id) faults.push(`${where} was ${before} and is ${message.id}`);
      if (ledger.flagged.has(`${user} ${uid}`) && !line.includes("\\Flagged")) faults.push(`${where} (${message.id}) has lost its flag`);
      if (ledger.expunged.has(message.id) && before !== undefined) faults.push(`${where} (${message.id}) is back from its expunge`);
      ledger.seen.set(`${user} ${uid}`, message.id);
    }
    await client.logout();
  }
  let again = 0;
  for (const [id, user] of ledger.acknowledged) {
    const found = copies.get(id) ?? 0;
    if (found === 0 && !ledger.expunging.has(id)) faults.push(`lost: ${id} of ${user}`);
    again += Math.max(0, found - 1);
  }
  return { found: [...copies.values()].reduce((a, b) => a + b, 0), again, faults };
}
