/**
 * The TRANSACTION state of POP3 as values: a command line in, a reply or an errand out. RFC 1939 §5, §7; RFC 2449. Pure: what needs
 * the store is an errand that serve.ts runs.
 */
import type { Message } from "../../store/mailbox.ts";
import { commandLine, number, words } from "../../pop3/command.ts";
import { err, list, ok, type Reply } from "../../pop3/reply.ts";

/** One message of the maildrop as it was when the session began; its number is its place, from 1. */
export interface Drop {
  readonly message: Message;
  /** Octets with CRLF. */
  readonly size: number;
}

/** Plain data: all a session knows. */
export interface Transaction {
  readonly drops: readonly Drop[];
  /** Indexes into `drops`. */
  readonly deleted: Set<number>;
  /** Indexes of messages sent whole; QUIT and the end of the connection set \Seen on them. */
  readonly retrieved: Set<number>;
  readonly sent: { top: number; topOctets: number; retr: number; retrOctets: number };
  /** Commands in a row that were none. */
  bad: number;
}

/** `lines` undefined: RETR, the whole message. uidl: unique-ids are to be found for `uniqueIdListing`. */
export type Errand =
  | { readonly kind: "send"; readonly index: number; readonly lines: number | undefined }
  | { readonly kind: "uidl"; readonly which: string | undefined }
  | { readonly kind: "update" };

/** What comes of a command: a reply; something to be done that makes the reply; a reply and the end. */
export type Step = { readonly do: "reply"; readonly reply: Reply } | { readonly do: "errand"; readonly errand: Errand } | { readonly do: "close"; readonly reply: Reply; readonly why: string };

export const transaction = (drops: readonly Drop[]): Transaction => ({
  drops,
  deleted: new Set(),
  retrieved: new Set(),
  sent: { top: 0, topOctets: 0, retr: 0, retrOctets: 0 },
  bad: 0,
});

/** Bad commands in a row after which the connection is closed: whoever is there does not speak POP3. */
export const badCommandLimit = 20;

type Command = (t: Transaction, args: readonly string[]) => Step;

const reply = (r: Reply): Step => ({ do: "reply", reply: r });
const refuse = (text: string): Step => reply(err(text));

/** Every command and how many arguments it takes, least and most. */
const commands: ReadonlyMap<string, { readonly args: readonly [least: number, most: number]; readonly run: Command }> = new Map([
  ["STAT", { args: [0, 0], run: stat }],
  ["LIST", { args: [0, 1], run: listing }],
  ["RETR", { args: [1, 1], run: retr }],
  ["DELE", { args: [1, 1], run: dele }],
  ["NOOP", { args: [0, 0], run: () => reply(ok()) }],
  ["RSET", { args: [0, 0], run: rset }],
  ["TOP", { args: [2, 2], run: top }],
  ["UIDL", { args: [0, 1], run: uidl }],
  ["CAPA", { args: [0, 0], run: () => reply(list("", capabilities)) }],
  ["QUIT", { args: [0, 0], run: () => ({ do: "errand", errand: { kind: "update" } }) }],
]);

/** CAPA in this state. RFC 2449 §5, §6; USER, SASL and STLS are over. */
const capabilities = ["TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "IMPLEMENTATION Posthorn"] as const;

/** Commands of the other state, or of the past: known, and no sign of a client that babbles. LAST: RFC 1460, RPOP: RFC 1081. */
const elsewhere = new Set(["USER", "PASS", "APOP", "AUTH", "STLS", "LAST", "RPOP", "XTND", "UTF8", "LANG"]);

/** Runs one command line (without its line end) against the session. Never throws. */
export function command(t: Transaction, line: Buffer): Step {
  const { keyword, argument } = commandLine(line);
  const found = commands.get(keyword);
  if (found === undefined) return elsewhere.has(keyword) ? refuse(`${keyword} is not available now.`) : bad(t, "Unknown command.");
  t.bad = 0;
  const args = words(argument);
  const [least, most] = found.args;
  if (args.length < least) return refuse("Missing argument.");
  if (args.length > most) return refuse("Too many arguments.");
  return found.run(t, args);
}

/** A line that is no command, or was too long to be one. */
export function bad(t: Transaction, text: string): Step {
  if (++t.bad >= badCommandLimit) return { do: "close", reply: err("Too many bad commands."), why: "Too many bad commands" };
  return refuse(text);
}

/** STAT. RFC 1939 §5: messages marked as deleted count in neither total. */
function stat(t: Transaction): Step {
  let count = 0;
  let octets = 0;
  t.drops.forEach((d, i) => {
    if (t.deleted.has(i)) return;
    count++;
    octets += d.size;
  });
  return reply(ok(`${count} ${octets}`));
}

/** LIST [msg]. RFC 1939 §5. */
function listing(t: Transaction, [which]: readonly string[]): Step {
  return reply(scan(t, which, ({ size }) => String(size), (count) => `${count} messages:`));
}

/** UIDL [msg]. RFC 1939 §7. */
function uidl(_: Transaction, [which]: readonly string[]): Step {
  return { do: "errand", errand: { kind: "uidl", which } };
}

/** What UIDL is answered. @param ids of the messages by their places */
export const uniqueIdListing = (t: Transaction, ids: readonly string[], which: string | undefined): Reply => scan(t, which, (_, index) => ids[index] ?? "", () => "");

function scan(t: Transaction, which: string | undefined, show: (d: Drop, index: number) => string, title: (count: number) => string): Reply {
  if (which !== undefined) {
    const found = live(t, which);
    return typeof found === "string" ? err(found) : ok(`${found.index + 1} ${show(found.drop, found.index)}`);
  }
  const lines = t.drops.flatMap((d, i) => (t.deleted.has(i) ? [] : [`${i + 1} ${show(d, i)}`]));
  return list(title(lines.length), lines);
}

/** RETR msg. RFC 1939 §5. */
function retr(t: Transaction, [which]: readonly string[]): Step {
  const found = live(t, which);
  return typeof found === "string" ? refuse(found) : { do: "errand", errand: { kind: "send", index: found.index, lines: undefined } };
}

/** TOP msg n. RFC 1939 §7: both arguments must be there. */
function top(t: Transaction, [which, count]: readonly string[]): Step {
  const found = live(t, which);
  if (typeof found === "string") return refuse(found);
  const lines = number(count);
  return lines === undefined ? refuse("Invalid number of lines.") : { do: "errand", errand: { kind: "send", index: found.index, lines } };
}

/** DELE msg. RFC 1939 §5: only marks the message; QUIT removes it (§6). */
function dele(t: Transaction, [which]: readonly string[]): Step {
  const found = live(t, which);
  if (typeof found === "string") return refuse(found);
  t.deleted.add(found.index);
  return reply(ok("Marked to be deleted."));
}

/** RSET. RFC 1939 §5. */
function rset(t: Transaction): Step {
  t.deleted.clear();
  return reply(ok());
}

/** A message by number, or what is wrong with it: one marked as deleted can not be named (RFC 1939 §5). */
function live(t: Transaction, word: string | undefined): { readonly index: number; readonly drop: Drop } | string {
  const n = number(word);
  if (n === undefined || n === 0) return "Invalid message number.";
  const drop = t.drops[n - 1];
  if (drop === undefined) return `There's no message ${n}.`;
  return t.deleted.has(n - 1) ? "Message is deleted." : { index: n - 1, drop };
}

/** "top=0/0, retr=1/512, del=0/1, size=512": pop3_logout_format of Dovecot. `removed`: how many messages this session expunged. */
export function summary(t: Transaction, removed: number): string {
  const { top: tops, topOctets, retr: retrs, retrOctets } = t.sent;
  const size = t.drops.reduce((sum, d) => sum + d.size, 0);
  return `top=${tops}/${topOctets}, retr=${retrs}/${retrOctets}, del=${removed}/${t.drops.length}, size=${size}`;
}
