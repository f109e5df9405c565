/**
 * The full-text index of one user on disk: an SQLite database that one thread of one process has to itself.
 *
 * - `text`  an FTS5 table of trigrams, without the text and without places (`detail=none`). Each message has two rows: its header
 *           fields at an even rowid, its text parts at the odd one behind it. Rows of a folder have consecutive numbers, so a search in one
 *           folder does not look at the others.
 * - `mark`  which messages are in `text` (marks.ts), changed in the same transaction.
 * - `folder` numbers of folders. One that is removed, or has another UIDVALIDITY, loses its `mailbox` first and its rows later.
 * - `made`   by which version.
 *
 * Everything here can be made again. The exclusive lock keeps other processes out, and lets SQLite do without shared memory, whose file
 * another program could cut off under us. Whatever SQLite finds damaged, and every database that is not as we left it (stamp.ts), is
 * removed and begun anew.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { closeSync, openSync, statSync } from "node:fs";
import { chunkCount, chunkOf, chunkSize, placeOf, unindexed, unmarked, type Chunk } from "./marks.ts";
import { indexFiles, judge, lookOf, removeIndex, writeStamp, type IndexFiles } from "./stamp.ts";
import { indexedText, textVersion } from "./text.ts";
import { withoutNulCharacters } from "./trigrams.ts";
import type { FolderKey, Hits, Look, Question, ToIndex } from "./requests.ts";

/** What is in the tables, and what text is in them. Another version is made anew. */
const version = `1 ${textVersion()}`;
/** Page cache, KiB. */
const cacheSize = 4096;
/** The log is put into the database from this size on. */
const logLimit = 8 << 20;
/** Messages put into one transaction. */
const transactionLimit = 512;

const schema = `
  PRAGMA auto_vacuum = INCREMENTAL;
  CREATE TABLE folder (id INTEGER PRIMARY KEY, mailbox TEXT UNIQUE, validity INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL);
  CREATE TABLE mark (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, marks BLOB NOT NULL);
  CREATE VIRTUAL TABLE text USING fts5(holds, content='', contentless_delete=1, detail=none, tokenize='trigram case_sensitive 1');
  CREATE TABLE made (version TEXT NOT NULL);
  INSERT INTO made VALUES ('${version}');`;

// Result codes of SQLite.
const sqliteBusy = 5;
const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;

/** Rowids of a folder in `text`: two for each UID. */
const folderSpan = 2 ** 33;

const rowOf = (folder: number, uid: number): number => folder * folderSpan + uid * 2;

/** The index is not as we left it, or can not be made or opened. */
export class IndexFault extends Error {}

interface FolderRow {
  readonly id: number;
  version: number;
}

export class FulltextDatabase {
  readonly #files: IndexFiles;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Tells a database from the one that was in its place before. */
  readonly epoch: string;
  #look: string | undefined;
  /** Messages of the transaction that is open. */
  #pending = 0;

  private constructor(files: IndexFiles, db: DatabaseSync) {
    this.#files = files;
    this.#db = db;
    this.epoch = `${String(process.hrtime.bigint())}`;
    this.#stamp();
  }

  /**
   * Opens the index in a side directory, or makes one. Throws IndexFault or SQLite's error when that can not be: another process has it, the disk is full ...
   *
   * @param note  takes a line for the log
   */
  static open(side: string, note: (line: string) => void): FulltextDatabase {
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
      made.db.exec(`BEGIN; ${schema} COMMIT`);
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
    this.#statement("INSERT INTO folder (id, mailbox, validity, name, version) VALUES (?, ?, ?, ?, 0)").run(id, key.mailbox, key.validity, key.name);
    return { id, version: 0 };
  }

  /** The marks of a folder that changed after `since`, and what rows of it fit each question. */
  look(key: FolderKey, since: number, questions: readonly Question[]): Look {
    this.#commit();
    const folder = this.#folder(key);
    if (folder === undefined) return { epoch: this.epoch, version: 0, chunks: [], hits: questions.map(() => undefined) };
    const chunks = this.#statement("SELECT id, marks FROM mark WHERE id BETWEEN ? AND ? AND version > ?")
      .all(folder.id * chunkCount, (folder.id + 1) * chunkCount - 1, since)
      .map(({ id, marks }): Chunk => ({ chunk: Number(id) % chunkCount, marks: marksIn(marks) }));
    return { epoch: this.epoch, version: folder.version, chunks, hits: questions.map((question) => this.#hits(folder.id, question)) };
  }

  #hits(folder: number, { query, place, limit }: Question): Hits | undefined {
    const statement = this.#statement("SELECT rowid FROM text WHERE text MATCH ? AND rowid BETWEEN ? AND ? LIMIT ?");
    statement.setReturnArrays(true);
    const rows = statement.all(query, folder * folderSpan, (folder + 1) * folderSpan - 1, limit) as unknown as readonly (readonly [number])[];
    if (rows.length >= limit) return undefined;
    const uids = new Uint32Array(rows.length);
    let count = 0;
    for (const [row] of rows) {
      const inBody = row % 2 === 1;
      const uid = Math.floor((row % folderSpan) / 2);
      if ((place === "text" || inBody === (place === "body")) && uids[count - 1] !== uid) uids[count++] = uid;
    }
    return uids.slice(0, count);
  }

  /** Puts messages into the index, in place of what was there under their UIDs. Durable some time later; lost, it is done again. */
  add(key: FolderKey, messages: readonly ToIndex[]): void {
    this.#changing(messages.length, () => {
      const folder = this.#ownFolder(key);
      const insert = this.#statement("INSERT INTO text (rowid, holds) VALUES (?, ?)");
      this.#remark(folder, messages.map(({ uid }) => uid), (n) => {
        const message = messages[n];
        const texts = message === undefined ? undefined : indexedText(Buffer.from(message.octets.buffer, message.octets.byteOffset, message.octets.byteLength));
        if (message === undefined || texts === undefined) return unindexed;
        const row = rowOf(folder.id, message.uid);
        if (texts.header.length > 0) insert.run(row, withoutNulCharacters(texts.header));
        if (texts.body.length > 0) insert.run(row + 1, withoutNulCharacters(texts.body));
        return message.mark;
      });
    });
  }

  /** Takes messages out of the index. */
  remove(key: FolderKey, uids: readonly number[]): void {
    this.#changing(uids.length, () => {
      const folder = this.#folder(key);
      if (folder !== undefined) this.#remark(folder, uids, () => unmarked);
    });
  }

  /** Gives UIDs other marks; rows of those that had one are taken out first. */
  #remark(folder: FolderRow, uids: readonly number[], markFor: (n: number) => number): void {
    const read = this.#statement("SELECT marks FROM mark WHERE id = ?");
    const write = this.#statement("INSERT OR REPLACE INTO mark (id, version, marks) VALUES (?, ?, ?)");
    const version = folder.version + 1;
    const open = new Map<number, Uint32Array>();
    for (const [n, uid] of uids.entries()) {
      const id = folder.id * chunkCount + chunkOf(uid);
      let marks = open.get(id);
      if (marks === undefined) open.set(id, (marks = marksIn(read.get(id)?.marks)));
      if ((marks[placeOf(uid)] ?? unmarked) > unindexed) this.#forgetRows(folder.id, uid);
      marks[placeOf(uid)] = markFor(n);
    }
    for (const [id, marks] of open) {
      if (marks.every((mark) => mark === unmarked)) marks.fill(unmarked);
      write.run(id, version, new Uint8Array(marks.buffer));
    }
    this.#statement("UPDATE folder SET version = ? WHERE id = ?").run(version, folder.id);
  }

  #forgetRows(folder: number, uid: number): void {
    const row = rowOf(folder, uid);
    this.#statement("DELETE FROM text WHERE rowid IN (?, ?)").run(row, row + 1);
  }

  /** Names of the folders in the index, to find those that are no more. */
  folders(): readonly FolderKey[] {
    return this.#statement("SELECT mailbox, validity, name FROM folder WHERE mailbox IS NOT NULL")
      .all()
      .map(({ mailbox, validity, name }) => ({ mailbox: String(mailbox), validity: Number(validity), name: String(name) }));
  }

  /** Says what a folder is called by now, or that it is no more. */
  rename(mailbox: string, name: string | undefined): void {
    this.#changing(1, () => {
      if (name === undefined) this.#statement("UPDATE folder SET mailbox = NULL WHERE mailbox = ?").run(mailbox);
      else this.#statement("UPDATE folder SET name = ? WHERE mailbox = ?").run(name, mailbox);
    });
  }

  /** A step of removing what belongs to folders that are no more. False when there is nothing left to do. */
  purge(): boolean {
    const dead = this.#statement("SELECT id FROM folder WHERE mailbox IS NULL LIMIT 1").get();
    if (dead === undefined) return this.#shrink();
    const folder = Number(dead.id);
    const row = this.#statement("SELECT id, marks FROM mark WHERE id BETWEEN ? AND ? LIMIT 1").get(folder * chunkCount, (folder + 1) * chunkCount - 1);
    this.#changing(chunkSize, () => {
      if (row === undefined) {
        this.#statement("DELETE FROM folder WHERE id = ?").run(folder);
        return;
      }
      const first = (Number(row.id) % chunkCount) * chunkSize;
      for (const [place, mark] of marksIn(row.marks).entries()) if (mark > unindexed) this.#forgetRows(folder, first + place);
      this.#statement("DELETE FROM mark WHERE id = ?").run(Number(row.id));
    });
    this.#commit();
    return true;
  }

  /** Gives pages back when much of the file is free. */
  #shrink(): boolean {
    this.#commit();
    const free = Number(this.#statement("PRAGMA freelist_count").get()?.freelist_count);
    if (free < 1000 || free < Number(this.#statement("PRAGMA page_count").get()?.page_count) / 4) return false;
    this.#db.exec("PRAGMA incremental_vacuum(1000)");
    this.#checkpoint();
    return true;
  }

  /** Runs within the open transaction, or opens one. What fails takes all of the transaction with it. */
  #changing(count: number, work: () => void): void {
    if (!this.#db.isTransaction) this.#db.exec("BEGIN");
    try {
      work();
      this.#pending += count;
      if (this.#pending >= transactionLimit) this.#commit();
    } catch (error) {
      this.#pending = 0;
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** Ends the transaction that is open. Commit point: rows and their marks become visible together. */
  flush(): void {
    this.#commit();
  }

  /** Gives its page cache back. */
  shrink(): void {
    this.#db.exec("PRAGMA shrink_memory");
  }

  #commit(): void {
    if (!this.#db.isTransaction) return;
    this.#pending = 0;
    try {
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    if ((statSync(this.#files.log, { throwIfNoEntry: false })?.size ?? 0) > logLimit) this.#checkpoint();
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
      this.#commit();
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
