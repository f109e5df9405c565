/**
 * What an mbox says of its messages in header fields, as Dovecot and UW-IMAP write them. Pure.
 *
 *     X-IMAPbase: 1795241831 0000000003 $Forwarded work     first message: UIDVALIDITY, last UID, keywords in use
 *     X-IMAP:     the same, in the pseudo message that keeps them while there is no other
 *     X-UID: 3
 *     Status: RO         R \Seen, O known to a session (not \Recent)
 *     X-Status: AFTD     \Answered \Flagged \Draft \Deleted
 *     X-Keywords: work
 *
 * They, and Content-Length, which lies as soon as anything changes, are never shown to clients nor counted, and those
 * in mail from outside are not believed but dropped. Fields are written with blanks to spare, so that most changes
 * later on fit in their place.
 */
import type { Flags } from "../mailbox.ts";

export const metadataNames = ["x-imapbase", "x-imap", "x-uid", "status", "x-status", "x-keywords", "content-length"] as const;
export type MetadataName = (typeof metadataNames)[number];

export interface MetadataField {
  readonly name: MetadataName;
  /** Octets from the start of the header, line end (and folded lines) included. */
  readonly start: number;
  readonly end: number;
  /** Without blanks around it; a folded one has its line ends. */
  readonly value: string;
}

const wanted = /^(x-imapbase|x-imap|x-uid|status|x-status|x-keywords|content-length)[ \t]*:/i;

/** Metadata fields in a header (latin1). */
export function metadataFields(header: string): MetadataField[] {
  const fields: MetadataField[] = [];
  let at = 0;
  while (at < header.length) {
    let end = lineEnd(header, at);
    const m = mayBeWanted(header, at) ? wanted.exec(header.slice(at, Math.min(end, at + 40))) : null;
    if (m !== null) {
      while (end < header.length && (header[end] === " " || header[end] === "\t")) end = lineEnd(header, end);
      fields.push({ name: (m[1] ?? "").toLowerCase() as MetadataName, start: at, end, value: header.slice(at + m[0].length, end).replace(/^[ \t]+/, "").trimEnd() });
    }
    at = end;
  }
  return fields;
}

/** By a letter or two: passes over Subject, Content-Type and nearly all X- fields. */
function mayBeWanted(header: string, at: number): boolean {
  switch (header.charCodeAt(at) | 0x20) {
    case 0x78:
      return "iusk".includes(String.fromCharCode(header.charCodeAt(at + 2) | 0x20));
    case 0x73:
      return (header.charCodeAt(at + 1) | 0x20) === 0x74;
    case 0x63:
      return (header.charCodeAt(at + 8) | 0x20) === 0x6c;
    default:
      return false;
  }
}

function lineEnd(text: string, at: number): number {
  const lf = text.indexOf("\n", at);
  return lf < 0 ? text.length : lf + 1;
}

export const fieldValue = (fields: readonly MetadataField[], name: MetadataName): string | undefined => fields.find((field) => field.name === name)?.value;

export interface Base {
  readonly uidValidity: number;
  readonly lastUid: number;
  readonly keywords: readonly string[];
  /** The last UID is one that nobody gets to: damaged, or forged. `lastUid` is 0. */
  readonly lost?: true;
}

/** UIDs that mailboxes get to. */
export const highestUid = 0x7fff_ffff - 0x10_0000;

/** Undefined for what is no base. */
export function parseBase(value: string): Base | undefined {
  const [validity, last, ...keywords] = value.split(/\s+/);
  if (!/^\d{1,10}$/.test(validity ?? "") || !/^\d{1,10}$/.test(last ?? "")) return undefined;
  const uidValidity = Number(validity);
  const lastUid = Number(last);
  if (uidValidity === 0 || uidValidity > 0xffffffff) return undefined;
  return lastUid > highestUid ? { uidValidity, lastUid: 0, keywords, lost: true } : { uidValidity, lastUid, keywords };
}

export interface State {
  readonly flags: Flags;
  /** Some session was told of it. */
  readonly old: boolean;
}

const seen = "\\Seen";
const statusLetters = [
  ["A", "\\Answered"],
  ["F", "\\Flagged"],
  ["T", "\\Draft"],
  ["D", "\\Deleted"],
] as const;

/**
 * Letters count in whatever field of the name they are; of X-Keywords the first counts, and only when every word in it is a keyword of the
 * mailbox: otherwise it came with the message from outside.
 *
 * @param spell the spelling this mailbox has for a keyword; undefined when it has none
 */
export function parseState(fields: readonly MetadataField[], spell: (keyword: string) => string | undefined): State {
  let status = "";
  let more = "";
  for (const { name, value } of fields) {
    if (name === "status") status += value;
    else if (name === "x-status") more += value;
  }
  const flags = new Set<string>();
  if (status.includes("R")) flags.add(seen);
  for (const [letter, flag] of statusLetters) if (more.includes(letter)) flags.add(flag);
  const words = fieldValue(fields, "x-keywords");
  if (words !== undefined && words !== "") {
    const keywords = words.split(/\s+/).map(spell);
    if (!keywords.includes(undefined)) for (const keyword of keywords) flags.add(keyword ?? "");
  }
  return { flags, old: status.includes("O") };
}

/** X-UID of a message, 0 when it has none that can be one. */
export const parseUid = (fields: readonly MetadataField[]): number => Number(/^\d{1,10}$/.exec(fieldValue(fields, "x-uid") ?? "")?.[0] ?? 0);

/** Blanks to spare that the last of our fields gets when it is written anew, as many as Dovecot gives it. */
const spare = 50;

const digits = (n: number): string => String(n).padStart(10, "0");

/** X-IMAPbase, or X-IMAP of the pseudo message, without its line end. */
export function baseLine(name: "X-IMAPbase" | "X-IMAP", base: Base): string {
  return `${name}: ${base.uidValidity} ${digits(base.lastUid)}${base.keywords.map((keyword) => ` ${keyword}`).join("")}`;
}

function letters(state: State): { status: string; more: string; keywords: string } {
  return {
    status: `${state.flags.has(seen) ? "R" : ""}${state.old ? "O" : ""}`,
    more: statusLetters.map(([letter, flag]) => (state.flags.has(flag) ? letter : "")).join(""),
    keywords: [...state.flags].filter((flag) => !flag.startsWith("\\")).join(" "),
  };
}

/**
 * What a header is to say of a message; with `base` it is the first one. UID 0 leaves X-UID out, with room for it: an X-UID without a number is a
 * broken one to Dovecot, which with mbox_dirty_syncs then begins anew, even where it has moved half of the messages behind one that it expunges.
 */
export interface Metadata {
  readonly uid: number;
  readonly state: State;
  readonly base: Base | undefined;
}

const uidLine = (uid: number): string => `X-UID: ${String(uid).padEnd(10)}\n`;

/** Fields with room for every later change but many keywords. */
function roomy({ uid, state, base }: Metadata): string {
  const { status, more, keywords } = letters(state);
  const first = base === undefined ? "" : `${baseLine("X-IMAPbase", base)}\n`;
  return `${first}${uid === 0 ? "" : uidLine(uid)}Status: ${status.padEnd(2)}\nX-Status: ${more.padEnd(4)}\nX-Keywords: ${keywords}`;
}

/** Only what says something. */
function short({ uid, state, base }: Metadata): string {
  const { status, more, keywords } = letters(state);
  const first = base === undefined ? "" : `${baseLine("X-IMAPbase", base)}\n`;
  return `${first}X-UID: ${uid}\nStatus: ${status}${more === "" ? "" : `\nX-Status: ${more}`}${keywords === "" ? "" : `\nX-Keywords: ${keywords}`}`;
}

/** With room to spare; of the first message for keywords that the mailbox gets, too. */
export const formatMetadata = (metadata: Metadata): string => `${roomy(metadata)}${" ".repeat((metadata.base === undefined ? spare : 3 * spare) + (metadata.uid === 0 ? uidLine(0).length : 0))}\n`;

/** The same in exactly `octets`, or undefined when that is too few: first with every field, then with those that say something. */
export function fitMetadata(metadata: Metadata, octets: number): string | undefined {
  for (const form of [roomy, short]) {
    const text = form(metadata).trimEnd();
    if (text.length < octets) return `${text.padEnd(octets - 1)}\n`;
  }
  return undefined;
}

/** X-IMAP of the pseudo message in exactly `octets`, or with room to spare; undefined when it does not fit. */
export function pseudoBase(base: Base, octets?: number): string | undefined {
  const line = baseLine("X-IMAP", base);
  return line.length < (octets ?? Infinity) ? `${line.padEnd(octets === undefined ? line.length + spare : octets - 1)}\n` : undefined;
}

/**
 * Where our fields stand in a header, from the first to the last of them, and the lines of others between. Content-Length is ours to drop
 * where it is not believed: a later message could make it seem right.
 */
export interface Room {
  readonly start: number;
  readonly end: number;
  readonly others: string;
}

/**
 * @param header  latin1, up to its empty line
 * @param counted Content-Length is right
 * @returns a room without octets, at the end of the header, when there are no fields of ours
 */
export function roomOf(header: string, fields: readonly MetadataField[], counted: boolean): Room {
  const own = fields.filter(({ name }) => name !== "content-length" || !counted);
  const first = own[0];
  const last = own.at(-1);
  if (first === undefined || last === undefined) return { start: header.length, end: header.length, others: "" };
  let others = "";
  let at = first.start;
  for (const field of own) {
    others += header.slice(at, field.start);
    at = field.end;
  }
  return { start: first.start, end: last.end, others };
}
