/**
 * Records of the cache file, pure but for `appendRecords`:
 *
 *     u32 magic, u32 CRC-32 of what follows, u32 length of the facts, u32 length of the key, the key, the facts
 *
 * They are added at the end by whoever has some, each batch by one write in append mode and without a lock. A record that was not finished is
 * passed over: the next one is found by its magic and believed for its checksum.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { crc32 } from "node:zlib";
import { writeFully } from "../durable.ts";

/** What names a message in its store for life, and the facts of it: octets of whoever made them. */
export interface FactsRecord {
  readonly key: Buffer;
  readonly facts: Buffer;
}

const magic = Buffer.from("PHF1", "latin1");
const magicNumber = magic.readUInt32LE(0);
export const recordHead = 16;
/** Larger facts are not kept. */
export const factsLimit = 1 << 20;
const keyLimit = 4096;
export const recordLimit = recordHead + keyLimit + factsLimit;

const u32 = (octets: Buffer, at: number): number => ((octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8) | ((octets[at + 2] ?? 0) << 16) | ((octets[at + 3] ?? 0) << 24)) >>> 0;

/** Octets of a record. */
export const recordLength = (key: Buffer, facts: Buffer): number => recordHead + key.length + facts.length;

/** Puts a record where there is room for it. Returns where it ends. */
export function putRecord(into: Buffer, at: number, key: Buffer, facts: Buffer): number {
  into.writeUInt32LE(magicNumber, at);
  into.writeUInt32LE(facts.length, at + 8);
  into.writeUInt32LE(key.length, at + 12);
  const factsAt = at + recordHead + key.copy(into, at + recordHead);
  const end = factsAt + facts.copy(into, factsAt);
  into.writeUInt32LE(crc32(into.subarray(at + 8, end)), at + 4);
  return end;
}

/** Records one behind the other. */
export function encodeRecords(records: readonly FactsRecord[]): Buffer {
  let length = 0;
  for (const { key, facts } of records) length += recordLength(key, facts);
  const octets = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { key, facts } of records) at = putRecord(octets, at, key, facts);
  return octets;
}

export const fits = ({ key, facts }: FactsRecord): boolean => facts.length > 0 && facts.length <= factsLimit && key.length > 0 && key.length <= keyLimit;

/**
 * Where the record at `at` ends; "short": its end is not in these octets; undefined: there is none.
 *
 * @param sound its checksum is known to be right
 */
export function recordEnd(octets: Buffer, at: number, sound = false): number | "short" | undefined {
  if (at + recordHead > octets.length) return "short";
  const length = u32(octets, at + 8);
  const keyLength = keyLengthOf(octets, at);
  if (u32(octets, at) !== magicNumber || length > factsLimit || keyLength > keyLimit) return undefined;
  const end = at + recordHead + keyLength + length;
  if (end > octets.length) return "short";
  return sound || crc32(new Uint8Array(octets.buffer, octets.byteOffset + at + 8, end - at - 8)) === u32(octets, at + 4) ? end : undefined;
}

/** Octets of the key of the record at `at`. */
export const keyLengthOf = (octets: Buffer, at: number): number => u32(octets, at + 12);

/** As `recordEnd`, with the record, whose buffers are views. */
export function recordAt(octets: Buffer, at: number): (FactsRecord & { readonly end: number }) | "short" | undefined {
  const end = recordEnd(octets, at);
  if (end === "short" || end === undefined) return end;
  const factsAt = at + recordHead + keyLengthOf(octets, at);
  return { key: octets.subarray(at + recordHead, factsAt), facts: octets.subarray(factsAt, end), end };
}

/** Where the next record may begin, at `from` or later; the last 3 octets may be the begin of a magic. */
export function nextMagic(octets: Buffer, from: number): number {
  const at = octets.indexOf(magic, from);
  return at >= 0 ? at : Math.max(from, octets.length - magic.length + 1);
}

/** Where the next whole record is, at `from` or later. */
export function nextRecord(octets: Buffer, from: number): number | undefined {
  let at = octets.indexOf(magic, from);
  for (let tries = 0; at >= 0 && tries < 256; tries++, at = octets.indexOf(magic, at + 1)) if (typeof recordAt(octets, at) === "object") return at;
  return undefined;
}

/** Where records came to be: from `from` to `end` in the file of this inode, nothing else between them. */
export interface Appended {
  readonly inode: string;
  readonly from: number;
  readonly end: number;
}

/** Adds records that fit to the file; see `appendRecords`. */
export const appendFacts = (path: string, records: readonly FactsRecord[]): Appended | undefined => appendRecords(path, encodeRecords(records.filter(fits)));

/**
 * Adds whole records to the file, which is made when it is not there; no fsync. Throws the system error; what was written in part does no harm.
 *
 * @returns undefined where another process added some at the same time, and where there are none
 */
export function appendRecords(path: string, octets: Buffer): Appended | undefined {
  if (octets.length === 0) return undefined;
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  try {
    const from = fstatSync(fd).size;
    writeFully(fd, octets);
    const { ino, size } = fstatSync(fd, { bigint: true });
    return Number(size) === from + octets.length ? { inode: `${ino}`, from, end: Number(size) } : undefined;
  } finally {
    closeSync(fd);
  }
}
