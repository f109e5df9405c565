/**
 * What happened to a table since it was last written, and its encoding. A snapshot is the same: what happened since it was empty. Pure.
 *
 *     u32 length of the text, u32 0
 *     JSON text, filled up with spaces to a multiple of 8 octets: Text below, and how many of each follow
 *     sections, each filled up with zeros to a multiple of 8 octets, numbers little-endian:
 *       u32 rows removed, ascending, as they were numbered before
 *       rows added: a section for each column
 *       for each column with changed cells: u32 rows, then their values; rows as they are numbered afterwards
 *       heap octets added
 *       expunge history added: u32 UIDs, f64 MODSEQs
 *       u32 marks added
 */
import { numbersOver, octetsOf, widthOf, type Kind, type Numbers, type Schema } from "./columns.ts";

/** The part of a change that is no array. */
export interface Text {
  /** What the store keeps of the mailbox as a whole. */
  readonly head: unknown;
  /** The highest MODSEQ given, and the one above which the history is complete. */
  readonly modSeq: number;
  readonly floor: number;
  /** Which cache file, and how far it has been looked through. */
  readonly cache: { readonly inode: string; readonly end: number };
  /** Strings added. */
  readonly sets: readonly string[];
  /** The marks so far are void. */
  readonly unmark: boolean;
}

export interface Cells {
  readonly column: number;
  readonly rows: Uint32Array;
  readonly values: Numbers;
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

/** Pieces to be written one behind the other. */
export function encodeChange(change: Change, schema: Schema): Buffer[] {
  const { head, modSeq, floor, cache, sets, unmark } = change;
  const counts: Counts = {
    columns: describe(schema),
    removed: change.removed.length,
    added: change.addedRows,
    cells: change.cells.map(({ column, rows }) => [column, rows.length]),
    heap: change.heap.length,
    expunged: change.expungedUids.length,
    marks: change.marks.length,
  };
  const text = Buffer.from(JSON.stringify({ head, modSeq, floor, cache, sets, unmark, ...counts } satisfies Text & Counts));
  const start = Buffer.alloc(8 + padded(text.length), " ");
  start.writeUInt32LE(padded(text.length), 0);
  start.writeUInt32LE(0, 4);
  text.copy(start, 8);
  const sections = [change.removed, ...change.added, ...change.cells.flatMap(({ rows, values }) => [rows, values]), change.heap, change.expungedUids, change.expungedModSeqs, change.marks];
  return [start, ...sections.filter((section) => section.byteLength > 0).flatMap((section) => [octetsOf(section), Buffer.alloc(padded(section.byteLength) - section.byteLength)])].filter((piece) => piece.length > 0);
}

/** The change written as these octets, whose arrays lie over them; undefined when it is none of this schema. The octets begin at a multiple of 8. */
export function decodeChange(octets: Buffer, schema: Schema): Change | undefined {
  if (octets.length < 8) return undefined;
  const textEnd = 8 + octets.readUInt32LE(0);
  if (textEnd % 8 !== 0 || textEnd > octets.length) return undefined;
  let text: unknown;
  try {
    text = JSON.parse(octets.toString("utf8", 8, textEnd));
  } catch {
    return undefined;
  }
  if (!isText(text) || text.columns.join() !== describe(schema).join()) return undefined;
  return sections(octets, textEnd, text, Object.values(schema));
}

function sections(octets: Buffer, start: number, text: Text & Counts, kinds: readonly Kind[]): Change | undefined {
  let at = start;
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
    const { head, modSeq, floor, cache, sets, unmark } = text;
    return { head, modSeq, floor, cache, sets, unmark, removed, addedRows: text.added, added, cells, heap, expungedUids, expungedModSeqs, marks };
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
    [value.removed, value.added, value.heap, value.expunged, value.marks].every(isCount)
  );
}
