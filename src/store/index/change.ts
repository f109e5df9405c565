/**
 * What happened to a table since it was last written, and its encoding. A snapshot is the same: what happened since it was empty. Pure.
 *
 *     sections, each filled up with zeros to a multiple of 8 octets, numbers little-endian:
 *       u32 rows removed, ascending, as they were numbered before
 *       rows added: a section for each column
 *       for each column with changed cells: u32 rows, then their values; rows as they are numbered afterwards
 *       heap octets added
 *       expunge history added: u32 UIDs, f64 MODSEQs
 *       u32 marks added
 *     JSON text, filled up with spaces to a multiple of 8 octets: Text below, and how many of each there are
 *     u32 length of the text, u32 CRC-32 of it
 *
 * So the last octets of a file say what there is altogether, and are believed without the rest (`outlineOf`).
 */
import { crc32 } from "node:zlib";
import type { Gap } from "./history.ts";
import { numbersOver, octetsOf, widthOf, type Column, type Columns, type Kind, type Numbers, type Schema } from "./columns.ts";

/** The part of a change that is no array. */
export interface Text {
  /** What the store keeps of the mailbox as a whole. */
  readonly head: unknown;
  /** So many there are now. */
  readonly rows: number;
  /** The highest MODSEQ given, and the one above which the history is complete, but for a gap. */
  readonly modSeq: number;
  readonly floor: number;
  readonly gap?: Gap | undefined;
  /** Which cache file, and how far it has been looked through. */
  readonly cache: { readonly inode: string; readonly end: number };
  /** Strings added. */
  readonly sets: readonly string[];
  /** The marks so far are void. */
  readonly unmark: boolean;
}

/** What is known of a table before it is read. */
export type Outline = Pick<Text, "head" | "rows" | "modSeq">;

export interface Cells {
  readonly column: number;
  readonly rows: Uint32Array;
  readonly values: Numbers;
}

/** The cells of the first rows that have a bit of their column's number. */
export function cellsOf<S extends Schema>(columns: Columns<S>, dirty: Column, rows: number): Cells[] {
  let seen = 0;
  for (let row = 0; row < rows; row++) seen |= dirty[row];
  const cells: Cells[] = [];
  for (let column = 0; column < columns.names.length; column++) {
    const bit = 1 << column;
    if ((seen & bit) === 0) continue;
    const changed = withBit(dirty, bit, rows);
    const all = columns.view(column);
    const values = all.slice(0, changed.length);
    for (let i = 0; i < changed.length; i++) values[i] = all[changed[i]];
    cells.push({ column, rows: changed, values });
  }
  return cells;
}

/** Which of the first rows have it; often they are all. */
function withBit(dirty: Column, bit: number, rows: number): Uint32Array {
  let count = 0;
  for (let row = 0; row < rows; row++) if ((dirty[row] & bit) !== 0) count++;
  const found = new Uint32Array(count);
  for (let row = 0, i = 0; i < count; row++) if ((dirty[row] & bit) !== 0) found[i++] = row;
  return found;
}

export interface Change extends Text {
  readonly removed: Uint32Array;
  readonly addedRows: number;
  /** A column each. */
  readonly added: readonly Numbers[];
  readonly cells: readonly Cells[];
  readonly heap: Buffer;
  readonly expungedUids: Uint32Array;
  readonly expungedModSeqs: Float64Array;
  readonly marks: Uint32Array;
}

interface Counts {
  readonly columns: readonly string[];
  readonly removed: number;
  readonly added: number;
  readonly cells: readonly (readonly [column: number, rows: number])[];
  readonly heap: number;
  readonly expunged: number;
  readonly marks: number;
}

const padded = (length: number): number => (length + 7) & ~7;

/** Columns as they are named in the text: a file with others is not ours to read. */
const describe = (schema: Schema): string[] => Object.entries(schema).map(([name, kind]) => `${name}:${kind}`);

const foot = 8;

/** Pieces to be written one behind the other. */
export function encodeChange(change: Change, schema: Schema): Buffer[] {
  const { head, rows, modSeq, floor, gap, cache, sets, unmark } = change;
  const counts: Counts = {
    columns: describe(schema),
    removed: change.removed.length,
    added: change.addedRows,
    cells: change.cells.map(({ column, rows }) => [column, rows.length]),
    heap: change.heap.length,
    expunged: change.expungedUids.length,
    marks: change.marks.length,
  };
  const text = Buffer.from(JSON.stringify({ head, rows, modSeq, floor, gap, cache, sets, unmark, ...counts } satisfies Text & Counts));
  const end = Buffer.alloc(padded(text.length) + foot, " ");
  const length = end.length - foot;
  text.copy(end);
  end.writeUInt32LE(length, length);
  end.writeUInt32LE(crc32(end.subarray(0, length)), length + 4);
  const sections = [change.removed, ...change.added, ...change.cells.flatMap(({ rows, values }) => [rows, values]), change.heap, change.expungedUids, change.expungedModSeqs, change.marks];
  return [...sections.filter((section) => section.byteLength > 0).flatMap((section) => [octetsOf(section), Buffer.alloc(padded(section.byteLength) - section.byteLength)]), end].filter((piece) => piece.length > 0);
}

/** The text at the end of a change, or of a file that ends with one; undefined when there is none of this schema. */
function textAt(octets: Buffer, schema: Schema): { readonly text: Text & Counts; readonly start: number } | undefined {
  const end = octets.length - foot;
  if (end < 0) return undefined;
  const start = end - octets.readUInt32LE(end);
  if (start < 0 || crc32(octets.subarray(start, end)) !== octets.readUInt32LE(end + 4)) return undefined;
  let text: unknown;
  try {
    text = JSON.parse(octets.toString("utf8", start, end));
  } catch {
    return undefined;
  }
  return isText(text) && text.columns.join() === describe(schema).join() ? { text, start } : undefined;
}

/** What the last octets of an index file say of all of it; undefined when they say nothing, or not all of that is among them. */
export function outlineOf(octets: Buffer, schema: Schema): Outline | undefined {
  const found = textAt(octets, schema);
  if (found === undefined) return undefined;
  const { head, rows, modSeq } = found.text;
  return { head, rows, modSeq };
}

/** The change written as these octets, whose arrays lie over them; undefined when it is none of this schema. The octets begin at a multiple of 8. */
export function decodeChange(octets: Buffer, schema: Schema): Change | undefined {
  const found = textAt(octets, schema);
  return found === undefined ? undefined : sections(octets.subarray(0, found.start), found.text, Object.values(schema));
}

function sections(octets: Buffer, text: Text & Counts, kinds: readonly Kind[]): Change | undefined {
  let at = 0;
  const take = (kind: Kind, count: number): Numbers => {
    const from = at;
    at += padded(count * widthOf[kind]);
    if (at > octets.length) throw new RangeError("short");
    return numbersOver(kind, octets, from, count);
  };
  try {
    const removed = take("u32", text.removed) as Uint32Array;
    const added = kinds.map((kind) => take(kind, text.added));
    const cells = text.cells.map(([column, rows]): Cells => ({ column, rows: take("u32", rows) as Uint32Array, values: take(kinds[column], rows) }));
    const heap = octetsOf(take("u8", text.heap));
    const expungedUids = take("u32", text.expunged) as Uint32Array;
    const expungedModSeqs = take("f64", text.expunged) as Float64Array;
    const marks = take("u32", text.marks) as Uint32Array;
    const { head, rows, modSeq, floor, gap, cache, sets, unmark } = text;
    return { head, rows, modSeq, floor, gap, cache, sets, unmark, removed, addedRows: text.added, added, cells, heap, expungedUids, expungedModSeqs, marks };
  } catch (error) {
    // More was announced than is there.
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= 0xffffffff;
const isNumber = (value: unknown): value is number => typeof value === "number" && value >= 0;
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function isText(value: unknown): value is Text & Counts {
  if (!isObject(value)) return false;
  const { columns, cells, sets, cache } = value;
  return (
    Array.isArray(columns) &&
    Array.isArray(sets) &&
    sets.every((set) => typeof set === "string") &&
    Array.isArray(cells) &&
    cells.every((pair) => Array.isArray(pair) && isCount(pair[0]) && isCount(pair[1]) && pair[0] < columns.length) &&
    isObject(cache) &&
    typeof cache.inode === "string" &&
    isNumber(cache.end) &&
    typeof value.unmark === "boolean" &&
    isNumber(value.modSeq) &&
    isNumber(value.floor) &&
    (value.gap === undefined || (Array.isArray(value.gap) && value.gap.length === 2 && value.gap.every(isNumber))) &&
    [value.rows, value.removed, value.added, value.heap, value.expunged, value.marks].every(isCount)
  );
}
