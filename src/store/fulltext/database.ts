/**
 * The full-text index of one user on disk: an SQLite database that one thread of one process has to itself.
 *
 * - `segment`, `block`, `text`  words and where they are (segments.ts)
 * - `mark`  which messages are in there (marks.ts), changed in the same transaction.
 * - `folder` numbers of folders. One that is removed, or has another UIDVALIDITY, loses its `mailbox` first and its rows later.
 * - `made`   by which version; `user_version` tells it from one that was in its place before.
 *
 * Everything here can be made again. The exclusive lock keeps other processes out, and lets SQLite do without shared memory, whose file
 * another program could cut off under us. Whatever SQLite finds damaged, and every database that is not as we left it (stamp.ts), is
 * removed and begun anew.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { randomInt } from "node:crypto";
import { closeSync, openSync, statSync } from "node:fs";
import { IndexFault } from "./fault.ts";
import { chunkCount, chunkOf, chunkSize, placeOf, unindexed, unmarked, type Chunk } from "./marks.ts";
import { needleOf } from "./needle.ts";
import { folderLimit, SegmentDraft, Segments, segmentSchema } from "./segments.ts";
import { indexFiles, judge, lookOf, removeIndex, writeStamp, type IndexFiles } from "./stamp.ts";
import { indexedText } from "./text.ts";
import type { FolderKey, Look, Question, ToIndex } from "./requests.ts";

/** What is in the tables, and what text is in them (`textVersion` of text.ts). Another version is made anew. */
const versionWith = (text: string): string => `3 ${text}`;
/** Page cache, KiB. */
const cacheSize = 4096;
/** The log is put into the database from this size on. */
const logLimit = 8 << 20;
const schemaOf = (version: string): string => `
  PRAGMA auto_vacuum = INCREMENTAL;
  CREATE TABLE folder (id INTEGER PRIMARY KEY, mailbox TEXT UNIQUE, validity INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL);
  CREATE TABLE mark (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, marks BLOB NOT NULL);
  ${segmentSchema}
  CREATE TABLE made (version TEXT NOT NULL);
  INSERT INTO made VALUES ('${version}');
  PRAGMA user_version = ${randomInt(1, 2 ** 31)};`;

// Result codes of SQLite.
const sqliteBusy = 5;
const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;

/** Messages of one draft, those that can not be indexed among them. */
const draftLimit = 4096;

/** Messages that are not written yet. */
interface Draft {
  readonly key: FolderKey;
  readonly uids: number[];
  readonly marks: number[];
}

interface FolderRow {
  readonly id: number;
  version: number;
}

export class FulltextDatabase {
  readonly #files: IndexFiles;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #segments = new Segments((sql) => this.#statement(sql));
  /** Tells a database from the one that was in its place before, in whichever process. */
  readonly epoch: string;
  #look: string | undefined;
  #draft: Draft | undefined;
  /** What is in the draft; its memory is used again and again. */
  #segment: SegmentDraft | undefined;

  private constructor(files: IndexFiles, db: DatabaseSync) {
    this.#files = files;
    this.#db = db;
    this.epoch = String(db.prepare("PRAGMA user_version").get()?.user_version);
    this.#stamp();
  }

  /**
   * Opens the index in a side directory, or makes one. Throws IndexFault or SQLite's error when that can not be: another process has it, the disk is full ...
   *
   * @param text  `textVersion` of text.ts
   * @param note  takes a line for the log
   */
  static open(side: string, text: string, note: (line: string) => void): FulltextDatabase {
    const version = versionWith(text);
    const files = indexFiles(side);
    const state = judge(files);
    if (state === "ours") {
      const known = tryOpen(files);
      if (known !== undefined && known.version === version) return new FulltextDatabase(files, known.db);
      known?.db.close();
      note(known === undefined ? "full-text index is damaged: made anew" : "full-text index is of another version: made anew");
    } else if (state === "foreign") {
      // Not while another process works on it.
      tryOpen(files)?.db.close();
      note("full-text index is not as it was left: made anew");
    }
    removeIndex(files);
    // Its other files take its mode.
    closeSync(openSync(files.database, "wx", 0o600));
    const made = tryOpen(files);
    if (made === undefined) throw new IndexFault("full-text index can not be made");
    try {
      made.db.exec(`BEGIN; ${schemaOf(version)} COMMIT`);
      return new FulltextDatabase(files, made.db);
    } catch (error) {
      made.db.close();
      removeIndex(files);
      throw error;
    }
  }

  #stamp(): void {
    writeStamp(this.#files);
    this.#look = lookOf(this.#files);
  }

  /** Throws IndexFault when another program wrote to the database since our last checkpoint. */
  verify(): void {
    if (lookOf(this.#files) !== this.#look) throw new IndexFault("full-text index was changed by another program");
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  #folder({ mailbox, validity }: FolderKey): FolderRow | undefined {
    const row = this.#statement("SELECT id, validity, version FROM folder WHERE mailbox = ?").get(mailbox);
    return row === undefined || row.validity !== validity ? undefined : { id: Number(row.id), version: Number(row.version) };
  }

  /** As `#folder`, made when it is not there. */
  #ownFolder(key: FolderKey): FolderRow {
    const known = this.#folder(key);
    if (known !== undefined) return known;
    this.#statement("UPDATE folder SET mailbox = NULL WHERE mailbox = ?").run(key.mailbox);
    const id = Number(this.#statement("SELECT coalesce(max(id), 0) + 1 AS id FROM folder").get()?.id);
    if (id >= folderLimit) throw new IndexFault("full-text index has no number left for a folder");
    this.#statement("INSERT INTO folder (id, mailbox, validity, name, version) VALUES (?, ?, ?, ?, 0)").run(id, key.mailbox, key.validity, key.name);
    return { id, version: 0 };
  }

  /** The marks of a folder that changed after `since`, and what messages of it fit each question. */
  look(key: FolderKey, since: number, questions: readonly Question[]): Look {
    const folder = this.#folder(key);
    if (folder === undefined) return { epoch: this.epoch, version: 0, chunks: [], hits: questions.map(() => new Uint32Array()) };
    const chunks = this.#statement("SELECT id, marks FROM mark WHERE id BETWEEN ? AND ? AND version > ?")
      .all(folder.id * chunkCount, (folder.id + 1) * chunkCount - 1, since)
      .map(({ id, marks }): Chunk => ({ chunk: Number(id) % chunkCount, marks: marksIn(marks) }));
    const hits = questions.map(({ text, place }) => {
      const needle = needleOf(text);
      return needle === undefined ? new Uint32Array() : this.#segments.find(folder.id, needle, place);
    });
    return { epoch: this.epoch, version: folder.version, chunks, hits };
  }

  /**
   * Puts messages into the index, in place of what was there under their UIDs. Durable some time later; lost, it is done again.
   *
   * @param octets those of the messages, one behind the other
   */
  add(key: FolderKey, messages: readonly ToIndex[], octets: Buffer): void {
    let from = 0;
    for (const { uid, mark, length } of messages) {
      this.#makeRoom(key);
      const draft = (this.#draft ??= { key, uids: [], marks: [] });
      const texts = indexedText(octets.subarray(from, (from += length)));
      if (texts !== undefined) this.#segmentDraft().add(uid, texts);
      draft.uids.push(uid);
      draft.marks.push(texts === undefined ? unindexed : mark);
    }
  }

  #segmentDraft(): SegmentDraft {
    return (this.#segment ??= new SegmentDraft());
  }

  /** Writes a draft that is full, or of another folder. */
  #makeRoom({ mailbox, validity }: FolderKey): void {
    const draft = this.#draft;
    if (draft === undefined) return;
    const { key, uids } = draft;
    if (key.mailbox !== mailbox || key.validity !== validity || uids.length >= draftLimit || this.#segment?.full === true) this.flush();
  }

  /** Writes what was added. Commit point: words and marks become visible together. Lost when it fails. */
  flush(): void {
    const draft = this.#draft;
    this.#draft = undefined;
    if (draft === undefined) return;
    const segment = this.#segmentDraft();
    try {
      this.#change(() => {
        const folder = this.#ownFolder(draft.key);
        this.#remark(folder, draft.uids, draft.marks);
        this.#segments.write(folder.id, segment);
      });
    } finally {
      segment.clear();
    }
  }

  /** Takes messages out of the index. */
  remove(key: FolderKey, uids: readonly number[]): void {
    this.flush();
    this.#change(() => {
      const folder = this.#folder(key);
      if (folder !== undefined) this.#remark(folder, uids, uids.map(() => unmarked));
    });
  }

  /** Gives UIDs other marks; those that had one are taken out of the segments first. */
  #remark(folder: FolderRow, uids: readonly number[], to: readonly number[]): void {
    const read = this.#statement("SELECT marks FROM mark WHERE id = ?");
    const write = this.#statement("INSERT OR REPLACE INTO mark (id, version, marks) VALUES (?, ?, ?)");
    const version = folder.version + 1;
    const open = new Map<number, Uint32Array>();
    const indexed = new Set<number>();
    for (const [n, uid] of uids.entries()) {
      const id = folder.id * chunkCount + chunkOf(uid);
      let marks = open.get(id);
      if (marks === undefined) open.set(id, (marks = marksIn(read.get(id)?.marks)));
      if ((marks[placeOf(uid)] ?? unmarked) > unindexed) indexed.add(uid);
      marks[placeOf(uid)] = to[n] ?? unmarked;
    }
    this.#segments.forget(folder.id, indexed);
    for (const [id, marks] of open) write.run(id, version, new Uint8Array(marks.buffer));
    this.#statement("UPDATE folder SET version = ? WHERE id = ?").run(version, folder.id);
  }

  /** Names of the folders in the index, to find those that are no more. */
  folders(): readonly FolderKey[] {
    return this.#statement("SELECT mailbox, validity, name FROM folder WHERE mailbox IS NOT NULL")
      .all()
      .map(({ mailbox, validity, name }) => ({ mailbox: String(mailbox), validity: Number(validity), name: String(name) }));
  }

  /** How many segments a folder has. */
  segmentCount(key: FolderKey): number {
    const folder = this.#folder(key);
    return folder === undefined ? 0 : this.#segments.count(folder.id);
  }

  /** Says what a folder is called by now, or that it is no more. */
  rename(mailbox: string, name: string | undefined): void {
    this.flush();
    this.#change(() => {
      if (name === undefined) this.#statement("UPDATE folder SET mailbox = NULL WHERE mailbox = ?").run(mailbox);
      else this.#statement("UPDATE folder SET name = ? WHERE mailbox = ?").run(name, mailbox);
    });
  }

  /** A step of housekeeping: removes what belongs to folders that are no more, puts small segments together. False when there is nothing left to do. */
  tidy(): boolean {
    const dead = this.#statement("SELECT id FROM folder WHERE mailbox IS NULL LIMIT 1").get();
    if (dead === undefined) return this.#merge() || this.#shrink();
    const folder = Number(dead.id);
    this.#change(() => {
      if (this.#segments.dropOne(folder)) return;
      this.#statement("DELETE FROM mark WHERE id BETWEEN ? AND ?").run(folder * chunkCount, (folder + 1) * chunkCount - 1);
      this.#statement("DELETE FROM folder WHERE id = ?").run(folder);
    });
    return true;
  }

  /** Not amid adding: its end is the time. */
  #merge(): boolean {
    if (this.#draft !== undefined) return false;
    const segment = this.#segmentDraft();
    try {
      return this.#statement("SELECT id FROM folder").all().some(({ id }) => this.#change(() => this.#segments.merge(Number(id), segment)));
    } finally {
      segment.clear();
    }
  }

  /** Gives pages back when much of the file is free. */
  #shrink(): boolean {
    const free = Number(this.#statement("PRAGMA freelist_count").get()?.freelist_count);
    if (free < 1000 || free < Number(this.#statement("PRAGMA page_count").get()?.page_count) / 4) return false;
    this.#db.exec("PRAGMA incremental_vacuum(1000)");
    this.#checkpoint();
    return true;
  }

  /** One transaction: what fails leaves everything as it was. */
  #change<T>(work: () => T): T {
    this.#db.exec("BEGIN");
    let result: T;
    try {
      result = work();
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    if ((statSync(this.#files.log, { throwIfNoEntry: false })?.size ?? 0) > logLimit) this.#checkpoint();
    return result;
  }

  /** Gives back its page cache, and memory for what is added. */
  releaseMemory(): void {
    if (this.#draft === undefined) this.#segment = undefined;
    this.#db.exec("PRAGMA shrink_memory");
  }

  #checkpoint(): void {
    this.verify();
    try {
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      this.#stamp();
    }
  }

  /** Commits and closes. Never throws: what was not committed is done again. */
  close(): void {
    try {
      this.flush();
      this.verify();
      this.#db.close();
      writeStamp(this.#files);
    } catch {
      this.abandon();
    }
  }

  /** Closes without a word about the state it is in. */
  abandon(): void {
    try {
      if (this.#db.isOpen) this.#db.close();
    } catch {
      // Nothing of it will be used again.
    }
  }
}

const marksIn = (blob: unknown): Uint32Array => {
  const marks = new Uint32Array(chunkSize);
  if (blob instanceof Uint8Array && blob.length === marks.byteLength) new Uint8Array(marks.buffer).set(blob);
  return marks;
};

/** Undefined when SQLite can not read it; throws IndexFault when another process has it, and what stands in the way of any file. */
function tryOpen({ database }: IndexFiles): { readonly db: DatabaseSync; readonly version: string } | undefined {
  const db = new DatabaseSync(database);
  try {
    // The lock mode comes before the first look at the log: so no shared memory is made.
    db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -${cacheSize}`);
    db.exec("BEGIN IMMEDIATE; COMMIT");
    return { db, version: versionOf(db) };
  } catch (error) {
    db.close();
    if (isDamage(error)) return undefined;
    throw codeOf(error) === sqliteBusy ? new IndexFault("full-text index is in use by another process") : error;
  }
}

/** SQLite's primary result code; 0 for other errors. */
const codeOf = (error: unknown): number => (error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : 0);

/** Did SQLite find the file damaged? */
export const isDamage = (error: unknown): boolean => codeOf(error) === sqliteCorrupt || codeOf(error) === sqliteNotADatabase;

/** "" where it does not say. */
function versionOf(db: DatabaseSync): string {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'made'").get() === undefined) return "";
  return String(db.prepare("SELECT version FROM made").get()?.version);
}
