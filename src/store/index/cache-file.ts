/**
 * The cache file of a mailbox: facts of messages, kept ready. The table has where the record of a row is; the record has the key of the
 * message, so that a delivery can add one without opening the index, a lost index finds all of them again, and a cache
 * file of another mailbox is of no effect. All of it can be made again.
 *
 * Legal states: absent; any file of records (facts-record.ts) with anything between them; `.tmp`, a compaction that was not finished.
 * It is compacted by the process that writes the index, when more than half of it belongs to no message.
 */
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { createOnly, writeFully } from "../durable.ts";
import { errno } from "../faults.ts";
import { breathe } from "../serial.ts";
import type { Schema } from "./columns.ts";
import { appendRecords, fits, keyLengthOf, nextMagic, nextRecord, recordAt, recordEnd, recordHead, recordLimit, type Appended } from "./facts-record.ts";
import type { IndexPlace, MailIndex } from "./mail-index.ts";
import { PendingFacts, type Waiting } from "./pending-facts.ts";
import { SoundRecords } from "./sound-records.ts";

/** How a store names its messages. */
export interface Keys {
  keyOf(row: number): Buffer;
  /** Whether these octets are the key of a row. */
  isKey(row: number, octets: Buffer, from: number, to: number): boolean;
  /** -1 when no message has the key. */
  rowOf(key: Buffer): number;
}

/** Octets read ahead: little for one message, more while they are asked for in the order of the file. */
const leastWindow = 16 * 1024;
const mostWindow = 1 << 20;
/** Facts kept in memory until there are so many octets, and then for another moment, ms: they are not written while somebody waits for an answer; or until there are many, or `save`. */
const pendingWorth = 256 * 1024;
const pendingPause = 1000;
const pendingLimit = 2 << 20;
/** So many spoilt records in one window, and the rest of it is passed over: each may cost a checksum of 1 MiB. */
const spoiltLimit = 256;
/** Smaller files are not compacted. */
const worthCompacting = 1 << 20;

export class CacheFile<X extends Schema> {
  readonly #index: MailIndex<X>;
  readonly #place: IndexPlace;
  readonly #keys: Keys;
  #fd: number | undefined;
  /** A view of `room`, which the next one is read into. */
  #window: Buffer = Buffer.alloc(0);
  #room: Buffer = Buffer.alloc(0);
  #windowAt = 0;
  #ahead = leastWindow;
  readonly #sound = new SoundRecords<X>();
  /** Records may have come that were not looked at. */
  #news = true;
  readonly #pending = new PendingFacts();
  #timer: NodeJS.Timeout | undefined;
  #compacting = false;
  /** Size at which it is worth asking again how much is dead. */
  #askAt = worthCompacting;
  #complained = false;

  constructor(index: MailIndex<X>, place: IndexPlace, keys: Keys) {
    this.#index = index;
    this.#place = place;
    this.#keys = keys;
  }

  /** Facts of a row, good until the next call; undefined when none are kept. Never throws. */
  facts(row: number): Buffer | undefined {
    const { at } = this.#index.table;
    const pending = this.#pending.get(at.uid[row]);
    if (pending !== undefined) return pending;
    if (this.#news && at.factsLength[row] === 0) this.#trying(() => this.#look());
    if (at.factsLength[row] === 0) return undefined;
    try {
      const facts = this.#read(row);
      if (facts !== undefined) return facts;
    } catch (error) {
      this.#complain(error);
    }
    this.#index.table.set("factsLength", row, 0);
    return undefined;
  }

  /** Keeps facts of a row; of several, where they wait, the longest say most. Never throws. */
  keep(row: number, facts: Buffer): void {
    const uid = this.#index.table.at.uid[row];
    const key = this.#keys.keyOf(row);
    if (this.#pending.lengthOf(uid) >= facts.length || !fits({ key, facts })) return;
    this.#pending.put(uid, key, facts);
    if (this.#pending.octets > pendingLimit) this.#write(true);
    else if (this.#pending.octets > pendingWorth) this.#timer ??= setTimeout(() => this.#saveLater(), pendingPause).unref();
  }

  #saveLater(): void {
    this.save();
    this.#index.saveSoon();
  }

  /** A message has other octets now: what waits of it is void. */
  forget(uid: number): void {
    this.#pending.drop(uid);
  }

  /** A delivery may have added records. */
  note(): void {
    this.#news = true;
  }

  /** Writes what is to be kept. Never throws. */
  save(): void {
    this.#write(false);
  }

  /** @param more there is more to come */
  #write(more: boolean): void {
    if (this.#pending.octets > 0) this.#append(this.#pending.waiting((uid) => this.#index.table.rowOf(uid) >= 0));
    this.#forgetPending(more);
  }

  #forgetPending(more = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.clear(more);
  }

  #append(waiting: Waiting): void {
    this.#trying(() => {
      const added = appendRecords(this.#place.path(), waiting.records);
      const { cache } = this.#index.table;
      // In a file that is new there is nothing before them.
      if (added?.from === cache.end && (added.inode === cache.inode || cache.inode === "")) this.#added(waiting, added);
      else this.#look();
    });
  }

  /** Takes over records that stand where nothing else is that was not looked at. */
  #added({ records, places }: Waiting, { inode, from, end }: Appended): void {
    const { table } = this.#index;
    for (const [uid, at] of places) {
      const row = table.rowOf(uid);
      table.set("factsAt", row, from + at);
      table.set("factsLength", row, records.readUInt32LE(at + 8));
    }
    table.cache = { inode, end };
    if (end >= this.#askAt) void this.#compact(end);
  }

  /** Forgets where anything is: the index was made anew. */
  reset(): void {
    this.#forgetPending();
    this.#news = true;
  }

  /** Removes the file. Never throws. */
  discard(): void {
    this.reset();
    this.#trying(() => rmSync(this.#place.path(), { force: true }));
    this.#forget("");
  }

  close(): void {
    this.save();
    this.#letGo();
  }

  #letGo(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#window = this.#room = Buffer.alloc(0);
  }

  #trying(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    if (errno(error) === "ENOENT") return;
    if (!this.#complained) this.#place.log(`cache ${this.#place.path()}: ${errno(error) || String(error)}`);
    this.#complained = true;
  }

  /** The descriptor of the file that the table speaks of. */
  #file(): number {
    this.#fd ??= openSync(this.#place.path(), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return this.#fd;
  }

  #read(row: number): Buffer | undefined {
    const { table } = this.#index;
    const at = table.at.factsAt[row];
    let sound = this.#sound.has(table, row);
    let end = at < this.#windowAt ? "short" : recordEnd(this.#window, at - this.#windowAt, sound);
    if (end === "short") {
      this.#fill(at, recordHead + this.#keys.keyOf(row).length + table.at.factsLength[row]);
      sound = this.#sound.has(table, row);
      end = recordEnd(this.#window, at - this.#windowAt, sound);
    }
    if (end === undefined || end === "short") return undefined;
    if (!sound) this.#sound.add(table, row);
    const key = at - this.#windowAt + recordHead;
    const facts = key + keyLengthOf(this.#window, key - recordHead);
    return this.#keys.isKey(row, this.#window, key, facts) ? this.#window.subarray(facts, end) : undefined;
  }

  #fill(at: number, length: number): void {
    const after = at - (this.#windowAt + this.#window.length);
    // Asked for in order, with some passed over that are not wanted.
    this.#ahead = after >= -length && after < mostWindow ? Math.min(mostWindow, this.#ahead * 4) : leastWindow;
    const wanted = Math.max(length, this.#ahead);
    if (this.#room.length < wanted) this.#room = Buffer.allocUnsafeSlow(wanted);
    // What is read over is not what the window says it is.
    this.#window = this.#room.subarray(0, 0);
    const fd = this.#file();
    this.#sound.look(fd);
    this.#window = readInto(fd, at, this.#room.subarray(0, wanted));
    this.#sound.look(fd);
    this.#windowAt = at;
  }

  /** Looks through what was added since the last time. */
  #look(): void {
    this.#news = false;
    const { table } = this.#index;
    const stats = statSync(this.#place.path(), { bigint: true });
    if (`${stats.ino}` !== table.cache.inode || Number(stats.size) < table.cache.end) this.#forget(`${stats.ino}`);
    const size = Number(stats.size);
    let at = table.cache.end;
    while (at < size) {
      const octets = readAt(this.#file(), at, mostWindow + recordLimit);
      const done = this.#takeRecords(octets, at);
      if (done === 0) break;
      at += done;
    }
    if (at !== table.cache.end) table.cache = { inode: table.cache.inode, end: at };
    if (size >= this.#askAt) void this.#compact(size);
  }

  /** How far in `octets` there is nothing more to find. */
  #takeRecords(octets: Buffer, from: number): number {
    const { table } = this.#index;
    let at = 0;
    for (let spoilt = 0; at < octets.length; ) {
      const record = recordAt(octets, at);
      if (record === "short" && at > mostWindow) break;
      if (record === "short" || record === undefined) {
        // One that is not finished waits for its end, unless a whole one comes behind it.
        const next = record === "short" ? nextRecord(octets, at + 1) : nextMagic(octets, at + 1);
        if (next === undefined) break;
        at = ++spoilt > spoiltLimit ? octets.length : next;
        continue;
      }
      const row = this.#keys.rowOf(record.key);
      if (row >= 0) {
        table.set("factsAt", row, from + at);
        table.set("factsLength", row, record.facts.length);
      }
      at = record.end;
    }
    return at;
  }

  /** The file is another one than it was. */
  #forget(inode: string): void {
    const { table } = this.#index;
    this.#letGo();
    for (let row = 0; row < table.length; row++) table.set("factsLength", row, 0);
    table.cache = { inode, end: 0 };
  }

  // ------------------------------------------------------------ compaction

  async #compact(size: number): Promise<void> {
    if (this.#compacting || !this.#index.writing) return;
    const live = this.#live();
    this.#askAt = Math.max(worthCompacting, Math.ceil(size * 1.25));
    if (size < 2 * live) return;
    this.#compacting = true;
    const temporary = `${this.#place.path()}.tmp`;
    try {
      rmSync(temporary, { force: true });
      await this.#copyLive(temporary);
    } catch (error) {
      this.#trying(() => {
        rmSync(temporary, { force: true });
        throw error;
      });
    } finally {
      this.#compacting = false;
    }
  }

  #live(): number {
    const { length, at } = this.#index.table;
    let live = 0;
    for (let row = 0; row < length; row++) if (at.factsLength[row] > 0) live += recordHead + at.nameLength[row] + at.factsLength[row];
    return live;
  }

  /** Copies records in order of UIDs. Messages may come, go and get facts between two breaths. */
  async #copyLive(temporary: string): Promise<void> {
    const { table } = this.#index;
    const from = openSync(this.#place.path(), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const to = openSync(temporary, createOnly, 0o600);
    const moved: { readonly uid: number; readonly was: number; readonly is: number }[] = [];
    try {
      let end = 0;
      for (let uid = 0; ; ) {
        const records: Buffer[] = [];
        let octets = 0;
        let row = table.rowFrom(uid);
        for (; row < table.length && octets < mostWindow; row++) {
          const length = table.at.factsLength[row];
          if (length === 0) continue;
          const was = table.at.factsAt[row];
          const record = readAt(from, was, recordHead + this.#keys.keyOf(row).length + length);
          moved.push({ uid: table.at.uid[row], was, is: end + octets });
          records.push(record);
          octets += record.length;
        }
        writeFully(to, Buffer.concat(records));
        end += octets;
        if (row >= table.length) break;
        uid = table.at.uid[row];
        await breathe();
        if (table !== this.#index.table || `${fstatSync(from).ino}` !== table.cache.inode) throw new Error("changed meanwhile");
      }
      // What was added to the old file since goes with it: it can be made again.
      renameSync(temporary, this.#place.path());
      this.#settle(moved, fstatSync(to).ino, end);
    } finally {
      closeSync(from);
      closeSync(to);
    }
  }

  #settle(moved: readonly { readonly uid: number; readonly was: number; readonly is: number }[], inode: number, end: number): void {
    const { table } = this.#index;
    const places = new Map(moved.map((one) => [one.uid, one]));
    this.#letGo();
    for (let row = 0; row < table.length; row++) {
      const place = places.get(table.at.uid[row]);
      if (place !== undefined && place.was === table.at.factsAt[row]) table.set("factsAt", row, place.is);
      else table.set("factsLength", row, 0);
    }
    table.cache = { inode: String(inode), end };
    this.#askAt = Math.max(worthCompacting, end * 2);
    this.#index.saveSoon();
  }
}

/** Up to `length` octets at `at`; fewer at the end of the file. */
const readAt = (fd: number, at: number, length: number): Buffer => readInto(fd, at, Buffer.allocUnsafe(length));

function readInto(fd: number, at: number, octets: Buffer): Buffer {
  let got = 0;
  for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(fd, octets, got, octets.length - got, at + got);
  return octets.subarray(0, got);
}
