/** All that a client can see of a user's mail, asked for over IMAP and POP3: what must be the same from both servers. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Pop3Client } from "../load/pop3-client.ts";
import type { Imap } from "../system/client.ts";

export interface SeenMessage {
  readonly uid: number;
  /** Sorted, without \Recent. */
  readonly flags: readonly string[];
  readonly date: string;
  readonly size: number;
  readonly digest: string;
}

export interface SeenMailbox {
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly messages: readonly SeenMessage[];
}

export interface Seen {
  readonly subscribed: readonly string[];
  /** By name as on the wire (modified UTF-7), ascending. */
  readonly mailboxes: Readonly<Record<string, SeenMailbox>>;
}

/** A name as a server writes it, quoted or not. */
export const unquote = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll(/\\(.)/g, "$1") : name);
export const quote = (name: string): string => `"${name.replaceAll(/["\\]/g, "\\$&")}"`;

interface Listed {
  readonly name: string;
  readonly selectable: boolean;
}

export async function list(imap: Imap, command: "LIST" | "LSUB"): Promise<Listed[]> {
  const { untagged } = await imap.ok(`${command} "" "*"`);
  return untagged.map(({ line, literals }) => {
    const m = new RegExp(`^\\* ${command} \\(([^)]*)\\) (?:"."|NIL) (.*)$`).exec(line);
    const name = literals[0]?.toString("latin1") ?? unquote(m?.[2] ?? "");
    return { name, selectable: !/\\Noselect|\\NonExistent/i.test(m?.[1] ?? "") };
  });
}

const sorted = (names: readonly string[]): string[] => [...names].sort();

export async function look(imap: Imap): Promise<Seen> {
  const listed = sorted((await list(imap, "LIST")).filter((f) => f.selectable).map((f) => f.name));
  const subscribed = sorted((await list(imap, "LSUB")).filter((f) => f.selectable).map((f) => f.name));
  const mailboxes: Record<string, SeenMailbox> = {};
  for (const name of listed) {
    const seen = await lookAt(imap, name);
    if (seen !== undefined) mailboxes[name] = seen;
  }
  return { subscribed, mailboxes };
}

/**
 * Opens it read-only and fetches everything. Undefined for a folder that Dovecot lists although it deleted it: its list index keeps one
 * that has others below it.
 */
export async function lookAt(imap: Imap, name: string): Promise<SeenMailbox | undefined> {
  const opened = await imap.command(`EXAMINE ${quote(name)}`);
  if (/^Mailbox doesn't exist: /.test(opened.text)) return undefined;
  assert.equal(opened.status, "OK", `EXAMINE ${name}: ${opened.text}`);
  const number = (code: string): number => Number(new RegExp(`\\[${code} (\\d+)\\]`).exec(opened.lines.join("\n"))?.[1]);
  const messages: SeenMessage[] = [];
  if (!opened.lines.includes("* 0 EXISTS")) {
    const { untagged } = await imap.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])");
    for (const { line, literals } of untagged) {
      const octets = literals[0];
      if (octets === undefined) continue;
      const flags = /FLAGS \(([^)]*)\)/.exec(line)?.[1] ?? "";
      messages.push({
        uid: Number(/UID (\d+)/.exec(line)?.[1]),
        flags: flags.split(" ").filter((f) => f !== "" && f !== "\\Recent").sort(),
        date: new Date(/INTERNALDATE "([^"]*)"/.exec(line)?.[1] ?? "").toISOString(),
        size: Number(/RFC822\.SIZE (\d+)/.exec(line)?.[1]),
        digest: createHash("sha1").update(octets).digest("hex"),
      });
    }
  }
  return { uidValidity: number("UIDVALIDITY"), uidNext: number("UIDNEXT"), messages: messages.sort((a, b) => a.uid - b.uid) };
}

export interface Maildrop {
  readonly sizes: readonly string[];
  readonly uidls: readonly string[];
}

/** INBOX over POP3. */
export async function maildrop(port: number, user: string, password: string): Promise<Maildrop> {
  const pop3 = await Pop3Client.login(port, user, password);
  try {
    return { sizes: await multi(pop3, "LIST"), uidls: await multi(pop3, "UIDL") };
  } finally {
    await pop3.quit();
  }
}

async function multi(pop3: Pop3Client, command: string): Promise<string[]> {
  await pop3.ok(command);
  const lines: string[] = [];
  for (;;) {
    const line = await pop3.wire.line();
    if (line === ".") return lines;
    lines.push(line);
  }
}
