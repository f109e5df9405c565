/**
 * The index file of a mailbox: what is known of its messages, so that opening it need not find that out again. All of it can be made again
 * from the mailbox; deleting the file costs time only.
 *
 * It is a row of blocks (blocks.ts): first a snapshot, then changes (change.ts), each added by one write at the end, none fsynced. When the
 * changes outgrow the snapshot, or an eighth of it when it is closed, a new one is written beside it (`.tmp`), locked, and renamed over it.
 *
 * Legal states, and what the next one to open it does:
 *
 * | on disk | then |
 * |---|---|
 * | absent, empty, or a snapshot that was not finished | made from the mailbox |
 * | a last block that was not finished (killed, full disk, power cut) | that block is cut off |
 * | a wrong checksum before the last block, or columns of another version | made from the mailbox, and that is logged |
 * | blocks that are right, and older than the mailbox | taken, and the store finds out what happened since |
 * | `.tmp` | removed by the next one to write |
 *
 * Whether the mailbox is as it was when a block was written is the store's to know: it keeps in `head` what shows that (UIDVALIDITY, inode,
 * size and mtime of its files), and must believe nothing else here.
 *
 * A store may ask that the table be read when it is first wanted (`deferred`): opening a mailbox of any size then reads the end of the file, which says
 * how many rows there are, and what the store keeps in `head`.
 *
 * Who writes holds an open file description lock on the file as long as the mailbox is open. Another process reads what is there, and writes
 * nothing. Its MODSEQs come from the same clock, so that they order with those of the writer.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { tryLock } from "../../sys/lock.ts";
import { createOnly, writeFully } from "../durable.ts";
import { errno } from "../faults.ts";
import { blockAt, blockHead, headOf, sumOf } from "./blocks.ts";
import { decodeChange, encodeChange, outlineOf, type Change, type Outline } from "./change.ts";
import type { Schema } from "./columns.ts";
import { commonSchema, Table } from "./table.ts";

export interface IndexPlace {
  /** Of the index file; a function, since a mailbox may be renamed. */
  readonly path: () => string;
  /** What went wrong, one line without line end. */
  readonly log: (line: string) => void;
  /** Called before every save: the time to put into `head` what the mailbox looks like. */
  readonly beforeSave?: () => void;
  /** Rows are read by `load`. */
  readonly deferred?: boolean;
}

/** ms between a change and the write that tells the file. */
const soon = 100;
/** Changes that are always worth keeping before a new snapshot, octets. */
const allowance = 256 * 1024;
/** Octets at the end of the file that are read for its outline. */
const outlineRoom = 32 * 1024;
/** Pieces of less than this are written as one. */
const oneWrite = 1 << 20;

const clock = (): number => Date.now() * 1000;

export class MailIndex<X extends Schema> {
  #table: Table<X> | undefined;
  /** Of rows that were not read yet; undefined when `table` is there. */
  #outline: Outline | undefined;
  readonly #place: IndexPlace;
  readonly #schema: X;
  #fd: number | undefined;
  #inode = 0;
  #end = 0;
  #snapshotEnd = 0;
  /** Checksum of the last block. */
  #sum = 0;
  #timer: NodeJS.Timeout | undefined;
  #complained = false;

  /** Reads what there is. Never throws: without a file that can be used, the table is empty and `head` undefined. */
  constructor(schema: X, place: IndexPlace) {
    this.#schema = schema;
    this.#place = place;
    this.#trying(() => this.#open());
    if (this.#outline === undefined) this.#table ??= this.#emptyTable();
  }

  #emptyTable(): Table<X> {
    return new Table(this.#schema, Math.max(clock(), this.modSeq + 1));
  }

  /** Not before `load`, where rows are deferred. */
  get table(): Table<X> {
    if (this.#table === undefined) throw new Error("index is not loaded");
    return this.#table;
  }

  /** What is known of the table as long as it is not loaded; undefined when it is. */
  get outline(): Outline | undefined {
    return this.#outline;
  }

  /** The highest MODSEQ given. */
  get modSeq(): number {
    return this.#table?.modSeq ?? this.#outline?.modSeq ?? 0;
  }

  /** Reads the rows, where that was deferred. False when they are not those of the outline: the file is damaged. Never throws. */
  load(): boolean {
    const outline = this.#outline;
    if (outline === undefined) return true;
    const fd = this.#fd ?? -1;
    this.#trying(() => void this.#load(fd, fstatSync(fd).size));
    this.#outline = undefined;
    if (this.#table?.length === outline.rows && this.#table.modSeq === outline.modSeq) return true;
    this.#place.log(`index ${this.#place.path()}: damaged, made anew`);
    this.#table ??= new Table(this.#schema, Math.max(clock(), outline.modSeq + 1));
    return false;
  }

  /** True when this process is the one that writes the file. */
  get writing(): boolean {
    return this.#fd !== undefined;
  }

  /** Forgets everything; the file is written anew. MODSEQs go on. */
  reset(): void {
    this.#table = this.#emptyTable();
    this.#outline = undefined;
  }

  /** The next save writes the file anew. */
  rewrite(): void {
    this.#end = 0;
  }

  #trying(work: () => void): void {
    try {
      work();
    } catch (error) {
      // A full disk or a place we may not write: the mailbox works without an index.
      if (!this.#complained) this.#place.log(`index ${this.#place.path()}: ${errno(error) || String(error)}`);
      this.#complained = true;
    }
  }

  #open(): void {
    for (let tries = 0; tries < 3; tries++) {
      const fd = this.#openFile();
      if (fd === undefined) return;
      let keep = false;
      try {
        const mine = fd.writable && tryLock(fd.fd, "write");
        const { ino, size } = fstatSync(fd.fd);
        // Replaced between open and lock: the lock is on a file that is gone.
        if (mine && statSync(this.#place.path(), { throwIfNoEntry: false })?.ino !== ino) continue;
        keep = mine;
        if (mine) [this.#fd, this.#inode] = [fd.fd, ino];
        if (mine && this.#place.deferred === true) this.#outline = this.#readOutline(fd.fd, size);
        if (this.#outline === undefined && !this.#load(fd.fd, size)) this.#place.log(`index ${this.#place.path()}: damaged, made anew`);
        return;
      } finally {
        if (!keep) closeSync(fd.fd);
      }
    }
  }

  #openFile(): { readonly fd: number; readonly writable: boolean } | undefined {
    const path = this.#place.path();
    try {
      return { fd: openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600), writable: true };
    } catch (error) {
      if (errno(error) !== "EACCES" && errno(error) !== "EROFS") throw error;
    }
    try {
      return { fd: openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK), writable: false };
    } catch (error) {
      if (errno(error) === "ENOENT" || errno(error) === "EACCES") return undefined;
      throw error;
    }
  }

  #readOutline(fd: number, size: number): Outline | undefined {
    const from = Math.max(0, size - outlineRoom);
    return outlineOf(readFrom(fd, from, size), { ...commonSchema, ...this.#schema });
  }

  /** False when what is there is no index. */
  #load(fd: number, size: number): boolean {
    const table = new Table(this.#schema, clock());
    const { end, snapshotEnd, sum, verdict } = loadTable(table, readFrom(fd, 0, size));
    if (verdict === "right") {
      this.#table = table;
      this.#end = end;
      this.#snapshotEnd = snapshotEnd;
      this.#sum = sum;
      if (end < size && this.writing) ftruncateSync(fd, end);
    }
    return verdict !== "wrong";
  }

  saveSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.save();
    }, soon).unref();
  }

  /** Tells the file what changed. Never throws: what could not be written is tried again by the next save. */
  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#fd !== undefined && this.#table !== undefined) this.#trying(() => this.#save(Math.max(allowance, this.#snapshotEnd)));
  }

  /** @param most octets of changes above which a snapshot is written */
  #save(most: number): void {
    this.#place.beforeSave?.();
    const { table } = this;
    if (!this.#isInPlace()) return;
    const grown = this.#end - this.#snapshotEnd > most;
    if (table.whole || grown || this.#end === 0) {
      this.#replace(table.everything());
    } else {
      const change = table.changes();
      if (change === undefined) return;
      this.#append(change);
    }
    table.written();
    this.#complained = false;
  }

  /** False when another file has the name, which is another process's. One that was removed is made again. */
  #isInPlace(): boolean {
    const now = statSync(this.#place.path(), { throwIfNoEntry: false });
    if (now?.ino === this.#inode) return true;
    if (now === undefined) {
      this.#end = 0;
      return true;
    }
    this.#letGo();
    return false;
  }

  #append(change: Change): void {
    const pieces = encodeChange(change, this.table.schema);
    const fd = this.#fd ?? 0;
    try {
      const head = headOf(pieces, this.#sum);
      this.#end += writePieces(fd, [head, ...pieces], this.#end);
      this.#sum = sumOf(head);
    } catch (error) {
      ftruncateSync(fd, this.#end);
      throw error;
    }
  }

  #replace(everything: Change): void {
    const path = this.#place.path();
    const temporary = `${path}.tmp`;
    rmSync(temporary, { force: true });
    const pieces = encodeChange(everything, this.table.schema);
    const fd = openSync(temporary, (createOnly & ~constants.O_WRONLY) | constants.O_RDWR, 0o600);
    try {
      tryLock(fd, "write");
      const head = headOf(pieces, 0);
      const end = writePieces(fd, [head, ...pieces], 0);
      renameSync(temporary, path);
      this.#letGo();
      [this.#fd, this.#inode, this.#end, this.#snapshotEnd, this.#sum] = [fd, fstatSync(fd).ino, end, end, sumOf(head)];
    } catch (error) {
      closeSync(fd);
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  #letGo(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Lets go of the file without saving: the mailbox is no more. */
  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#letGo();
  }

  /** Saves and lets go of the lock. Who opens it next reads all of it: changes are few then. */
  close(): void {
    this.save();
    if (this.#fd !== undefined && this.#table !== undefined) this.#trying(() => this.#save(Math.max(allowance, this.#snapshotEnd >> 3)));
    this.#letGo();
  }
}

/** Octets of a file from one place to another, or to its end, in memory of their own: arrays over them are aligned. */
function readFrom(fd: number, from: number, to: number): Buffer {
  const octets = Buffer.allocUnsafeSlow(to - from);
  let got = 0;
  for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(fd, octets, got, octets.length - got, from + got);
  return octets.subarray(0, got);
}

/** Writes pieces one behind the other; how many octets. */
function writePieces(fd: number, pieces: readonly Buffer[], at: number): number {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  let done = 0;
  for (const piece of total < oneWrite ? [Buffer.concat(pieces)] : pieces) {
    writeFully(fd, piece, at + done);
    done += piece.length;
  }
  return total;
}

/**
 * Fills an empty table with what the octets of an index file say. "wrong": the table is of no use. `end` is behind the last good block.
 * The table's arrays lie over the octets.
 */
export function loadTable<X extends Schema>(table: Table<X>, octets: Buffer): { readonly verdict: "right" | "empty" | "wrong"; readonly end: number; readonly snapshotEnd: number; readonly sum: number } {
  let end = 0;
  let snapshotEnd = 0;
  let sum = 0;
  const nothing = (verdict: "empty" | "wrong") => ({ verdict, end: 0, snapshotEnd: 0, sum: 0 });
  for (;;) {
    const next = blockAt(octets, end, sum);
    if (next.kind === "corrupt") return nothing("wrong");
    if (next.kind !== "block") break;
    const change = decodeChange(next.content, table.schema);
    if (change === undefined || !table.take(change)) return nothing("wrong");
    ({ end, sum } = next);
    snapshotEnd ||= end;
  }
  if (end < blockHead) return nothing("empty");
  return table.loaded() ? { verdict: "right", end, snapshotEnd, sum } : nothing("wrong");
}
