/** A message of an mbox as a row. */
import type { Schema } from "../index/columns.ts";
import type { Table } from "../index/table.ts";
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

/** The columns of a place. */
export const placeCells = ["start", "header", "body", "end", "gap", "crc"] as const;

/** Cells of a place. */
export function cellsOf({ start, header, body, end, next, crc }: Place): Record<(typeof placeCells)[number], number> {
  return { start, header: header - start, body: body - start, end: end - start, gap: next - end, crc };
}

/** Rows of messages, ascending, each once; UIDs that there are none of are passed over. */
export function rowsOf(table: Pick<MboxTable, "rowOf">, uids: readonly number[]): Uint32Array {
  const rows = new Uint32Array(uids.length);
  let count = 0;
  let ascends = true;
  for (const uid of uids) {
    const row = table.rowOf(uid);
    if (row < 0) continue;
    ascends &&= count === 0 || row > rows[count - 1];
    rows[count++] = row;
  }
  const found = rows.subarray(0, count);
  return ascends ? found : found.sort().filter((row, i) => i === 0 || row !== found[i - 1]);
}

/** What names a message's facts in the cache file, known at delivery before there is a UID. */
export const factsKey = (print: number, size: number, date: number): Buffer => Buffer.from(`${print.toString(16)}.${size}.${date}`, "latin1");
