/** What the index keeps of an mbox as a whole. */
import type { BigIntStats } from "node:fs";
import type { Place } from "./parse.ts";
import type { Counts } from "./telling.ts";

/**
 * What a file looked like. The change time is in it because programs set the modification time back (mutt does); it and nanoseconds go
 * with every write, so equal stamps mean equal octets, but for writes within one tick of the kernel's clock (settle.ts).
 */
export interface Stamp {
  readonly inode: string;
  readonly size: number;
  /** ns since the epoch. */
  readonly modified: string;
  readonly changed: string;
}

export const stampOf = ({ ino, size, mtimeNs, ctimeNs }: BigIntStats): Stamp => ({ inode: `${ino}`, size: Number(size), modified: `${mtimeNs}`, changed: `${ctimeNs}` });

export const sameStamp = (a: Stamp, b: Stamp): boolean => a.inode === b.inode && a.size === b.size && a.modified === b.modified && a.changed === b.changed;

export const noFile: Stamp = { inode: "0", size: 0, modified: "0", changed: "0" };

export interface MboxHead {
  readonly id: string;
  readonly uidValidity: number;
  readonly lastUid: number;
  readonly keywords: readonly string[];
  /** Of the file the rows are of. */
  readonly stamp: Stamp;
  /** CRC-32 of the last octets of it. */
  readonly tail: number;
  readonly pseudo: Place | undefined;
  /** The file does not say all we know. */
  readonly unwritten: boolean;
  readonly counts: Counts | undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const isDigits = (value: unknown): value is string => typeof value === "string" && /^\d{1,30}$/.test(value);

function stamp(value: unknown): Stamp | undefined {
  if (!isObject(value) || !isDigits(value.inode) || !isCount(value.size) || !isDigits(value.modified) || !isDigits(value.changed)) return undefined;
  return { inode: value.inode, size: value.size, modified: value.modified, changed: value.changed };
}

function place(value: unknown): Place | undefined {
  if (!isObject(value)) return undefined;
  const { start, header, body, end, next, crc, counted } = value;
  if (!isCount(start) || !isCount(header) || !isCount(body) || !isCount(end) || !isCount(next) || !isCount(crc) || typeof counted !== "boolean") return undefined;
  return { start, header, body, end, next, crc, counted };
}

const isCounts = (value: unknown): value is Counts => isObject(value) && isCount(value.recent) && isObject(value.unseen) && isCount(value.unseen.count) && Number.isSafeInteger(value.unseen.first);

/** From the JSON of an index; undefined for anything else. */
export function mboxHead(value: unknown): MboxHead | undefined {
  if (!isObject(value)) return undefined;
  const { id, uidValidity, lastUid, keywords, tail, unwritten } = value;
  const seen = stamp(value.stamp);
  if (typeof id !== "string" || !/^[\x21-\x7e]{1,100}$/.test(id) || !isCount(uidValidity) || uidValidity === 0 || !isCount(lastUid) || !isCount(tail) || seen === undefined || typeof unwritten !== "boolean") return undefined;
  if (!Array.isArray(keywords) || !keywords.every((keyword): keyword is string => typeof keyword === "string")) return undefined;
  const pseudo = value.pseudo === undefined || value.pseudo === null ? undefined : place(value.pseudo);
  if (pseudo === undefined && value.pseudo !== undefined && value.pseudo !== null) return undefined;
  return { id, uidValidity, lastUid, keywords, stamp: seen, tail, pseudo, unwritten, counts: isCounts(value.counts) ? value.counts : undefined };
}
