/** What a message's row or else its file says, looked up when it is asked for and then kept in the row; and the file, wherever it is by now. */
import { statSync, type Stats } from "node:fs";
import { crlfCopy, crlfSize, crlfText } from "../../message/line-ends.ts";
import { errno } from "../faults.ts";
import { hashOfOctets, hashOfText } from "../fingerprint.ts";
import type { Source } from "../held-message.ts";
import type { Text } from "../mailbox.ts";
import { sizeIn } from "./filename.ts";
import type { Folder } from "./folder.ts";
import { headOf, withOctets } from "./message-file.ts";
import { nearOctets } from "./near-files.ts";
import { baseOf, fieldsOf, inCur, inNew, pathOf } from "./row.ts";
import { visit } from "./scan.ts";
import { fieldText, sizeWritten } from "./uidlist.ts";

export class MessageFiles implements Source {
  readonly #folder: Folder;
  /** What was logged. */
  readonly #unreadable = new Set<string>();

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  savedOf(uid: number): number | undefined {
    const row = this.#folder.rowOf(uid);
    const saved = row < 0 ? NaN : this.#folder.table.at.saved[row];
    return Number.isNaN(saved) ? undefined : saved;
  }

  /** Octets with CRLF: of the name, of the uidlist, or counted once; of a file that can not be read those it has. 0 when it is gone. */
  sizeOf(uid: number): number {
    const row = this.#folder.rowOf(uid);
    if (row < 0) return 0;
    const known = this.#folder.table.at.size[row];
    if (!Number.isNaN(known)) return known;
    return this.withFile(uid, (path) => this.#count(uid, path)) ?? 0;
  }

  #count(uid: number, path: string | Buffer): number {
    let size: number;
    try {
      size = withOctets(path, crlfSize);
    } catch (error) {
      if (errno(error) === "ENOENT") throw error;
      // What is asked of all messages is not to fail for one.
      this.#complain(path, error);
      return this.#stat(uid)?.size ?? 0;
    }
    return this.#learn("size", uid, size);
  }

  /** What stat(2) says; undefined when the file is gone, or that can not be said. */
  #stat(uid: number): Stats | undefined {
    return this.withFile(uid, (path) => {
      try {
        return statSync(path);
      } catch (error) {
        if (errno(error) === "ENOENT") throw error;
        this.#complain(path, error);
        return undefined;
      }
    });
  }

  #complain(path: string | Buffer, error: unknown): void {
    const line = `${String(path)}: ${errno(error) || String(error)}`;
    if (!this.#unreadable.has(line)) this.#folder.log(line);
    this.#unreadable.add(line);
  }

  /** As `sizeOf` where it is known, else octets in the file. */
  roughSizeOf(uid: number): number {
    const row = this.#folder.rowOf(uid);
    if (row < 0) return 0;
    const known = this.#folder.table.at.size[row];
    if (!Number.isNaN(known)) return known;
    const size = this.namedSize(row);
    if (size !== undefined) return size;
    const stats = this.#stat(uid);
    if (stats === undefined) return 0;
    if (Number.isNaN(this.#folder.table.at.date[row])) this.#learn("date", uid, Math.floor(stats.mtimeMs));
    return stats.size;
  }

  /** All octets with CRLF, in a buffer of its own; size and date are known then. Undefined when the file is gone. */
  octetsOf(uid: number): Buffer | undefined {
    return this.#whole(uid, crlfCopy);
  }

  /** As `octetsOf`, with a character for each octet. */
  textOf(uid: number): Text | undefined {
    const latin1 = this.#whole(uid, crlfText);
    return latin1 === undefined ? undefined : { latin1 };
  }

  /** @param made of the octets in the file: those with CRLF */
  #whole<T extends Buffer | string>(uid: number, made: (stored: Buffer) => T): T | undefined {
    const { table } = this.#folder;
    const row = this.#folder.rowOf(uid);
    if (row < 0) return undefined;
    // What else fstat(2) would say is known.
    const expected = Number.isNaN(table.at.date[row]) ? 0 : this.namedSize(row);
    const take = (stored: Buffer, stats?: Stats): T => {
      const octets = made(stored);
      if (stats?.isFile() === false) return octets;
      this.measured(uid, octets);
      if (stats !== undefined) this.#dated(uid, stats);
      return octets;
    };
    const near = expected === undefined ? undefined : nearOctets(this.#folder.place.path, table, row, expected);
    return near === undefined ? this.withFile(uid, (path) => withOctets(path, take, expected)) : take(near);
  }

  #dated(uid: number, { mtimeMs }: Stats): void {
    const row = this.#folder.rowOf(uid);
    if (row >= 0 && Number.isNaN(this.#folder.table.at.date[row])) this.#learn("date", uid, Math.floor(mtimeMs));
  }

  /**
   * All octets of a message with CRLF, which were read and are returned. So many count from now on, and are written down where the name says something
   * else. The name stays: another base name would be another message (Dovecot takes a wrong `W=` away, and then gives another UID).
   */
  measured<T extends Buffer | string>(uid: number, octets: T): T {
    const row = this.#folder.rowOf(uid);
    const known = row < 0 ? octets.length : this.#folder.table.at.size[row];
    if (known === octets.length) return octets;
    this.#learn("size", uid, octets.length);
    if (!Number.isNaN(known)) {
      this.#folder.rewrite = true;
      this.#folder.log(`${String(pathOf(this.#folder.place.path, this.#folder.table, row))}: has ${octets.length} octets with CRLF, not ${known}`);
    }
    return octets;
  }

  /** All octets as they are in the file, in `into` where they fit there, else in a buffer of its own; size and date are known then. Undefined when the file is gone. */
  storedOf(uid: number, into?: Buffer): Buffer | undefined {
    const { table } = this.#folder;
    const row = this.#folder.rowOf(uid);
    if (row < 0) return undefined;
    const expected = Number.isNaN(table.at.size[row]) || Number.isNaN(table.at.date[row]) ? 0 : this.namedSize(row);
    const take = (stored: Buffer, stats?: Stats): Buffer => {
      if (stats?.isFile() === true) {
        const now = this.#folder.rowOf(uid);
        if (now >= 0 && Number.isNaN(table.at.size[now])) this.#learn("size", uid, crlfSize(stored));
        this.#dated(uid, stats);
      }
      if (into === undefined || stored.length > into.length) return Buffer.from(stored);
      into.set(stored);
      return into.subarray(0, stored.length);
    };
    return this.withFile(uid, (path) => withOctets(path, take, expected));
  }

  /** The header as it is in the file, as `storedOf`; the date is known then. Undefined when the file is gone. */
  headOf(uid: number, into?: Buffer): Buffer | undefined {
    return this.withFile(uid, (path) => headOf(path, (stats) => this.#dated(uid, stats), into));
  }

  /** Octets in the file, if its name says so. */
  namedSize(row: number): number | undefined {
    const at = this.#folder.table.at.nameAt[row];
    return sizeIn(this.#folder.table.heap, "S", at, at + this.#folder.table.at.baseLength[row]);
  }

  /** Octets in the file; undefined when it is gone. */
  storedSize(uid: number): number | undefined {
    const row = this.#folder.rowOf(uid);
    return row < 0 ? undefined : (this.namedSize(row) ?? this.withFile(uid, (path) => statSync(path).size));
  }

  /** mtime of the file, ms; when the file is gone, the time its name begins with. */
  dateOf(uid: number): number {
    const row = this.#folder.rowOf(uid);
    if (row < 0) return 0;
    const known = this.#folder.table.at.date[row];
    if (!Number.isNaN(known)) return known;
    const stats = this.#stat(uid);
    return stats === undefined ? this.#folder.table.at.saved[row] || 0 : this.#learn("date", uid, Math.floor(stats.mtimeMs));
  }

  modSeqOf(uid: number): number {
    const row = this.#folder.rowOf(uid);
    return row < 0 ? 0 : this.#folder.table.at.modSeq[row];
  }

  /** True when the size is known, and is not what the name or the uidlist says. */
  hasOtherSize(row: number): boolean {
    const size = this.#folder.table.at.size[row];
    return !Number.isNaN(size) && size !== this.writtenSize(row);
  }

  #learn(name: "size" | "date", uid: number, value: number): number {
    const row = this.#folder.rowOf(uid);
    if (row >= 0) this.#folder.table.set(name, row, value);
    this.#folder.index.saveSoon();
    return value;
  }

  /** POP3 and IMAP identity: what Dovecot would say, the `G` field or the base name. */
  guidOf(uid: number): string {
    const row = this.#folder.rowOf(uid);
    if (row < 0) return "";
    const { at } = this.#folder.table;
    const own = at.nameLength[row] > at.baseLength[row] ? fieldText(fieldsOf(this.#folder.table, row), "G") : undefined;
    return own ?? baseOf(this.#folder.table, row);
  }

  fingerprint(row: number): number {
    const { table } = this.#folder;
    const at = table.at.nameAt[row];
    const length = table.at.baseLength[row];
    return table.at.nameLength[row] === length ? hashOfOctets(table.heap, at, at + length) : hashOfText(this.guidOf(table.at.uid[row]));
  }

  /** `work` on the message's file wherever another program renamed it to; undefined when it is gone. */
  withFile<T>(uid: number, work: (path: string | Buffer) => T): T | undefined {
    for (let tries = 0; tries < 5; tries++) {
      const row = this.#folder.rowOf(uid);
      if (row < 0) return undefined;
      try {
        return work(pathOf(this.#folder.place.path, this.#folder.table, row));
      } catch (error) {
        if (errno(error) !== "ENOENT") throw error;
        if (!this.follow(uid)) return undefined;
      }
    }
    return undefined;
  }

  /** A name was out of date: all are looked up again, since one foreign rename seldom comes alone. False when this message is not met. */
  follow(uid: number): boolean {
    this.#folder.cur.doubt();
    this.#folder.fresh.doubt();
    const { met, renamed } = visit(this.#folder.place.path, [inNew, inCur], this.#folder.table, this.#folder.names);
    for (const one of renamed) this.#folder.flagged(one);
    const row = this.#folder.table.rowOf(uid);
    return row >= 0 && met[row] === 1;
  }

  /** Octets with CRLF as far as the name or the uidlist tells; NaN when neither does. */
  writtenSize(row: number): number {
    const { at, heap } = this.#folder.table;
    const from = at.nameAt[row];
    return sizeWritten(heap, from, from + at.baseLength[row], fieldsOf(this.#folder.table, row)) ?? NaN;
  }
}
