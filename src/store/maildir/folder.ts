/**
 * What is known of one Maildir folder, in memory and in its index, and what of that sessions have not been told. It reads nothing by itself: sync.ts does.
 */
import { statSync } from "node:fs";
import { errno } from "../faults.ts";
import { sameFlags } from "../flags.ts";
import { noChanges } from "../hearers.ts";
import { CacheFile } from "../index/cache-file.ts";
import { MailIndex } from "../index/mail-index.ts";
import type { Changes, Flags, ModSeq, Uid } from "../mailbox.ts";
import { listOf, type MessageList } from "../message-list.ts";
import { Directory } from "./directory.ts";
import { lettersIn, sizeIn, timeIn } from "./filename.ts";
import { folderHead, type FolderHead } from "./head.ts";
import { KeywordFile } from "./keywords.ts";
import { MessageFiles } from "./message-files.ts";
import { listed, messagesAt } from "./listed.ts";
import { MaildirMessage } from "./message.ts";
import { Names } from "./names.ts";
import { OtherKeywords } from "./other-keywords.ts";
import { maildirSchema, nowhere, type MaildirTable, type NewFiles, type Place } from "./row.ts";
import { UidlistFile } from "./uidlist-file.ts";
import { fieldNumber, type UidlistHeader } from "./uidlist.ts";

export interface MaildirPlace {
  /** The folder's directory; a rename of the folder changes it. */
  path: string;
  name: string;
}

export class Folder {
  readonly place: MaildirPlace;
  readonly log: (line: string) => void;
  readonly keywords: KeywordFile;
  readonly others: OtherKeywords;
  readonly files: MessageFiles;
  readonly uidlist: UidlistFile;
  readonly cur: Directory;
  readonly fresh: Directory;
  readonly index: MailIndex<typeof maildirSchema>;
  readonly cache: CacheFile<typeof maildirSchema>;
  #names: Names | undefined;

  header: UidlistHeader | undefined;
  nextUid = 1;
  /** Highest UID any session may have seen: a lower one must not appear any more. */
  highest = 0;
  /** Lines of the uidlist that have no message. */
  dead = 0;
  /** The uidlist on disk says less than we know: write all of it. */
  rewrite = false;
  /** Recent although in cur/: appended or flagged by us before any session claimed them. */
  readonly recent = new Set<number>();

  list: MessageList<MaildirMessage> = listOf([]);
  /** Known but not told yet. */
  #expunged: number[] = [];
  #arrived: number[] = [];
  /** UIDs; some may be in it more than once, or gone meanwhile. */
  #flagged: number[] = [];
  #modSeq: ModSeq | undefined;
  /** µs since the epoch. */
  #lookedAt: number | undefined;
  /** The state of `dovecot-keywords` the flags of `list` were made with. */
  #labelled = 0;
  #written = "";

  constructor(place: MaildirPlace, log: (line: string) => void, alone = false) {
    this.place = place;
    this.log = log;
    this.keywords = new KeywordFile(place);
    this.others = new OtherKeywords(this);
    this.files = new MessageFiles(this);
    this.uidlist = new UidlistFile(place);
    this.cur = new Directory(() => `${place.path}/cur`, alone);
    this.fresh = new Directory(() => `${place.path}/new`, alone);
    this.index = new MailIndex(maildirSchema, { path: () => `${place.path}/posthorn.index`, log, beforeSave: () => this.#noteHead() });
    this.cache = new CacheFile(this.index, { path: () => `${place.path}/posthorn.cache`, log }, {
      keyOf: (row) => this.#base(row),
      rowOf: (key) => this.visible(this.names.rowOf(key, 0, key.length)),
    });
    this.#resume();
  }

  get table(): MaildirTable {
    return this.index.table;
  }

  /** Made when they are asked for: a folder that did not change needs none. */
  get names(): Names {
    this.#names ??= new Names(this.table);
    return this.#names;
  }

  /** Before many are added: they are looked up seldom enough. */
  forgetNames(): void {
    this.#names = undefined;
  }

  #base(row: number): Buffer {
    return this.table.name(row).subarray(0, this.table.at.baseLength[row]);
  }

  // ------------------------------------------------------------ from and to the index

  #resume(): void {
    const head = folderHead(this.table.head);
    if (head === undefined) {
      if (this.table.length > 0) this.#anew();
      return;
    }
    const { uidValidity, guid, others, nextUid } = head;
    // Another folder's, perhaps with its uidlist: believed only if that agrees.
    const moved = head.folder !== this.#inode();
    this.header = { uidValidity, guid, others, nextUid };
    this.nextUid = nextUid;
    this.highest = head.highest;
    this.dead = head.dead;
    if (moved && statSync(`${this.place.path}/dovecot-uidlist`, { throwIfNoEntry: false }) === undefined) {
      this.log(`${this.place.path}/posthorn.index is another folder's: not used`);
      this.#anew();
      return;
    }
    this.uidlist.state = moved ? undefined : head.uidlist;
    this.cur.resume(moved ? undefined : head.cur);
    this.fresh.resume(moved ? undefined : head.new);
    this.keywords.look();
    this.others.resume(head.extra);
    this.list = listed(this);
    this.#labelled = this.keywords.version;
  }

  #inode(): string {
    return String(statSync(`${this.place.path}/cur`, { bigint: true }).ino);
  }

  #noteHead(): void {
    const { header, nextUid, highest, dead } = this;
    if (header === undefined) return;
    const { uidValidity, guid, others } = header;
    let head: FolderHead;
    try {
      const stamps = this.rewrite ? {} : { uidlist: this.uidlist.state, cur: this.cur.stamp(), new: this.fresh.stamp() };
      head = { uidValidity, guid, others, nextUid, highest, dead, folder: this.#inode(), ...stamps, keywords: this.keywords.identity, extra: this.others.identity };
    } catch (error) {
      // Removed with its directory.
      if (errno(error) === "ENOENT") return;
      throw error;
    }
    const text = JSON.stringify(head);
    if (text === this.#written) return;
    this.#written = text;
    this.table.head = head;
  }

  #anew(): void {
    this.index.reset();
    this.cache.reset();
    this.#names = undefined;
    this.header = undefined;
    this.nextUid = 1;
    this.highest = 0;
    this.dead = 0;
    this.#written = "";
    this.others.resume("");
  }

  /** Nothing of what was known is so: all messages are expunged, and UIDs begin anew. */
  forgetAll(): void {
    for (const message of this.list.all) if (this.visible(this.table.rowOf(message.uid)) >= 0) this.#gone(this.table.rowOf(message.uid));
    this.#arrived = [];
    this.#flagged = [];
    this.recent.clear();
    this.#anew();
    this.cur.doubt();
    this.fresh.doubt();
  }

  /** Everything is to be read again, and what can be made again to be made. Rows stay, with their UIDs, until something contradicts them. */
  doubtAll(): void {
    const { table } = this;
    this.uidlist.state = undefined;
    this.cur.doubt();
    this.fresh.doubt();
    this.cache.discard();
    for (let row = 0; row < table.length; row++) {
      table.set("size", row, this.files.writtenSize(row));
      table.set("date", row, NaN);
    }
    this.others.look(true);
    this.index.rewrite();
  }

  // ------------------------------------------------------------ rows

  /** The row when it is a message sessions may see, else -1. */
  visible(row: number): number {
    return row >= 0 && this.table.at.place[row] !== nowhere ? row : -1;
  }

  rowOf(uid: number): number {
    return this.visible(this.table.rowOf(uid));
  }

  flagsOf(row: number): Flags {
    const { table } = this;
    return this.keywords.flagsOf(lettersIn(table.setAt(table.at.set[row])), table.setAt(table.at.more[row]));
  }

  /** Of what happens until sessions are told. */
  get changing(): ModSeq {
    this.#modSeq ??= this.table.nextModSeq(this.#lookedAt ?? Date.now() * 1000);
    return this.#modSeq;
  }

  /** A look at the disk begins: what it misses has a higher MODSEQ in the process that did it. */
  looking(): void {
    this.#lookedAt = Date.now() * 1000;
  }

  /** The uidlist names messages whose files were not met yet. */
  get pending(): boolean {
    const { length, at } = this.table;
    // Their UIDs are above all that were seen.
    return length > 0 && at.place[length - 1] === nowhere;
  }

  /** Adds a message with the highest UID. The name is octets of a file name or a uidlist line. @param set what follows it in the file's name */
  add(uid: number, place: Place, set: number, octets: Buffer, from: number, to: number, fields: string): number {
    const { table } = this;
    const nameAt = table.keep(octets, from, to);
    if (fields !== "") table.keep(Buffer.from(fields, "latin1"));
    const size = sizeIn(octets, "W", from, to) ?? fieldNumber(fields, "W") ?? NaN;
    const seconds = timeIn(octets, from, to);
    const row = table.add({
      uid,
      set,
      modSeq: this.changing,
      size,
      date: NaN,
      saved: seconds === undefined ? NaN : seconds * 1000,
      factsAt: 0,
      factsLength: 0,
      nameAt,
      nameLength: to - from + fields.length,
      place,
      more: 0,
      baseLength: to - from,
    });
    this.#names?.added(row);
    this.nextUid = Math.max(this.nextUid, uid + 1);
    return row;
  }

  /** Adds messages with the UIDs from `first` on, the highest, in order; `arrivedFrom` makes them visible. */
  addAll(first: number, files: NewFiles): void {
    const { table } = this;
    const { length, octets } = files;
    if (length === 0) return;
    const base = table.keep(octets);
    const firstRow = table.addRows(length);
    const { uid, place, set, modSeq, size, date, saved, nameAt, nameLength, baseLength } = table.fresh;
    const now = this.changing;
    modSeq.fill(now, firstRow);
    date.fill(NaN, firstRow);
    for (let i = 0, row = firstRow; i < length; i++, row++) {
      const from = files.from[i];
      const to = files.to[i];
      uid[row] = first + i;
      place[row] = files.place[i];
      set[row] = files.set[i];
      size[row] = sizeIn(octets, "W", from, to) ?? NaN;
      const seconds = timeIn(octets, from, to);
      saved[row] = seconds === undefined ? NaN : seconds * 1000;
      nameAt[row] = base + from;
      nameLength[row] = baseLength[row] = to - from;
    }
    if (this.#names !== undefined) for (let row = firstRow; row < table.length; row++) this.#names.added(row);
    this.nextUid = Math.max(this.nextUid, first + length);
  }

  /** Rows just added, from this UID on, have become messages that sessions may see. */
  arrivedFrom(first: number): void {
    const { table } = this;
    const { uid } = table.at;
    const { length } = table;
    const from = table.rowFrom(first);
    for (let row = from; row < length; row++) this.#arrived.push(uid[row]);
    if (from < length && this.others.awaiting) for (let row = from; row < length; row++) this.others.arrived(row);
    this.highest = Math.max(this.highest, this.nextUid - 1);
    this.cache.note();
  }

  /** A row has become a message that sessions may see. */
  arrived(row: number): void {
    const { table } = this;
    const uid = table.at.uid[row];
    table.set("modSeq", row, this.changing);
    this.others.arrived(row);
    this.highest = Math.max(this.highest, uid);
    this.#arrived.push(uid);
    this.cache.note();
  }

  /** The name or flags of a message are other ones. Its row has another MODSEQ at once: the index may be saved before sessions are told. */
  flagged(uid: number): void {
    const row = this.rowOf(uid);
    if (row >= 0) this.flaggedRow(row);
    else this.#flagged.push(uid);
  }

  flaggedRow(row: number): void {
    this.#flagged.push(this.table.at.uid[row]);
    this.table.set("modSeq", row, this.changing);
  }

  /** Removes rows, given ascending. */
  drop(rows: readonly number[]): void {
    if (rows.length === 0) return;
    const unseen = new Set(this.#arrived);
    const seen: number[] = [];
    const never: number[] = [];
    for (const row of rows) {
      const uid = this.table.at.uid[row];
      if (this.visible(row) < 0 || unseen.has(uid)) never.push(row);
      else {
        this.#gone(row);
        seen.push(row);
      }
      this.recent.delete(uid);
    }
    this.dead += rows.length;
    if (never.length > 0) {
      const uids = new Set(never.map((row) => this.table.at.uid[row]));
      this.#arrived = this.#arrived.filter((uid) => !uids.has(uid));
    }
    // By UID: the first removal gives the rows of the second other numbers.
    const uids = seen.map((row) => this.table.at.uid[row]);
    this.table.remove(never, undefined);
    this.table.remove(uids.map((uid) => this.table.rowOf(uid)), this.changing);
  }

  /** Rows from this UID on never became messages: their files are gone again. */
  takeBack(first: number): void {
    const { table } = this;
    const from = table.rowFrom(first);
    this.dead += table.length - from;
    table.remove(Array.from({ length: table.length - from }, (_, i) => from + i), undefined);
  }

  /** Messages handed out keep what is known. */
  #gone(row: number): void {
    const uid = this.table.at.uid[row];
    this.#expunged.push(uid);
    const message = this.list.all.at(indexOf(this.list.all, uid));
    const saved = this.files.savedOf(uid);
    const date = this.table.at.date[row];
    const known = { size: this.table.at.size[row] || 0, date: Number.isNaN(date) ? (saved ?? 0) : date, guid: this.files.guidOf(uid) };
    if (message?.uid === uid) message.becomes({ sizeOf: () => known.size, dateOf: () => known.date, savedOf: () => saved, guidOf: () => known.guid });
  }

  // ------------------------------------------------------------ telling

  /** Rows of messages, which are often one behind the other. */
  #rowsOf(uids: readonly number[]): number[] {
    const { table } = this;
    let row = -1;
    return uids.map((uid) => (row = row >= 0 && row + 1 < table.length && table.at.uid[row + 1] === uid ? row + 1 : table.rowOf(uid)));
  }

  /** Brings `list` up to date. What happened since the last time. */
  tell(): Changes {
    const changes = this.#changes();
    this.#modSeq = undefined;
    this.#lookedAt = undefined;
    return changes;
  }

  #changes(): Changes {
    // What letters mean has changed.
    if (this.#labelled !== this.keywords.version) for (const { uid } of this.list.all) this.#flagged.push(uid);
    this.#labelled = this.keywords.version;
    if (this.#expunged.length === 0 && this.#arrived.length === 0 && this.#flagged.length === 0) return noChanges;
    const { table } = this;
    // Of a change of our own the last part was made just now.
    if (this.#lookedAt === undefined) this.#modSeq = undefined;
    if (this.list.length === 0 && this.#expunged.length === 0) return this.#firstSeen();
    let messages = this.list.all.slice();
    const flagged: MaildirMessage[] = [];
    const known = new Map<number, Flags>();
    let [i, row] = [-1, -1];
    for (const uid of this.#flagged) {
      // Mostly the one behind the last.
      i = messages[i + 1]?.uid === uid ? i + 1 : indexOf(messages, uid);
      row = row + 1 < table.length && table.at.uid[row + 1] === uid ? this.visible(row + 1) : this.rowOf(uid);
      if (i < 0 || row < 0) continue;
      const key = table.at.set[row] + table.at.more[row] * 0x1_0000_0000;
      let flags = known.get(key);
      if (flags === undefined) known.set(key, (flags = this.flagsOf(row)));
      const before = messages[i];
      if (flags === before.flags) continue;
      const same = sameFlags(before.flags, flags);
      if (!same) table.set("modSeq", row, this.changing);
      const next = new MaildirMessage(this.files, uid, flags, table.at.modSeq[row]);
      before.becomes(next);
      messages[i] = next;
      if (!same) flagged.push(next);
    }
    if (this.#expunged.length > 0) {
      const gone = new Set(this.#expunged);
      messages = messages.filter((message) => !gone.has(message.uid));
    }
    const arrived = messagesAt(this, this.#rowsOf(this.#arrived.sort((a, b) => a - b)));
    messages = messages.concat(arrived);
    const expunged = this.#expunged.sort((a, b) => a - b) as Uid[];
    this.list = listOf(messages);
    this.#told();
    return { arrived, expunged, flagged: flagged.sort((a, b) => a.uid - b.uid) };
  }

  #told(): void {
    this.#expunged = [];
    this.#arrived = [];
    this.#flagged = [];
    this.index.saveSoon();
  }

  /** There were none before: all have arrived. */
  #firstSeen(): Changes {
    const list = listed(this);
    this.list = list;
    this.#told();
    return {
      get arrived() {
        return list.all;
      },
      expunged: [],
      flagged: [],
    };
  }

  close(): void {
    this.cache.close();
    this.index.close();
    this.cur.close();
    this.fresh.close();
  }
}

/** Place of a UID in an ascending array, -1 when it is not there. */
export function indexOf(messages: readonly MaildirMessage[], uid: number): number {
  let low = 0;
  let high = messages.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = messages[middle].uid;
    if (at === uid) return middle;
    if (at < uid) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
