/** Reads every mailbox twice: the files as any other program would, and through IMAP. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { ImapClient } from "../load/imap-client.ts";
import { check } from "../load/message.ts";
import type { Found, Place } from "./ledger.ts";

export interface Inspected {
  readonly found: readonly Found[];
  /** What is visible and not a whole message of ours. */
  readonly torn: readonly string[];
  /** Files in tmp/: never visible, swept some day. */
  readonly leftovers: number;
}

class Collector {
  readonly found: Found[] = [];
  readonly torn: string[] = [];
  leftovers = 0;

  take(place: Place, where: string, octets: Buffer): void {
    const message = check(octets);
    if (message.kind === "whole") this.found.push({ place, id: message.id, attempt: message.attempt });
    else this.torn.push(`${where}: ${message.why}: ${JSON.stringify(message.start.slice(0, 200))}`);
  }
}

/** A Maildir++ tree: new/ and cur/ of INBOX and of every folder. */
export function readMaildir(user: string, maildir: string, into = new Collector()): Inspected {
  if (!existsSync(maildir)) return into;
  const folders = ["", ...readdirSync(maildir).filter((n) => /^\.[^.]/.test(n) && statSync(`${maildir}/${n}`).isDirectory())];
  for (const folder of folders) {
    const base = folder === "" ? maildir : `${maildir}/${folder}`;
    const place = folder === "" ? user : `${user}/${folder.slice(1)}`;
    for (const d of ["new", "cur"]) {
      if (!existsSync(`${base}/${d}`)) continue;
      for (const name of readdirSync(`${base}/${d}`)) into.take(place, `${base}/${d}/${name}`, readFileSync(`${base}/${d}/${name}`));
    }
    if (existsSync(`${base}/tmp`)) into.leftovers += readdirSync(`${base}/tmp`).length;
  }
  return into;
}

/** An mbox: a "From " line, the message, an empty line. Anything before the first "From " line is torn. */
export function readMbox(user: string, file: string, into = new Collector()): Inspected {
  if (!existsSync(file)) return into;
  const text = readFileSync(file, "latin1");
  if (text === "") return into;
  if (!text.startsWith("From ")) into.torn.push(`${file} begins with ${JSON.stringify(text.slice(0, 80))}`);
  if (!text.endsWith("\n\n")) into.torn.push(`${file} ends with ${JSON.stringify(text.slice(-80))}`);
  for (const message of text.slice(0, -1).split(/(?:^|(?<=\n)\n)(?=From )/)) {
    if (message === "") continue;
    const content = message.slice(message.indexOf("\n") + 1);
    // The folder's own data, as UW imapd and Dovecot keep it, is no message.
    if (/^X-IMAP: /m.test(content) && /DON'T DELETE/.test(content)) continue;
    into.take(user, file, Buffer.from(content, "latin1"));
  }
  return into;
}

/** The same as IMAP shows it: every mailbox that LIST names, every message in full. */
export async function readImap(port: number, user: string, login: string, password: string): Promise<Inspected> {
  const into = new Collector();
  const client = await ImapClient.login(port, login, password);
  const listed = await client.ok('LIST "" "*"');
  for (const { line } of listed.untagged) {
    const [, flags = "", name = ""] = /^\* LIST \(([^)]*)\) \S+ (.+)$/.exec(line) ?? [];
    if (/noselect|nonexistent/i.test(flags) || name === "") continue;
    const plain = name.replace(/^"(.*)"$/, "$1");
    const selected = await client.ok(`EXAMINE ${name}`);
    const exists = Number(selected.untagged.map((u) => /^\* (\d+) EXISTS/.exec(u.line)?.[1]).find((n) => n !== undefined));
    if (exists === 0) continue;
    const place = plain.toUpperCase() === "INBOX" ? user : `${user}/${plain.replace(/^INBOX[./]/, "")}`;
    const fetched = await client.ok("FETCH 1:* (UID BODY.PEEK[])");
    const bodies = fetched.untagged.filter((u) => / FETCH /.test(u.line));
    if (bodies.length !== exists) into.torn.push(`IMAP ${place}: ${String(exists)} EXISTS, ${String(bodies.length)} fetched`);
    let last = 0;
    for (const body of bodies) {
      const uid = Number(/UID (\d+)/.exec(body.line)?.[1]);
      if (!(uid > last)) into.torn.push(`IMAP ${place}: UID ${String(uid)} after ${String(last)}`);
      last = uid;
      into.take(place, `IMAP ${place} UID ${String(uid)}`, body.literals[0] ?? Buffer.alloc(0));
    }
  }
  await client.logout();
  return into;
}

/** What one reading has and the other has not; empty when they agree. */
export function differences(files: readonly Found[], imap: readonly Found[]): string[] {
  const key = (f: Found): string => `${f.id}.${String(f.attempt)} in ${f.place}`;
  const count = new Map<string, number>();
  for (const f of files) count.set(key(f), (count.get(key(f)) ?? 0) + 1);
  for (const f of imap) count.set(key(f), (count.get(key(f)) ?? 0) - 1);
  return [...count].filter(([, n]) => n !== 0).map(([k, n]) => `${k}: ${n > 0 ? "in the files only" : "by IMAP only"}`);
}
