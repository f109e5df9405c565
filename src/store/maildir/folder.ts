/**
 * What is known of one Maildir folder, in memory and in its index; telling.ts has what of that sessions have not been told. It reads nothing by itself: sync.ts does.
 */
import { statSync } from "node:fs";
import { errno } from "../faults.ts";
import { noChanges } from "../hearers.ts";
import type { HeldMessage } from "../held-message.ts";
import { CacheFile } from "../index/cache-file.ts";
import { MailIndex } from "../index/mail-index.ts";
import type { Changes, Flags, ModSeq } from "../mailbox.ts";
import type { MessageList } from "../message-list.ts";
import { UidRuns } from "../uid-runs.ts";
import { Directory } from "./directory.ts";
import { lettersIn } from "./filename.ts";
import { folderHead, type Counts, type FolderHead } from "./head.ts";
import { KeywordFile } from "./keywords.ts";
import { lastChange } from "./last-change.ts";
import { countsOf } from "./listed.ts";
import { MessageFiles } from "./message-files.ts";
import { Names } from "./names.ts";
import { OtherKeywords } from "./other-keywords.ts";
import { addRow, type PreparedRows } from "./new-rows.ts";
import { isBase, maildirSchema, nowhere, type MaildirTable, type Place } from "./row.ts";
import { Telling } from "./telling.ts";
import { UidlistFile } from "./uidlist-file.ts";
import { passedOver, type UidlistHeader } from "./uidlist.ts";

export interface MaildirPlace {
  /** The folder's directory; a rename of the folder changes it. */
  path: string;
  /** Directory of its uidlist and keywords: the same, where there is no CONTROL= of `mail_location`. */
  control: string;
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
  readonly telling = new Telling(this);
  #names: Names | undefined;

  header: UidlistHeader | undefined;
  nextUid = 1;
  /** Highest UID any session may have seen: a lower one must not appear any more. */
  highest = 0;
  /** Lines of the uidlist that have no message. */
  dead = 0;
  /** The uidlist on disk says less than we know: write all of it. */
  rewrite = false;
  /** Recent although in cur/: appended, flagged or given a UID by us before any session claimed them. Some may be gone. */
  readonly recent = new UidRuns();

  /** Of a table that is not read yet: `load` reads it. */
  counts: Counts | undefined;
  /** The head that the index has, as text. */
  #written = "";
  #working = false;
  /** The index was saved amid work, without stamps. */
  #unstamped = false;

  constructor(place: MaildirPlace, log: (line: string) => void, alone = false) {
    this.place = place;
    this.log = log;
    this.keywords = new KeywordFile(place);
    this.others = new OtherKeywords(this);
    this.files = new MessageFiles(this);
    this.uidlist = new UidlistFile(place);
    this.cur = new Directory(() => `${place.path}/cur`, alone);
    this.fresh = new Directory(() => `${place.path}/new`, alone);
    this.index = new MailIndex(maildirSchema, { path: () => `${place.path}/posthorn.index`, log, beforeSave: () => this.#noteHead(), deferred: true });
    this.cache = new CacheFile(this.index, { path: () => `${place.path}/posthorn.cache`, log }, {
      keyOf: (row) => this.#base(row),
      isKey: (row, octets, from, to) => isBase(this.table, row, octets, from, to),
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

  #base(row: number): Buffer {
    return this.table.name(row).subarray(0, this.table.at.baseLength[row]);
  }

  // ------------------------------------------------------------ from and to the index

  /** Goes on from the index: from its outline, where that has all that is said of a folder without looking at messages, else from the table. */
  #resume(): void {
    const { outline } = this.index;
    const head = folderHead(outline === undefined ? this.table.head : outline.head);
    if (outline !== undefined && head?.counts === undefined) {
      if (!this.index.load()) this.#lost();
      return this.#resume();
    }
    if (head === undefined) {
      if (this.table.length > 0) this.#anew();
      this.table.reach(lastChange(this.place, Date.now()));
      return;
    }
    const { uidValidity, guid, others, nextUid } = head;
    // Another folder's, perhaps with its uidlist: believed only if that agrees.
    const moved = head.folder !== this.#inode();
    this.header = { uidValidity, guid, others, nextUid };
    this.nextUid = nextUid + (this.uidlist.isCopyOf(head.uidlist) ? passedOver : 0);
    this.highest = head.highest;
    this.dead = head.dead;
    if (moved && statSync(`${this.place.control}/dovecot-uidlist`, { throwIfNoEntry: false }) === undefined) {
      this.log(`${this.place.path}/posthorn.index is another folder's: not used`);
      this.#anew();
      return;
    }
    this.uidlist.state = moved ? undefined : head.uidlist;
    this.cur.resume(moved ? undefined : head.cur);
    this.fresh.resume(moved ? undefined : head.new);
    this.keywords.look();
    this.others.resume(head.extra);
    // The index is not written at once, never fsynced: what came behind it, and was told, may have been undone again.
    if (!this.#isAsKnown(head)) {
      if (outline !== undefined) {
        if (!this.index.load()) this.#lost();
        return this.#resume();
      }
      // First: what changes from here on is higher.
      this.table.reach(lastChange(this.place, Date.now()));
      if (head.keywords !== this.keywords.identity) this.#relabelled();
    }
    this.counts = outline === undefined ? undefined : head.counts;
    this.telling.resume(this.counts);
    this.#written = JSON.stringify(head);
  }

  /** Everything on disk is as the index knows it. */
  #isAsKnown(head: FolderHead): boolean {
    return head.keywords === this.keywords.identity && this.others.isSame && this.cur.isKnown() && this.fresh.isKnown();
  }

  /** Messages with letters of keywords have other keywords, perhaps. */
  #relabelled(): void {
    const { table } = this;
    for (let row = 0; row < table.length; row++) if (/[a-z]/.test(lettersIn(table.setAt(table.at.set[row])))) table.set("modSeq", row, this.changing);
  }

  /** Reads the table, where only counts are known so far. False when it is not what was counted: then nothing is known. */
  load(): boolean {
    if (this.counts === undefined) return true;
    this.counts = undefined;
    if (this.index.load()) {
      this.telling.loaded();
      return true;
    }
    this.#lost();
    return false;
  }

  /** The table is not what the end of the index said: nothing is known, and everything is to be looked at. */
  #lost(): void {
    this.telling.forgetAll();
    this.#anew();
    this.uidlist.state = undefined;
    this.cur.doubt();
    this.fresh.doubt();
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
      this.#unstamped ||= this.#working;
      const stamps = this.rewrite || this.#working ? {} : { uidlist: this.uidlist.state, cur: this.cur.stamp(), new: this.fresh.stamp() };
      head = { uidValidity, guid, others, nextUid, highest, dead, folder: this.#inode(), keywords: this.keywords.identity, extra: this.others.identity, ...stamps, counts: countsOf(this.table, this.others.used) };
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

  /**
   * Runs work that changes the folder. Amid it files and lines of the uidlist may be there that rows are not yet: an index saved then, which may be the
   * last one before a kill, has no stamps, so that the next opener looks at everything.
   */
  async working<T>(work: () => Promise<T>): Promise<T> {
    this.#working = true;
    try {
      return await work();
    } finally {
      this.#working = false;
      if (this.#unstamped) this.index.saveSoon();
      this.#unstamped = false;
    }
  }

  #anew(): void {
    this.counts = undefined;
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
    for (const message of this.list.all) if (this.rowOf(message.uid) >= 0) this.telling.expunged(this.rowOf(message.uid));
    this.telling.forget();
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

  /** The uidlist names messages whose files were not met yet. */
  get pending(): boolean {
    const { length, at } = this.table;
    // Their UIDs are above all that were seen.
    return length > 0 && at.place[length - 1] === nowhere;
  }

  /** Adds a message with the highest UID. The name is octets of a file name or a uidlist line. @param set what follows it in the file's name */
  add(uid: number, place: Place, set: number, octets: Buffer, from: number, to: number, fields: string): number {
    const row = addRow(this.table, { uid, place, set, modSeq: this.changing }, octets, from, to, fields);
    this.#names?.added(row);
    this.nextUid = Math.max(this.nextUid, uid + 1);
    return row;
  }

  /** Adds messages with the highest UIDs; `arrivedFrom` makes them visible. */
  addAll(rows: PreparedRows): void {
    const { table } = this;
    if (rows.count > table.length) this.#names = undefined;
    const first = rows.add();
    if (this.#names !== undefined) for (let row = first; row < table.length; row++) this.#names.added(row);
    if (rows.count > 0) this.nextUid = Math.max(this.nextUid, table.at.uid[table.length - 1] + 1);
  }

  /** Rows just added, from this UID on, have become messages that sessions may see. */
  arrivedFrom(first: number): void {
    const { table } = this;
    const { uid } = table.at;
    const { length } = table;
    const from = table.rowFrom(first);
    this.telling.arrivedAll(uid, from, length);
    if (from < length) this.recent.addRange(uid[from], uid[length - 1] + 1);
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
    this.telling.arrived(uid);
    this.cache.note();
  }

  /** The name or flags of a message are other ones. Its row has another MODSEQ at once: the index may be saved before sessions are told. */
  flagged(uid: number): void {
    const row = this.rowOf(uid);
    if (row >= 0) this.flaggedRow(row);
    else this.telling.flagged(uid);
  }

  flaggedRow(row: number): void {
    this.telling.flagged(this.table.at.uid[row]);
    this.table.set("modSeq", row, this.changing);
  }

  /** Removes rows, given ascending. */
  drop(rows: readonly number[]): void {
    if (rows.length === 0) return;
    const { unseen } = this.telling;
    const seen: number[] = [];
    const never: number[] = [];
    for (const row of rows) {
      const uid = this.table.at.uid[row];
      if (this.visible(row) < 0 || unseen.has(uid)) never.push(row);
      else {
        this.telling.expunged(row);
        seen.push(row);
      }
    }
    this.dead += rows.length;
    this.telling.neverMind(never.map((row) => this.table.at.uid[row]));
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

  // ------------------------------------------------------------ telling

  get list(): MessageList<HeldMessage> {
    return this.telling.list;
  }

  /** Of what happens until sessions are told. */
  get changing(): ModSeq {
    return this.telling.changing;
  }

  /** A look at the disk begins. */
  looking(): void {
    this.telling.looking();
  }

  /** Brings `list` up to date. What happened since the last time. */
  tell(): Changes {
    const changes = this.telling.tell();
    if (changes !== noChanges) this.index.saveSoon();
    return changes;
  }

  close(): void {
    this.cache.close();
    this.index.close();
    this.cur.close();
    this.fresh.close();
  }
}
