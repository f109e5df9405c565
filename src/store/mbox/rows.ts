/** A message of an mbox as a row, and as what sessions hold of it. */
import type { Schema } from "../index/columns.ts";
import type { Table } from "../index/table.ts";
import type { Flags, Message, ModSeq, Uid } from "../mailbox.ts";
import type { Place } from "./parse.ts";

export const mboxSchema = {
  start: "f64",
  /** Relative to `start`. */
  header: "u32",
  body: "u32",
  end: "f64",
  /** Octets of the line end behind it. */
  gap: "u8",
  /** Of Found: `crc`, `print`. */
  crc: "u32",
  print: "u32",
  bits: "u8",
} as const satisfies Schema;

export type MboxTable = Table<typeof mboxSchema>;

/** Some session was told of it. */
export const oldBit = 1;
export const countedBit = 2;
/** The file has this UID in X-UID. */
export const writtenBit = 4;

export function placeOf({ at }: MboxTable, row: number): Place {
  const start = at.start[row] ?? 0;
  const end = start + (at.end[row] ?? 0);
  return { start, header: start + (at.header[row] ?? 0), body: start + (at.body[row] ?? 0), end, next: end + (at.gap[row] ?? 0), crc: at.crc[row] ?? 0, counted: ((at.bits[row] ?? 0) & countedBit) !== 0 };
}

/** Cells of a place. */
export function cellsOf({ start, header, body, end, next, crc }: Place): { start: number; header: number; body: number; end: number; gap: number; crc: number } {
  return { start, header: header - start, body: body - start, end: end - start, gap: next - end, crc };
}

export class MboxMessage implements Message {
  readonly uid: Uid;
  readonly flags: Flags;
  readonly modSeq: ModSeq;
  readonly size: number;
  readonly internalDate: number;
  readonly saveDate: number | undefined;
  readonly uidValidity: number;

  constructor({ at }: MboxTable, row: number, flags: Flags, uidValidity: number) {
    this.uid = (at.uid[row] ?? 0) as Uid;
    this.flags = flags;
    this.modSeq = (at.modSeq[row] ?? 0) as ModSeq;
    this.size = at.size[row] ?? 0;
    this.internalDate = at.date[row] ?? 0;
    const saved = at.saved[row] ?? NaN;
    this.saveDate = Number.isNaN(saved) ? undefined : saved;
    this.uidValidity = uidValidity;
  }

  get guid(): string {
    return `${this.uid}.${this.uidValidity}`;
  }
}

/** What names a message's facts in the cache file, known at delivery before there is a UID. */
export const factsKey = (print: number, size: number, date: number): Buffer => Buffer.from(`${print.toString(16)}.${size}.${date}`, "latin1");
