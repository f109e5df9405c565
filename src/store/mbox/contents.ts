/**
 * What is known of one mbox file, in memory and in its index, and what of that sessions have not been told. It reads no mail by itself:
 * reading.ts fills it from the file, writing.ts changes the file.
 */
import { readSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { HeldMessage } from "../held-message.ts";
import { CacheFile } from "../index/cache-file.ts";
import { MailIndex } from "../index/mail-index.ts";
import { modSeqOf } from "../last-change.ts";
import type { Changes, ModSeq } from "../mailbox.ts";
import type { MessageList } from "../message-list.ts";
import { BaseFile } from "./base-file.ts";
import { mboxHead, noFile, sameStamp, stampOf, type MboxHead, type Stamp } from "./head.ts";
import { Keywords } from "./keywords.ts";
import type { LockedFile } from "./lock.ts";
import type { Base, State } from "./metadata.ts";
import type { Place } from "./parse.ts";
import { cellsOf, placeCells, factsKey, mboxSchema, oldBit, placeOf, writtenBit, type MboxTable } from "./rows.ts";
import { settled, tellApart } from "./settle.ts";
import type { Side } from "./side.ts";
import { countsOf, recentRows, Telling } from "./telling.ts";

/** Octets before the end of the file that must be as they were for an append. */
const tailLength = 1024;

const clock = (): number => Date.now() * 1000;

/** A message as it was found in the file. */
export interface Row {
  readonly uid: number;
  readonly set: number;
  readonly size: number;
  readonly date: number;
  readonly start: number;
  readonly header: number;
  readonly body: number;
  readonly end: number;
  readonly gap: number;
  readonly crc: number;
  readonly print: number;
  readonly bits: number;
}

export class Contents {
  readonly index: MailIndex<typeof mboxSchema>;
  readonly cache: CacheFile<typeof mboxSchema>;
  readonly keywords: Keywords;
  readonly #baseFile: BaseFile;
  readonly #nextUidValidity: () => number;

  id = "";
  uidValidity = 0;
  lastUid = 0;
  pseudo: Place | undefined;
  /** Of the file that the rows are of; undefined: nothing may be believed. */
  stamp: Stamp | undefined;
  tail = 0;
  /** How often a message was found to be another one than before. */
  edits = 0;
  /** Next row whose header is compared in turn (reading.ts). */
  turn = 0;
  /** The file does not say all we know: a UID, a keyword, UIDVALIDITY. */
  unwritten = false;
  /** Messages that got a UID when everything was read last. */
  given = 0;
  readonly #telling: Telling;
  /** Of a table that is not read yet: no session has to be told of a message. */
  #noneRecent = false;
  /** A table without such messages, by its changes of them. */
  #seen: { readonly table: MboxTable; readonly state: number } | undefined;
  #modSeq: ModSeq | undefined;
  /** What is known is of the index, and of no look at the file yet. */
  #resumed = true;
  #changing = false;
  /** As the index has it. */
  #head = "";
  #byPrint: { readonly table: MboxTable; readonly length: number; readonly rows: ReadonlyMap<number, number> } | undefined;

  /** @param log one line for the administrator */
  constructor(side: () => Side, nextUidValidity: () => number, log: (line: string) => void) {
    this.#nextUidValidity = nextUidValidity;
    this.#baseFile = new BaseFile(side);
    this.index = new MailIndex(mboxSchema, { path: () => side().path("index"), log, beforeSave: () => this.#noteHead(), deferred: true });
    this.keywords = new Keywords(() => this.table);
    this.cache = new CacheFile(this.index, { path: () => side().path("cache"), log }, {
      keyOf: (row) => this.keyOf(row),
      isKey: (row, octets, from, to) => {
        const key = this.keyOf(row);
        return key.compare(octets, from, to) === 0;
      },
      rowOf: (key) => this.#rowOfKey(key),
    });
    this.#telling = new Telling(this);
    this.#resume();
  }

  /** Read when it is first wanted; another one after `reset`. */
  get table(): MboxTable {
    if (this.index.outline !== undefined) this.#load();
    return this.index.table;
  }

  #load(): void {
    this.#noneRecent = false;
    if (this.index.load()) return this.#telling.loaded();
    // Damaged: everything is read again.
    this.#telling.forgetAll();
    this.cache.reset();
    this.#head = "";
    this.stamp = undefined;
    this.pseudo = undefined;
  }

  /** Messages as sessions were told of them. */
  get list(): MessageList<HeldMessage> {
    return this.#telling.list;
  }

  /** That is known without a look at rows. */
  get noneRecent(): boolean {
    return this.#noneRecent || (this.#seen !== undefined && this.#seen.table === this.table && this.#seen.state === this.table.changesOf("bits"));
  }

  /** Rows of messages that no session was told of. */
  recent(): Uint32Array {
    if (this.noneRecent) return new Uint32Array(0);
    const { table } = this;
    const state = table.changesOf("bits");
    const rows = recentRows(table);
    this.#seen = rows.length === 0 ? { table, state } : undefined;
    return rows;
  }

  get base(): Base {
    return { uidValidity: this.uidValidity, lastUid: this.lastUid, keywords: this.keywords.spelled };
  }

  place(row: number): Place {
    return placeOf(this.table, row);
  }

  /** First row that begins at this octet or later. */
  rowAt(octet: number): number {
    const starts = this.table.at.start;
    let low = 0;
    let high = this.table.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) < octet) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  state(row: number): State {
    const { at } = this.table;
    return { flags: this.keywords.flagsOf(at.set[row] ?? 0), old: ((at.bits[row] ?? 0) & oldBit) !== 0 };
  }

  // ------------------------------------------------------------ from and to the index

  #resume(): void {
    const { outline } = this.index;
    const head = mboxHead(outline === undefined ? this.table.head : outline.head);
    if (head === undefined) {
      if (this.table.length > 0) this.index.reset();
      return;
    }
    ({ id: this.id, uidValidity: this.uidValidity, lastUid: this.lastUid, pseudo: this.pseudo, stamp: this.stamp, tail: this.tail, unwritten: this.unwritten } = head);
    this.keywords.learn(head.keywords);
    this.#telling.resume(outline?.rows, head.counts?.unseen);
    if (outline !== undefined && head.counts === undefined) this.#load();
    this.#noneRecent = this.index.outline !== undefined && head.counts?.recent === 0;
  }

  /**
   * The file is looked at. Where it is not as the index says when that is done first, the index may have missed what clients were told.
   *
   * @param changed ctime of the file where it is not as it is known, ms since the epoch
   */
  looking(changed: number | undefined): void {
    if (this.#resumed && changed !== undefined) this.table.reach(modSeqOf([changed], Date.now()));
    this.#resumed = false;
  }

  /** Nobody has looked at the file yet. */
  get resumed(): boolean {
    return this.#resumed;
  }

  /** Forgets what the file says itself; UIDVALIDITY, the last UID and the keywords are remembered. */
  reset(): void {
    // Made from rows that will not be there.
    void this.list.all;
    this.index.reset();
    this.cache.reset();
    this.#head = "";
    this.stamp = undefined;
    this.pseudo = undefined;
    this.#telling.rebuilt();
  }

  isCurrent(now: Stamp): boolean {
    return this.stamp !== undefined && sameStamp(this.stamp, now);
  }

  /** The rows are those of the file as it is now. @param own the last change was a write of our own */
  async note(file: LockedFile, own: boolean): Promise<void> {
    const known = this.stamp;
    if (own) tellApart(file, known === undefined ? undefined : { size: known.size, second: Number(BigInt(known.modified) / 1_000_000_000n) });
    const stamp = stampOf(own ? file.stats() : await settled(file));
    this.stamp = stamp;
    this.tail = tailOf(file.fd, stamp.size);
    if (this.id === "") this.id = `${this.uidValidity.toString(16)}-${stamp.inode}`;
    this.#changing = false;
    this.index.saveSoon();
    this.#baseFile.note(this.uidValidity, this.lastUid);
  }

  /** Rows are about to change, until `note`. An index saved meanwhile says that they are of no file. */
  begin(): void {
    this.#changing = true;
  }

  /** Rows are those of the file, as far as that is known. */
  get settled(): boolean {
    return !this.#changing;
  }

  #noteHead(): void {
    if (this.id === "") return;
    const { id, uidValidity, lastUid, pseudo, unwritten, tail, stamp } = this;
    const head: MboxHead = { id, uidValidity, lastUid, keywords: this.keywords.spelled, stamp: this.#changing ? noFile : (stamp ?? noFile), tail, pseudo, unwritten, counts: countsOf(this) };
    const text = JSON.stringify(head);
    if (text === this.#head) return;
    this.#head = text;
    this.table.head = head;
  }

  /** The folder has another name. */
  relocated(): void {
    this.#baseFile.forget();
  }

  close(): void {
    this.cache.close();
    this.index.close();
  }

  // ------------------------------------------------------------ facts

  keyOf(row: number): Buffer {
    const { at } = this.table;
    return factsKey(at.print[row] ?? 0, at.size[row] ?? 0, at.date[row] ?? 0);
  }

  #rowOfKey(key: Buffer): number {
    const { table } = this;
    const { length } = table;
    if (this.#byPrint?.table !== table || this.#byPrint.length !== length) this.#byPrint = { table, length, rows: new Map(Array.from({ length }, (_, row) => [table.at.print[row] ?? 0, row])) };
    const row = this.#byPrint.rows.get(Number.parseInt(key.toString("latin1"), 16)) ?? -1;
    return row >= 0 && this.keyOf(row).equals(key) ? row : -1;
  }

  // ------------------------------------------------------------ UIDs

  /** UIDVALIDITY and last UID: of the file, else of memory, else of the side file, else new. */
  baseFor(base: Base | undefined): Pick<Base, "uidValidity" | "lastUid"> {
    if (base !== undefined) {
      const known = this.uidValidity === base.uidValidity ? this.lastUid : 0;
      const side = this.#baseFile.read();
      return { uidValidity: base.uidValidity, lastUid: Math.max(known, base.lastUid, side?.uidValidity === base.uidValidity ? side.lastUid : 0) };
    }
    if (this.uidValidity !== 0) return { uidValidity: this.uidValidity, lastUid: this.lastUid };
    return this.#baseFile.read() ?? { uidValidity: this.#nextUidValidity(), lastUid: 0 };
  }

  settle({ uidValidity, lastUid }: Pick<Base, "uidValidity" | "lastUid">): void {
    if (this.uidValidity !== uidValidity && this.uidValidity !== 0) {
      // Another mailbox: its UIDs mean other messages.
      this.reset();
      this.keywords.forget();
      this.id = "";
    }
    this.uidValidity = uidValidity;
    this.lastUid = lastUid;
  }

  // ------------------------------------------------------------ rows

  /** One MODSEQ for what is told together. */
  #nextModSeq(): ModSeq {
    return (this.#modSeq ??= this.table.nextModSeq(clock()));
  }

  /** @param saved when it came, ms since the epoch; NaN when that is not known */
  add(row: Row, saved: number, modSeq: number = this.#nextModSeq(), facts = { factsAt: 0, factsLength: 0 }): void {
    this.table.add({ ...row, saved, modSeq, ...facts, nameAt: 0, nameLength: 0 });
    this.#telling.arrived();
  }

  /** The message of a row is this one. Of one that another program was still writing the text may have another length now. */
  change(row: number, next: Omit<Row, "uid">): void {
    const { table } = this;
    const { at } = table;
    if (at.print[row] !== next.print || at.size[row] !== next.size) {
      table.set("factsLength", row, 0);
      this.edited(at.uid[row] ?? 0);
    }
    this.setFlags(row, next.set);
    for (const name of ["size", "date", "start", "header", "body", "end", "gap", "crc", "print", "bits"] as const) table.set(name, row, next[name]);
  }

  /** A message has other octets than before. */
  edited(uid: number): void {
    this.edits++;
    this.cache.forget(uid);
  }

  setFlags(row: number, set: number): void {
    const { table } = this;
    if (table.at.set[row] === set) return;
    table.set("set", row, set);
    table.set("modSeq", row, this.#nextModSeq());
    this.#telling.changed(table.at.uid[row] ?? 0);
  }

  setPlace(row: number, place: Place): void {
    const cells = cellsOf(place);
    for (const name of placeCells) this.table.set(name, row, cells[name]);
  }

  /** The message begins elsewhere, and is as it was. */
  move(row: number, start: number): void {
    this.table.set("start", row, start);
  }

  /** The file has this state and UID now. */
  setWritten(row: number, state: State, crc: number): void {
    this.setFlags(row, this.keywords.setOf(state.flags));
    this.table.set("crc", row, crc);
    this.table.set("bits", row, ((this.table.at.bits[row] ?? 0) & ~oldBit) | writtenBit | (state.old ? oldBit : 0));
  }

  /** @param rows ascending */
  remove(rows: readonly number[]): void {
    if (rows.length === 0) return;
    this.#telling.expunged(rows);
    this.table.remove(rows, this.#nextModSeq());
  }

  removeAll(): void {
    this.remove(Array.from({ length: this.table.length }, (_, row) => row));
  }

  /** Takes all rows away to be added again in another order: nothing is expunged by it. */
  lift(): ReadonlyMap<number, { readonly print: number; readonly size: number; readonly set: number; readonly modSeq: number; readonly saved: number; readonly factsAt: number; readonly factsLength: number }> {
    const { at, length } = this.table;
    const rows = Array.from({ length }, (_, row) => row);
    const lifted = new Map(rows.map((row) => [at.uid[row] ?? 0, { print: at.print[row] ?? 0, size: at.size[row] ?? NaN, set: at.set[row] ?? 0, modSeq: at.modSeq[row] ?? 0, saved: at.saved[row] ?? NaN, factsAt: at.factsAt[row] ?? 0, factsLength: at.factsLength[row] ?? 0 }]));
    this.table.remove(rows, undefined);
    this.#telling.rebuilt();
    return lifted;
  }

  // ------------------------------------------------------------ telling

  /** The rows of the table are the messages of `list`, one by one, with the same numbers. */
  get allTold(): boolean {
    return this.#telling.allTold;
  }

  /** Brings `list` up to date; what changed in it. */
  tell(): Changes {
    this.#modSeq = undefined;
    return this.#telling.tell();
  }
}

/** CRC-32 of the last octets of a file of this size. */
export function tailOf(fd: number, size: number): number {
  const octets = Buffer.alloc(Math.min(tailLength, size));
  const got = readSync(fd, octets, 0, octets.length, size - octets.length);
  return crc32(octets.subarray(0, got));
}
