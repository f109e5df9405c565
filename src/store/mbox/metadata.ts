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
  readonly value: string;
}

const wanted = /^(x-imapbase|x-imap|x-uid|status|x-status|x-keywords|content-length)[ \t]*:/i;

/** Metadata fields in a header (latin1). */
export function metadataFields(header: string): MetadataField[] {
  const fields: MetadataField[] = [];
  let at = 0;
  while (at < header.length) {
    let end = lineEnd(header, at);
    // Only these two first letters can begin a name we want.
    const first = header.charCodeAt(at) | 0x20;
    const m = first === 0x78 || first === 0x73 || first === 0x63 ? wanted.exec(header.slice(at, Math.min(end, at + 40))) : null;
    if (m !== null) {
      while (end < header.length && (header[end] === " " || header[end] === "\t")) end = lineEnd(header, end);
      fields.push({ name: (m[1] ?? "").toLowerCase() as MetadataName, start: at, end, value: header.slice(at + m[0].length, end).replace(/\r?\n/g, " ").trim() });
    }
    at = end;
  }
  return fields;
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
}

/** Undefined for what is no base, and for a last UID nobody reaches but by forging. */
export function parseBase(value: string): Base | undefined {
  const [validity, last, ...keywords] = value.split(/\s+/);
  if (!/^\d{1,10}$/.test(validity ?? "") || !/^\d{1,10}$/.test(last ?? "")) return undefined;
  const uidValidity = Number(validity);
  const lastUid = Number(last);
  return uidValidity > 0 && uidValidity <= 0xffffffff && lastUid <= 0x7fffffff ? { uidValidity, lastUid, keywords } : undefined;
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

/** @param spell the spelling this mailbox has for a keyword */
export function parseState(fields: readonly MetadataField[], spell: (keyword: string) => string): State {
  const status = fieldValue(fields, "status") ?? "";
  const more = fieldValue(fields, "x-status") ?? "";
  const flags = new Set<string>();
  if (status.includes("R")) flags.add(seen);
  for (const [letter, flag] of statusLetters) if (more.includes(letter)) flags.add(flag);
  for (const keyword of (fieldValue(fields, "x-keywords") ?? "").split(/\s+/)) if (keyword !== "" && !keyword.startsWith("\\")) flags.add(spell(keyword));
  return { flags, old: status.includes("O") };
}

/** Blanks a new X-Keywords and a new X-IMAPbase have to spare. */
const spare = 40;

const digits = (n: number): string => String(n).padStart(10, "0");

/** Value of X-IMAPbase, padded to `width` where that is given and enough; with room to spare otherwise. */
export function formatBase(name: "X-IMAPbase" | "X-IMAP", base: Base): string {
  const value = `${base.uidValidity} ${digits(base.lastUid)}${base.keywords.map((keyword) => ` ${keyword}`).join("")}`;
  return `${name}: ${value}${" ".repeat(spare)}\n`;
}

/** The same field in exactly `octets`, or undefined when that is too few. */
export function fitBase(name: "X-IMAPbase" | "X-IMAP", base: Base, octets: number): string | undefined {
  const line = formatBase(name, base).trimEnd();
  return line.length < octets ? `${line.padEnd(octets - 1)}\n` : undefined;
}

function letters(state: State): { status: string; more: string; keywords: string } {
  return {
    status: `${state.flags.has(seen) ? "R" : ""}${state.old ? "O" : ""}`,
    more: statusLetters.map(([letter, flag]) => (state.flags.has(flag) ? letter : "")).join(""),
    keywords: [...state.flags].filter((flag) => !flag.startsWith("\\")).join(" "),
  };
}

/** X-UID, Status, X-Status, X-Keywords with room for every later change but many keywords. UID 0 leaves X-UID blank, to be filled in. */
export function formatMetadata(uid: number, state: State): string {
  const { status, more, keywords } = letters(state);
  return `X-UID: ${(uid === 0 ? "" : String(uid)).padEnd(10)}\nStatus: ${status.padEnd(2)}\nX-Status: ${more.padEnd(4)}\nX-Keywords: ${keywords}${" ".repeat(spare)}\n`;
}

/** The same in exactly `octets`, or undefined when that is too few: first with every field, then with those that say something. */
export function fitMetadata(uid: number, state: State, octets: number): string | undefined {
  const full = formatMetadata(uid, state).trimEnd();
  if (full.length < octets) return `${full.padEnd(octets - 1)}\n`;
  const { status, more, keywords } = letters(state);
  const short = `X-UID: ${uid}\nStatus: ${status}${more === "" ? "" : `\nX-Status: ${more}`}${keywords === "" ? "" : `\nX-Keywords: ${keywords}`}`;
  return short.length < octets ? `${short.padEnd(octets - 1)}\n` : undefined;
}

/** Where X-UID, Status, X-Status and X-Keywords stand in one run without other fields between; undefined otherwise. */
export function metadataBlock(fields: readonly MetadataField[]): { readonly start: number; readonly end: number } | undefined {
  const own = fields.filter(({ name }) => name === "x-uid" || name === "status" || name === "x-status" || name === "x-keywords");
  const first = own[0];
  const last = own.at(-1);
  if (first === undefined || last === undefined || new Set(own.map(({ name }) => name)).size !== own.length) return undefined;
  const together = own.every((field, i) => i === 0 || own[i - 1]?.end === field.start);
  return together ? { start: first.start, end: last.end } : undefined;
}
