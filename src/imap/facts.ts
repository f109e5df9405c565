/**
 * The facts of a message: what clients ask for of many messages at once, kept ready to send. A store keeps them as octets that it does not
 * understand (store/mailbox.ts `facts`); they are made once and read many times, so reading parses nothing and copies nothing.
 *
 *     0  u8   layout; another number reads as no facts
 *     1  u8   1: the fields are all of the header; 2: the subject says reply or forward; 4: there is a sent date; 8: made of the header alone
 *     2  i16  minutes east of UTC of the sent date
 *     4  u32  octets of the message; 0 where they were made of the header alone
 *     8  u32  octets of its header, empty line included
 *    12  f64  sent date, ms since the epoch
 *    20  u32  one for each section: where it ends, counted from the start; the last is the length of all
 *
 * and the sections one behind the other. Numbers are little-endian. An empty section is one that is not kept, because it would be too
 * long: its reader opens the message.
 */
import { envelope } from "../message/envelope.ts";
import type { Header } from "../message/header.ts";
import { toCrlf } from "../message/line-ends.ts";
import { mimeLimits, scanMime, type Part } from "../message/mime.ts";
import { ownId, references } from "../message/message-id.ts";
import { sorted, type SortKeys } from "../message/sort-keys.ts";
import { headerLength, packFields, wholeHeader } from "./facts-fields.ts";
import { hashId, idOctets } from "./facts-ids.ts";
import { withoutNul } from "./nul.ts";
import { printBody, type LineEnds } from "./respond-body.ts";
import { printEnvelope } from "./respond-envelope.ts";

const layout = 3;

/** In their order. */
export const section = { keys: 0, ids: 1, envelope: 2, body: 3, bodyStructure: 4, fields: 5 } as const;
export type FactsSection = (typeof section)[keyof typeof section];

const sections = 6;
const ends = 20;
/** Where the first section begins. */
const start = ends + 4 * sections;

/** Longest section kept. */
const sectionLimit = 16_384;
/** Octets of a sort key that count. */
const keyLimit = 1000;
/** References that count, from the last one back. */
const referenceLimit = 1000;

export const keyNames = ["subject", "from", "to", "cc", "displayFrom", "displayTo"] as const satisfies readonly (keyof SortKeys)[];
export type KeyName = (typeof keyNames)[number];

/** A message that was scanned, and how. */
interface Scanned {
  readonly part: Part;
  readonly ends: LineEnds;
}

/** @param octets all of a message, with CRLF. Never throws. */
export const makeFacts = (octets: Buffer): Buffer => Buffer.from(factsOf(scanMime(withoutNul(octets))));

// What those below return is good until the next facts are made, of whatever message: who keeps them takes a copy.

/** As `makeFacts`, of a message that was scanned already, with lines counted, and holds no NUL. */
export const factsOf = (part: Part): Buffer => pack(part.header, { part, ends: "crlf" });

/** As `makeFacts`, whether lines end with LF or CRLF. */
export function storedFacts(octets: Buffer): Buffer {
  const scanned = scanStored(octets);
  return pack(scanned.part.header, scanned);
}

/** Facts without BODY and BODYSTRUCTURE, for who does not want to read all of a message. They are the same whether lines end with LF or CRLF. */
export const headFacts = (header: Header): Buffer => pack(header, undefined);

/**
 * Facts of the header alone with what they lack: as `makeFacts` of all of the message.
 *
 * @param message its octets, whether lines end with LF or CRLF, or what was scanned of them as for `factsOf`
 */
export function completed(facts: Buffer, message: Buffer | Part): Buffer {
  if (facts.buffer === room.buffer) return completed(Buffer.from(facts), message);
  const scanned: Scanned = Buffer.isBuffer(message) ? scanStored(message) : { part: message, ends: "crlf" };
  const bodyAt = sectionEnd(facts, section.envelope);
  facts.copy(room, 0, 0, bodyAt);
  room[1] = (facts[1] ?? 0) & ~bits.headOnly;
  room.writeUInt32LE(sizeOf(scanned), 4);
  const fieldsAt = packBody(scanned, bodyAt);
  const end = endAt(section.fields, fieldsAt + facts.copy(room, fieldsAt, sectionStart(facts, section.fields), sectionEnd(facts, section.fields)));
  return room.subarray(0, end);
}

/** Where there is no CR every LF stands for a CRLF, and no copy is needed to know how long each part is with it. */
function scanStored(octets: Buffer): Scanned {
  const clean = withoutNul(octets);
  if (clean.includes(0x0d)) return { part: scanMime(toCrlf(clean)), ends: "crlf" };
  return { part: scanMime(clean, 0, clean.length, { ...mimeLimits, lines: "all" }), ends: "lf" };
}

/** Octets of the message with CRLF. */
function sizeOf({ part, ends }: Scanned): number {
  const octets = part.bodyEnd - part.headerStart;
  return ends === "crlf" ? octets : octets + part.header.bare + part.lines;
}

const bits = { whole: 1, reply: 2, sent: 4, headOnly: 8 } as const;

/** Facts are put together here; no section is longer than `sectionLimit`. */
const room = Buffer.allocUnsafeSlow(start + sections * sectionLimit);

function pack(header: Header, message: Scanned | undefined): Buffer {
  const e = envelope(header);
  const { keys, reply, sent } = sorted(header, e);
  room[0] = layout;
  room[1] = (wholeHeader(header) ? bits.whole : 0) | (reply ? bits.reply : 0) | (sent === undefined ? 0 : bits.sent) | (message === undefined ? bits.headOnly : 0);
  room.writeInt16LE(sent?.offset ?? 0, 2);
  room.writeUInt32LE(message === undefined ? 0 : sizeOf(message), 4);
  room.writeUInt32LE(headerLength(header), 8);
  room.writeDoubleLE(sent?.time ?? 0, 12);
  let at = endAt(section.keys, packKeys(keys, start));
  at = endAt(section.ids, packIds(ownId(header), references(header), at));
  at = endAt(section.envelope, packText(printEnvelope(e), at));
  at = packBody(message, at);
  at = endAt(section.fields, packFields(header, room, at, sectionLimit));
  return room.subarray(0, at);
}

/** BODY and BODYSTRUCTURE. Returns where they end. */
function packBody(message: Scanned | undefined, at: number): number {
  const print = (extensible: boolean, from: number): number => (message === undefined ? from : packText(printBody(message.part, extensible, message.ends), from));
  return endAt(section.bodyStructure, print(true, endAt(section.body, print(false, at))));
}

function endAt(which: FactsSection, end: number): number {
  const at = ends + 4 * which;
  room[at] = end;
  room[at + 1] = end >>> 8;
  room[at + 2] = end >>> 16;
  room[at + 3] = end >>> 24;
  return end;
}

/** Shorter texts are put octet by octet for less than it takes to call who writes them at once. */
const shortText = 512;

/** Text of a response, or nothing when it is too long. Returns where it ends. */
function packText(text: string, at: number): number {
  const { length } = text;
  if (length > sectionLimit) return at;
  if (length > shortText) return at + room.write(text, at, "latin1");
  for (let i = 0; i < length; i++) room[at + i] = text.charCodeAt(i);
  return at + length;
}

/** For each of `keyNames` its length in two octets, and it. */
function packKeys(keys: SortKeys, from: number): number {
  let at = from;
  for (const name of keyNames) {
    const key = keys[name];
    const length = key === "" ? 0 : room.write(key, at + 2, keyLimit, "utf8");
    room[at] = length;
    room[at + 1] = length >>> 8;
    at += 2 + length;
  }
  return at;
}

/** Own identifier (zeros where there is none) and references, `idOctets` each. */
function packIds(own: string | undefined, refs: readonly string[], from: number): number {
  if (own === undefined) room.fill(0, from, from + idOctets);
  else hashId(own, room, from);
  let at = from + idOctets;
  for (let i = Math.max(0, refs.length - referenceLimit); i < refs.length; i++, at += idOctets) hashId(refs[i] ?? "", room, at);
  return at;
}

const u32 = (octets: Buffer, at: number): number => ((octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8) | ((octets[at + 2] ?? 0) << 16) | ((octets[at + 3] ?? 0) << 24)) >>> 0;

/** Whether these are facts of this layout, whole. All below is for those that are. */
export function areFacts(octets: Buffer): boolean {
  if (octets[0] !== layout || octets.length < start || u32(octets, ends + 4 * (sections - 1)) !== octets.length) return false;
  let before: number = start;
  for (let at = ends; at < start; at += 4) {
    const end = u32(octets, at);
    if (end < before) return false;
    before = end;
  }
  return true;
}

/** Where a section begins and ends: equal where it is not kept. */
export const sectionStart = (facts: Buffer, which: FactsSection): number => (which === 0 ? start : u32(facts, ends + 4 * which - 4));
export const sectionEnd = (facts: Buffer, which: FactsSection): number => u32(facts, ends + 4 * which);

export const hasSection = (facts: Buffer, which: FactsSection): boolean => sectionStart(facts, which) < sectionEnd(facts, which);

/** The whole header is in the fields. */
export const hasHeader = (facts: Buffer): boolean => ((facts[1] ?? 0) & bits.whole) !== 0;
/** Made by `headFacts`: a look at the whole message gives more. */
export const ofHeadOnly = (facts: Buffer): boolean => ((facts[1] ?? 0) & bits.headOnly) !== 0;
/** The subject says so (RFC 5256 §3 THREAD). */
export const isReply = (facts: Buffer): boolean => ((facts[1] ?? 0) & bits.reply) !== 0;

/** RFC822.SIZE. */
export const messageSize = (facts: Buffer): number => u32(facts, 4);
/** Where the body begins. */
export const headerSize = (facts: Buffer): number => u32(facts, 8);

/** ms since the epoch; undefined when the message has no Date that can be read. */
export const sentTime = (facts: Buffer): number | undefined => (((facts[1] ?? 0) & bits.sent) === 0 ? undefined : facts.readDoubleLE(12));
/** Minutes east of UTC of the clock it was written by. */
export const sentOffset = (facts: Buffer): number => facts.readInt16LE(2);

/** A sort key, one character per octet of its UTF-8, so that `<` compares octets as i;octet does. */
export function sortKey(facts: Buffer, name: KeyName): string {
  let at = sectionStart(facts, section.keys);
  for (const n of keyNames) {
    const length = (facts[at] ?? 0) | ((facts[at + 1] ?? 0) << 8);
    at += 2;
    if (n === name) return facts.toString("latin1", at, at + length);
    at += length;
  }
  return "";
}
