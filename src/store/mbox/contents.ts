/**
 * What is known of one mbox file, in memory and in its index, and what of that sessions have not been told. It reads no mail by itself:
 * reading.ts fills it from the file, writing.ts changes the file.
 */
import { readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { sameFlags } from "../flags.ts";
import { noChanges } from "../hearers.ts";
import { CacheFile } from "../index/cache-file.ts";
import { MailIndex } from "../index/mail-index.ts";
import type { Changes, ModSeq, Uid } from "../mailbox.ts";
import { BaseFile } from "./base-file.ts";
import { mboxHead, noFile, sameStamp, stampOf, type MboxHead, type Stamp } from "./head.ts";
import { Keywords } from "./keywords.ts";
import type { LockedFile } from "./lock.ts";
import type { Base, State } from "./metadata.ts";
import type { Place } from "./parse.ts";
import { cellsOf, factsKey, MboxMessage, mboxSchema, oldBit, placeOf, writtenBit, type MboxTable } from "./rows.ts";
import { settled, tellApart } from "./settle.ts";
import type { Side } from "./side.ts";

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
  /** Next row whose header is compared in turn (reading.ts). */
  turn = 0;
  /** The file does not say all we know: a UID, a keyword, UIDVALIDITY. */
  unwritten = false;
  /** Messages that got a UID when everything was read last. */
  given = 0;
  messages: readonly MboxMessage[] = [];

  // Not told yet.
  #arrived = false;
  readonly #expunged = new Set<number>();
  /** Messages with other flags, or another size or date. */
  readonly #changed = new Set<number>();
  /** Rows are not in the order that `messages` were made in. */
  #rebuilt = false;
  #modSeq: ModSeq | undefined;
  #changing = false;
  /** As the index has it. */
  #head = "";
  #byPrint: { readonly table: MboxTable; readonly length: number; readonly rows: ReadonlyMap<number, number> } | undefined;

  /** @param log one line for the administrator */
  constructor(side: () => Side, nextUidValidity: () => number, log: (line: string) => void) {
    this.#nextUidValidity = nextUidValidity;
    this.#baseFile = new BaseFile(side);
    this.index = new MailIndex(mboxSchema, { path: () => side().path("index"), log, beforeSave: () => this.#noteHead() });
    this.keywords = new Keywords(() => this.table);
    this.cache = new CacheFile(this.index, { path: () => side().path("cache"), log }, {
      keyOf: (row) => this.keyOf(row),
      isKey: (row, octets, from, to) => {
        const key = this.keyOf(row);
        return key.compare(octets, from, to) === 0;
      },
      rowOf: (key) => this.#rowOfKey(key),
    });
    this.#resume();
  }

  /** Another one after `reset`. */
  get table(): MboxTable {
    return this.index.table;
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
    const head = mboxHead(this.table.head);
    if (head === undefined) {
      if (this.table.length > 0) this.index.reset();
      return;
    }
    ({ id: this.id, uidValidity: this.uidValidity, lastUid: this.lastUid, pseudo: this.pseudo, stamp: this.stamp, tail: this.tail, unwritten: this.unwritten } = head);
    this.keywords.learn(head.keywords);
    this.messages = this.#everyMessage();
  }

  /** Forgets what the file says itself; UIDVALIDITY, the last UID and the keywords are remembered. */
  reset(): void {
    this.index.reset();
    this.cache.reset();
    this.#head = "";
    this.stamp = undefined;
    this.pseudo = undefined;
    this.#rebuilt = true;
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

  #noteHead(): void {
    if (this.id === "") return;
    const { id, uidValidity, lastUid, pseudo, unwritten, tail, stamp } = this;
    const head: MboxHead = { id, uidValidity, lastUid, keywords: this.keywords.spelled, stamp: this.#changing ? noFile : (stamp ?? noFile), tail, pseudo, unwritten };
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
      this.keywords.forget();
      this.reset();
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
    this.#arrived = true;
  }

  /** The message of a row is this one. Of one that another program was still writing the text may have another length now. */
  change(row: number, next: Omit<Row, "uid">): void {
    const { table } = this;
    const { at } = table;
    if (at.print[row] !== next.print || at.size[row] !== next.size) table.set("factsLength", row, 0);
    if (at.size[row] !== next.size || at.date[row] !== next.date) this.#changed.add(at.uid[row] ?? 0);
    this.setFlags(row, next.set);
    for (const name of ["size", "date", "start", "header", "body", "end", "gap", "crc", "print", "bits"] as const) table.set(name, row, next[name]);
  }

  setFlags(row: number, set: number): void {
    const { table } = this;
    if (table.at.set[row] === set) return;
    table.set("set", row, set);
    table.set("modSeq", row, this.#nextModSeq());
    this.#changed.add(table.at.uid[row] ?? 0);
  }

  setPlace(row: number, place: Place): void {
    for (const [name, value] of Object.entries(cellsOf(place)) as [keyof ReturnType<typeof cellsOf>, number][]) this.table.set(name, row, value);
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
    for (const row of rows) this.#expunged.add(this.table.at.uid[row] ?? 0);
    this.table.remove(rows, this.#nextModSeq());
  }

  removeAll(): void {
    this.remove(Array.from({ length: this.table.length }, (_, row) => row));
  }

  /** Takes all rows away to be added again in another order: nothing is expunged by it. */
  lift(): ReadonlyMap<number, { readonly print: number; readonly set: number; readonly modSeq: number; readonly saved: number; readonly factsAt: number; readonly factsLength: number }> {
    const { at, length } = this.table;
    const rows = Array.from({ length }, (_, row) => row);
    const lifted = new Map(rows.map((row) => [at.uid[row] ?? 0, { print: at.print[row] ?? 0, set: at.set[row] ?? 0, modSeq: at.modSeq[row] ?? 0, saved: at.saved[row] ?? NaN, factsAt: at.factsAt[row] ?? 0, factsLength: at.factsLength[row] ?? 0 }]));
    this.table.remove(rows, undefined);
    this.#rebuilt = true;
    return lifted;
  }

  // ------------------------------------------------------------ telling

  #message(row: number): MboxMessage {
    return new MboxMessage(this.table, row, this.keywords.flagsOf(this.table.at.set[row] ?? 0), this.uidValidity);
  }

  #everyMessage(): MboxMessage[] {
    return Array.from({ length: this.table.length }, (_, row) => this.#message(row));
  }

  /** Brings `messages` up to date; what changed in them. */
  tell(): Changes {
    this.#modSeq = undefined;
    if (!this.#rebuilt && !this.#arrived && this.#expunged.size === 0 && this.#changed.size === 0) return noChanges;
    const changes = this.#rebuilt ? this.#compare() : this.#follow();
    this.#rebuilt = false;
    this.#arrived = false;
    this.#expunged.clear();
    this.#changed.clear();
    return changes;
  }

  /** Message n was row n, but for those that came and went. */
  #follow(): Changes {
    const expunged: Uid[] = [];
    const messages = this.messages.filter(({ uid }) => !this.#expunged.has(uid) || expunged.push(uid) === 0);
    const told = messages.length;
    const flagged: MboxMessage[] = [];
    for (const uid of [...this.#changed].sort((a, b) => a - b)) {
      const row = this.table.rowOf(uid);
      if (row < 0 || row >= told) continue;
      const message = this.#message(row);
      if (messages[row]?.flags !== message.flags) flagged.push(message);
      messages[row] = message;
    }
    for (let row = told; row < this.table.length; row++) messages.push(this.#message(row));
    this.messages = messages;
    return { arrived: messages.slice(told), expunged, flagged };
  }

  #compare(): Changes {
    const before = new Map<number, MboxMessage>();
    const expunged: Uid[] = [];
    for (const message of this.messages) {
      if (message.uidValidity !== this.uidValidity || this.table.rowOf(message.uid) < 0) expunged.push(message.uid);
      else before.set(message.uid, message);
    }
    const arrived: MboxMessage[] = [];
    const flagged: MboxMessage[] = [];
    this.messages = this.#everyMessage();
    for (const message of this.messages) {
      const old = before.get(message.uid);
      if (old === undefined) arrived.push(message);
      else if (!sameFlags(old.flags, message.flags)) flagged.push(message);
    }
    return { arrived, expunged, flagged };
  }
}

/** CRC-32 of the last octets of a file of this size. */
export function tailOf(fd: number, size: number): number {
  const octets = Buffer.alloc(Math.min(tailLength, size));
  const got = readSync(fd, octets, 0, octets.length, size - octets.length);
  return crc32(octets.subarray(0, got));
}
