/**
 * Header fields in facts: raw, in the order of the message, so that BODY[HEADER.FIELDS (...)] is answered octet for octet. A short header is
 * kept whole, of others the fields that clients ask for in lists of messages.
 *
 *     u16  how many fields
 *     u32  for each: its number in `kept` plus one (0: another), and from bit 8 its length in octets
 *          the fields; behind those of a whole header what ends it
 */
import { fieldName, type Field, type Header } from "../message/header.ts";

/** Lower case. Those of Thunderbird, Apple Mail, mutt, Roundcube, K-9 Mail, mbsync, and of the envelope. */
export const kept = [
  ...["date", "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "message-id", "in-reply-to", "references", "newsgroups", "followup-to", "lines"],
  ...["mime-version", "content-type", "content-transfer-encoding", "content-description", "content-disposition", "content-language", "content-class"],
  ...["list-id", "list-post", "list-subscribe", "list-unsubscribe", "list-unsubscribe-post", "list-help", "list-archive", "list-owner"],
  ...["priority", "x-priority", "importance", "precedence", "x-msmail-priority", "auto-submitted", "organization", "user-agent", "x-mailer", "return-path", "delivered-to"],
  ...["mail-followup-to", "mail-reply-to", "disposition-notification-to", "return-receipt-to", "resent-from", "resent-to", "resent-date", "resent-message-id"],
  ...["x-label", "x-keywords", "x-spam-flag", "x-spam-status", "x-spam-level", "x-draft-info", "x-tuid", "x-uniform-type-identifier", "x-universally-unique-identifier", "x-k9mail-identity", "chat-version", "autocrypt-setup-message"],
] as const;

/** Headers up to here are kept whole. */
const wholeLimit = 2048;

const numbers: ReadonlyMap<string, number> = new Map(kept.map((name, i) => [name, i + 1]));

/** 0 for a field that is kept only with the whole header. @param key  its name in lower case */
const numberOf = (key: string): number => numbers.get(key) ?? 0;

/** Octets with CRLF. */
export const headerLength = (header: Header): number => header.bodyStart - header.start + header.bare;

export const wholeHeader = (header: Header): boolean => header.closed && headerLength(header) <= wholeLimit;

/**
 * Puts them at `at`, or nothing when they would be longer than `limit`, and of a header without empty line, whose fields are told without one
 * (RFC 3501 §6.4.5).
 *
 * @returns where they end
 */
export function packFields(header: Header, into: Buffer, at: number, limit: number): number {
  if (!header.closed) return at;
  const whole = wholeHeader(header);
  const taken: Field[] = [];
  let entry = at + 2;
  for (const f of header.fields) {
    const number = numberOf(f.key);
    if (!whole && number === 0) continue;
    taken.push(f);
    if (2 + 4 * taken.length > limit) return at;
    into[entry] = number;
    entry += 4;
  }
  into.writeUInt16LE(taken.length, at);
  let to = entry;
  entry = at + 2;
  for (const f of taken) {
    const length = f.end - f.start + (header.bare === 0 ? 0 : bareIn(header.octets, f));
    if (to - at + length > limit) return at;
    into[entry + 1] = length;
    into[entry + 2] = length >>> 8;
    into[entry + 3] = length >>> 16;
    entry += 4;
    to = copied(header.octets, f.start, f.end, into, to, length);
  }
  return whole ? copied(header.octets, header.fieldsEnd, header.bodyStart, into, to, 2) : to;
}

/** LFs without a CR before them. */
function bareIn(octets: Buffer, f: Field): number {
  if (!f.folded) return octets[f.end - 1] === 0x0a && octets[f.end - 2] !== 0x0d ? 1 : 0;
  let bare = 0;
  for (let i = f.start; i < f.end; i++) if (octets[i] === 0x0a && octets[i - 1] !== 0x0d) bare++;
  return bare;
}

/** Copies octets that have this length with CRLF as such. @returns where they end */
function copied(octets: Buffer, from: number, to: number, into: Buffer, at: number, length: number): number {
  if (length === to - from) return at + octets.copy(into, at, from, to);
  let end = at;
  for (let i = from; i < to; i++) {
    const octet = octets[i] ?? 0;
    if (octet === 0x0a && octets[i - 1] !== 0x0d) into[end++] = 0x0d;
    into[end++] = octet;
  }
  return end;
}

/** What a list of field names asks for, looked up once for many messages. */
export interface FieldChoice {
  /** By number: 1 where the field is named. */
  readonly named: Uint8Array;
  /** Names that have no number. Lower case. */
  readonly others: ReadonlySet<string>;
  /** HEADER.FIELDS.NOT */
  readonly not: boolean;
}

export function fieldChoice(names: readonly string[], not = false): FieldChoice {
  const named = new Uint8Array(256);
  const others = new Set<string>();
  for (const name of names) {
    const key = name.toLowerCase();
    const n = numberOf(key);
    if (n > 0) named[n] = 1;
    else others.add(key);
  }
  return { named, others, not };
}

/** Whether it can be answered from fields that are not the whole header. */
export const needsWhole = (choice: FieldChoice): boolean => choice.not || choice.others.size > 0;

const lengthAt = (facts: Buffer, at: number): number => (facts[at + 1] ?? 0) | ((facts[at + 2] ?? 0) << 8) | ((facts[at + 3] ?? 0) << 16);

/**
 * The chosen fields as runs of octets: pairs of start and end in `facts`, neighbours joined.
 *
 * @param from  start of the section
 * @param runs  filled from its start, emptied first; the caller's, to be used again
 */
export function chosenRuns(facts: Buffer, from: number, choice: FieldChoice, runs: number[]): void {
  runs.length = 0;
  const table = fieldsStart(facts, from);
  let at = table;
  for (let entry = from + 2; entry < table; entry += 4) {
    const end = fieldEnd(facts, at, entry);
    if (isChosen(facts, at, end, entry, choice)) {
      if (runs.length > 0 && runs[runs.length - 1] === at) runs[runs.length - 1] = end;
      else runs.push(at, end);
    }
    at = end;
  }
}

/** Where the field of a table entry ends, which begins at `at`: a length announced to a client must be there to send, whatever the table says. */
const fieldEnd = (facts: Buffer, at: number, entry: number): number => Math.min(facts.length, at + lengthAt(facts, entry));

function isChosen(facts: Buffer, at: number, end: number, entry: number, { named, others, not }: FieldChoice): boolean {
  const n = facts[entry] ?? 0;
  return (n > 0 ? named[n] === 1 : others.size > 0 && others.has(nameAt(facts, at, end))) !== not;
}

/** "" where there is no colon in the first line, as message/header.ts has it. Lower case. */
const nameAt = (facts: Buffer, start: number, end: number): string => facts.toString("latin1", start, nameEnd(facts, start, end).to).toLowerCase();

/** Where the name ends, and where the value begins: both `start` for a line that has no name. */
function nameEnd(facts: Buffer, start: number, end: number): { readonly to: number; readonly value: number } {
  let at = start;
  while (at < end && facts[at] !== 0x3a && facts[at] !== 0x0a) at++;
  if (at >= end || facts[at] !== 0x3a || at === start) return { to: start, value: start };
  const value = at + 1;
  while (at > start && (facts[at - 1] === 0x20 || facts[at - 1] === 0x09)) at--;
  return { to: at, value };
}

/** Where the octets of the fields begin: with a whole header, where it begins. */
export const fieldsStart = (facts: Buffer, from: number): number => Math.min(facts.length, from + 2 + 4 * ((facts[from] ?? 0) | ((facts[from + 1] ?? 0) << 8)));

/** The chosen fields as a header of their own, for who looks into their values. Its octets are the facts. */
export function chosenHeader(facts: Buffer, from: number, to: number, choice: FieldChoice): Header {
  const fields: Field[] = [];
  const table = fieldsStart(facts, from);
  let end = table;
  for (let entry = from + 2; entry < table; entry += 4) {
    const start = end;
    end = fieldEnd(facts, start, entry);
    if (!isChosen(facts, start, end, entry, choice)) continue;
    const { to: nameTo, value } = nameEnd(facts, start, end);
    const lineEnd = facts.indexOf(0x0a, start);
    const { name, key } = fieldName(facts, start, nameTo);
    fields.push({ name, key, start, valueStart: value, end, folded: lineEnd >= 0 && lineEnd + 1 < end });
  }
  return { octets: facts, fields, start: table, fieldsEnd: to, bodyStart: to, closed: true, bare: 0 };
}
