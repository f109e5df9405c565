/**
 * What is known of the messages of one mailbox, in memory: a row each, ascending by UID. Beside the columns that every store has, a store
 * may name columns of its own. It notes what changes, so that the index file can be told (change.ts), and reads nothing itself.
 *
 * - `set` numbers one of `sets`: strings that many messages share, such as their flags. The store says what they mean; 0 is "".
 * - the name of a row lies in the heap: octets that the store identifies the message by.
 * - marks are numbers that the store keeps beside the rows.
 */
import type { ModSeq, Uid } from "../mailbox.ts";
import { firstFrom } from "./ascending.ts";
import { cellsOf, type Change } from "./change.ts";
import { Columns, type Column, type Numbers, type Schema } from "./columns.ts";
import { Heap } from "./heap.ts";
import { History } from "./history.ts";
import { Sets } from "./sets.ts";
import { ascending, endsWithin, isBelow, uidsAscend } from "./sound.ts";

export const commonSchema = {
  uid: "u32",
  set: "set",
  modSeq: "f64",
  /** Octets with CRLF; NaN when unknown, as dates are. */
  size: "f64",
  /** INTERNALDATE and SAVEDATE, ms since the epoch. */
  date: "f64",
  saved: "f64",
  /** Where the facts are in the cache file; length 0 when there are none. */
  factsAt: "f64",
  factsLength: "u32",
  nameAt: "u32",
  nameLength: "u32",
} as const satisfies Schema;

type Common = typeof commonSchema;
type RowOf<X extends Schema> = { readonly [K in keyof Common | keyof X]: number };

/** Not written yet: the row has no number in the file. */
const fresh = 0xffffffff;
const tracking = { origin: "u32", dirty: "u32" } as const satisfies Schema;

export class Table<X extends Schema> {
  readonly schema: Common & X;
  readonly #columns: Columns<Common & X>;
  /** Beside each row its number in the file, and a bit for each column that differs from the file. */
  readonly #track = new Columns(tracking);
  #head: unknown = undefined;
  readonly #sets = new Sets();
  readonly #heap = new Heap();
  #history: History;
  readonly #marks = new Columns({ mark: "u32" } as const);
  #cache = { inode: "", end: 0 };

  /** Called before rows, sets or MODSEQs change, once. */
  beforeChange: (() => void) | undefined;
  /** Row that `rowOf` found last. */
  #found = 0;
  /** How often rows came or went, and how often each column was changed. */
  #rowChanges = 0;
  readonly #changesOf: number[];
  /** Columns whose change `beforeChange` is told. */
  readonly #watched: readonly number[];

  // What the file has of each.
  #changed = false;
  #removed: number[] = [];
  #writtenMarks = 0;
  #unmark = false;
  /** Numbers were given anew: the file is of no use to add to. */
  #whole = true;

  /** @param now µs since the epoch: changes begin there */
  constructor(own: X, now: number) {
    this.schema = { ...commonSchema, ...own };
    this.#columns = new Columns(this.schema);
    this.#changesOf = this.#columns.names.map(() => 0);
    this.#watched = (Object.keys(own) as (keyof (Common & X))[]).concat(["uid", "set", "modSeq"]).map((name) => this.#columns.place[name]);
    this.#history = new History(now);
  }

  get length(): number {
    return this.#columns.length;
  }

  /** Grows whenever a column is another one than before. */
  changesOf(name: keyof (Common & X)): number {
    return this.#rowChanges + this.#changesOf[this.#columns.place[name]];
  }

  #before(): void {
    const { beforeChange } = this;
    this.beforeChange = undefined;
    beforeChange?.();
  }

  #rowsChange(): void {
    this.#rowChanges++;
    if (this.beforeChange !== undefined) this.#before();
  }

  get at(): { readonly [K in keyof (Common & X)]: Column } {
    return this.#columns.at;
  }

  /** The highest MODSEQ given. */
  get modSeq(): ModSeq {
    return this.#history.highest;
  }

  /** A MODSEQ above all before. @param now µs since the epoch */
  nextModSeq(now: number): ModSeq {
    this.#changed = true;
    return this.#history.next(now);
  }

  /** The next MODSEQ is above this one, too. */
  reach(modSeq: number): void {
    this.#changed ||= modSeq > this.modSeq;
    this.#history.reach(modSeq);
  }

  expungedSince(modSeq: ModSeq): readonly Uid[] | undefined {
    return this.#history.since(modSeq);
  }

  /** What the store keeps of the mailbox as a whole: JSON. */
  get head(): unknown {
    return this.#head;
  }

  set head(head: unknown) {
    this.#head = head;
    this.#changed = true;
  }

  /** Which cache file the facts are in, and how far it has been looked through. */
  get cache(): { readonly inode: string; readonly end: number } {
    return this.#cache;
  }

  set cache(cache: { readonly inode: string; readonly end: number }) {
    this.#cache = cache;
    this.#changed = true;
  }

  /** Row of a UID, -1 when there is none. */
  rowOf(uid: number): number {
    const uids = this.at.uid;
    const { length } = this.#columns;
    // Mostly the one behind the last, or the same once more.
    const last = this.#found;
    if (last < length && uids[last] === uid) return last;
    if (last + 1 < length && uids[last + 1] === uid) return (this.#found = last + 1);
    const row = this.rowFrom(uid);
    return row < length && uids[row] === uid ? (this.#found = row) : -1;
  }

  /** First row from `from` on that has this value in a column, -1 for none. */
  rowWith(name: keyof (Common & X), value: number, from = 0): number {
    return this.#columns.view(this.#columns.place[name]).indexOf(value, from);
  }

  /** Whether all rows have 0 in a column. */
  isZero(name: keyof (Common & X)): boolean {
    return this.#columns.isZero(this.#columns.place[name]);
  }

  /** A column as it lies in memory; valid until the next row is added or removed. */
  numbers(name: keyof (Common & X)): Numbers {
    return this.#columns.view(this.#columns.place[name]);
  }

  /** First row with this UID or a higher one. */
  rowFrom(uid: number): number {
    return firstFrom(this.at.uid, this.length, uid);
  }

  /** Adds a message; its UID is above all others. @returns its row */
  add(row: RowOf<X>): number {
    this.#rowsChange();
    this.#track.add({ origin: fresh, dirty: 0 });
    return this.#columns.add(row);
  }

  /** Adds messages whose UIDs are above all others: all that `room` has of them behind the last row. @returns the first row */
  addRows(count: number): number {
    this.#rowsChange();
    const first = this.#columns.addFilled(count);
    this.#track.addFilled(count);
    this.#track.writable.origin.fill(fresh, first, first + count);
    this.#track.writable.dirty.fill(0, first, first + count);
    return first;
  }

  /** The columns with what is behind the last row, where rows are filled in before they are added; until then nobody sees them. Good until the next `reserve`. */
  get room(): { readonly [K in keyof (Common & X)]: Numbers } {
    return this.#columns.writable;
  }

  /** Room for this many rows altogether. @param names octets that names of the next rows lie in: an empty table takes them over */
  reserve(rows: number, names?: Buffer): void {
    this.#columns.reserve(rows);
    this.#track.reserve(rows);
    if (names !== undefined && this.length === 0 && this.#heap.length === 0) this.#heap.replace(names);
  }

  set(name: keyof (Common & X), row: number, value: number): void {
    const column = this.#columns.place[name];
    const numbers = this.#columns.numbers(column);
    if (Object.is(numbers[row], value)) return;
    if (this.beforeChange !== undefined && this.#watched.includes(column)) this.#before();
    this.#changesOf[column]++;
    numbers[row] = value;
    this.#track.numbers(1)[row] |= 1 << column;
    this.#changed = true;
  }

  /** Removes messages, rows ascending, and remembers their UIDs as expunged with this MODSEQ; undefined: nobody ever saw them. */
  remove(rows: readonly number[], modSeq: ModSeq | undefined): void {
    if (rows.length === 0) return;
    this.#rowsChange();
    for (const row of rows) {
      const origin = this.#track.at.origin[row];
      if (origin !== fresh) this.#removed.push(origin);
      if (modSeq !== undefined) this.#history.add(this.at.uid[row], modSeq);
    }
    this.#columns.remove(rows);
    this.#track.remove(rows);
    this.#changed = true;
  }

  // ------------------------------------------------------------ shared strings, names, marks

  /** The string of a set number. */
  setAt(number: number): string {
    return this.#sets.at(number);
  }

  /** Numbers of strings are below it. */
  get setCount(): number {
    return this.#sets.length;
  }

  /** The number of a string. */
  numberOf(set: string): number {
    if (!this.#sets.has(set)) this.#changed = true;
    return this.#sets.numberOf(set);
  }

  /** Keeps octets in the heap; where. */
  keep(octets: Buffer, from = 0, to = octets.length): number {
    return this.#heap.keep(octets, from, to);
  }

  /** Where names lie; valid until the next `keep` or snapshot. */
  get heap(): Buffer {
    return this.#heap.octets;
  }

  /** The octets of a row's name; good until the next `keep` or snapshot. */
  name(row: number): Buffer {
    const at = this.at.nameAt[row];
    return this.#heap.octets.subarray(at, at + this.at.nameLength[row]);
  }

  get marks(): ArrayLike<number> {
    return this.#marks.view(0);
  }

  mark(number: number): void {
    this.#marks.add({ mark: number });
    this.#changed = true;
  }

  unmark(): void {
    this.#marks.clear();
    this.#writtenMarks = 0;
    this.#unmark = true;
    this.#changed = true;
  }

  // ------------------------------------------------------------ to and from the file

  /** True when the file must be written anew, with `everything`. */
  get whole(): boolean {
    return this.#whole;
  }

  /** What the file does not know yet; undefined when there is nothing. Good until the table changes. */
  changes(): Change | undefined {
    const { length } = this;
    const { origin, dirty } = this.#track.at;
    let first = length;
    while (first > 0 && origin[first - 1] === fresh) first--;
    const cells = cellsOf(this.#columns, dirty, first);
    if (!this.#changed && first === length && cells.length === 0) return undefined;
    const { names } = this.#columns;
    return {
      ...this.#text(),
      sets: this.#sets.unwritten(),
      unmark: this.#unmark,
      removed: Uint32Array.from(this.#removed).sort(),
      addedRows: length - first,
      added: names.map((_, i) => this.#columns.view(i, first)),
      cells,
      heap: this.#heap.unwritten(),
      ...this.#history.unwritten(),
      marks: this.#marks.view(0, this.#writtenMarks) as Uint32Array,
    };
  }

  #text(): Pick<Change, "head" | "rows" | "modSeq" | "floor" | "gap" | "cache"> {
    return { head: this.#head ?? null, rows: this.length, modSeq: this.modSeq, floor: this.#history.floor, gap: this.#history.gap, cache: this.#cache };
  }

  /** Everything, as a change of an empty table. Names that no row has any more are dropped first. Good until the table changes. */
  everything(): Change {
    this.#tidyHeap();
    return {
      ...this.#text(),
      sets: this.#sets.all(),
      unmark: false,
      removed: new Uint32Array(0),
      addedRows: this.length,
      added: this.#columns.names.map((_, i) => this.#columns.view(i)),
      cells: [],
      heap: this.#heap.all(),
      ...this.#history.all(),
      marks: this.#marks.view(0) as Uint32Array,
    };
  }

  /** The file has all of it by now. */
  written(): void {
    this.#whole = false;
    const origin = this.#track.view(0) as Uint32Array;
    for (let row = 0, { length } = origin; row < length; row++) origin[row] = row;
    this.#track.view(1).fill(0);
    this.#removed = [];
    this.#sets.written();
    this.#heap.written();
    this.#writtenMarks = this.#marks.length;
    this.#history.written();
    this.#unmark = false;
    this.#changed = false;
  }

  #tidyHeap(): void {
    const { nameAt, nameLength } = this.at;
    let used = 0;
    for (let row = 0; row < this.length; row++) used += nameLength[row];
    if (this.#heap.length - used < 1024 + (used >> 2)) return;
    this.#whole = true;
    const tidy = Buffer.allocUnsafeSlow(used);
    const column = this.#columns.place.nameAt;
    let to = 0;
    for (let row = 0; row < this.length; row++) {
      const at = nameAt[row];
      this.heap.copy(tidy, to, at, at + nameLength[row]);
      this.#columns.set(column, row, to);
      to += nameLength[row];
    }
    this.#heap.replace(tidy);
  }

  /** Does what a change from the file says. False when it does not fit; the table is then of no use. */
  take(change: Change): boolean {
    if (!ascending(change.removed, this.length)) return false;
    this.#columns.remove(change.removed);
    this.#columns.addAll(change.added, change.addedRows);
    if (this.length !== change.rows) return false;
    for (const { column, rows, values } of change.cells) {
      if (!ascending(rows, this.length)) return false;
      const all = this.#columns.view(column);
      // Mostly a stretch of rows.
      if (rows.length > 0 && rows[rows.length - 1] - rows[0] === rows.length - 1) all.set(values, rows[0]);
      else for (let i = 0; i < rows.length; i++) all[rows[i]] = values[i];
    }
    this.#heap.take(change.heap);
    this.#sets.take(change.sets);
    this.#history.take(change);
    if (change.unmark) this.#marks.clear();
    this.#marks.addAll([change.marks], change.marks.length);
    this.#head = change.head;
    this.#cache = { inode: change.cache.inode, end: change.cache.end };
    return true;
  }

  /** After the last `take`: true when the rows make sense, which are then those of the file. */
  loaded(): boolean {
    const { uid, nameAt, nameLength } = this.#columns.place;
    if (!uidsAscend(this.#columns.view(uid) as Uint32Array) || !endsWithin(this.#columns.view(nameAt) as Uint32Array, this.#columns.view(nameLength) as Uint32Array, this.#heap.length)) return false;
    const columns = this.#columns.kinds.flatMap((kind, i) => (kind === "set" ? [this.#columns.view(i) as Uint32Array] : []));
    if (!columns.every((column) => isBelow(column, this.#sets.length))) return false;
    this.#track.addAll([new Uint32Array(this.length), new Uint32Array(this.length)], this.length);
    this.written();
    if (this.#sets.tidy(columns)) this.#whole = true;
    return true;
  }
}
