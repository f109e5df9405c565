/**
 * `dovecot-uidlist` on disk. Changed only under `dovecot-uidlist.lock`; other programs append to it or replace it at
 * any time, so it is looked at (one stat) before it is trusted, and again under the lock before UIDs are given.
 *
 * Legal states: absent (a new folder, or one another program filled); a whole file; a whole file with a torn line at
 * the end (a writer died: no client was told those UIDs, since they are told after fdatasync). New lines are appended; a
 * torn, missing or overgrown file is written anew as `dovecot-uidlist.tmp`, fsynced and renamed over it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, rmSync, statSync, type BigIntStats } from "node:fs";
import { randomBytes } from "node:crypto";
import { dotlock } from "../dotlock.ts";
import { createOnly, syncData, syncDirectory, writeFully } from "../durable.ts";
import { errno } from "../faults.ts";
import { formatHeader, formatLine, parseLines, parseUidlist, type UidlistHeader, type UidlistLine } from "./uidlist.ts";

/** What a look at the file found. */
export type UidlistNews =
  | { readonly kind: "same" }
  | { readonly kind: "missing" }
  /** Header unreadable. */
  | { readonly kind: "corrupt" }
  | { readonly kind: "appended"; readonly lines: readonly UidlistLine[] }
  | { readonly kind: "replaced"; readonly header: UidlistHeader; readonly lines: readonly UidlistLine[] };

interface Identity {
  readonly inode: bigint;
  readonly size: number;
  readonly changed: bigint;
}

/** Dovecot waits as long, and breaks the lock of a silent holder after as long. */
const patience = { attempts: 600, delay: 50, stale: 120_000 };

export class UidlistFile {
  readonly #place: { readonly path: string };
  #identity: Identity | undefined;
  #end = 0;
  #last = 0;
  #whole = true;

  constructor(place: { readonly path: string }) {
    this.#place = place;
  }

  get #path(): string {
    return `${this.#place.path}/dovecot-uidlist`;
  }

  /** Lines read or written may be added to by `append`; otherwise the file wants `replace`. */
  get appendable(): boolean {
    return this.#whole && this.#identity !== undefined;
  }

  /** Runs `work` while nobody else changes the file. Throws StoreFault "in-use" after half a minute of waiting. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    const lock = await dotlock(`${this.#path}.lock`, patience);
    try {
      return await work();
    } finally {
      await lock.release();
    }
  }

  look(): UidlistNews {
    let stats: BigIntStats;
    try {
      stats = statSync(this.#path, { bigint: true });
    } catch (error) {
      if (errno(error) !== "ENOENT") throw error;
      this.#identity = undefined;
      return { kind: "missing" };
    }
    const known = this.#identity;
    if (known !== undefined && known.inode === stats.ino && known.size === Number(stats.size) && known.changed === stats.mtimeNs) return { kind: "same" };
    return this.#read(known);
  }

  #read(known: Identity | undefined): UidlistNews {
    const fd = openSync(this.#path, constants.O_RDONLY);
    try {
      const stats = fstatSync(fd, { bigint: true });
      const size = Number(stats.size);
      const grown = known !== undefined && known.inode === stats.ino && size > known.size && this.#whole && this.#end === known.size;
      const from = grown ? this.#end : 0;
      const octets = Buffer.allocUnsafe(size - from);
      let got = 0;
      for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(fd, octets, got, octets.length - got, from + got);
      this.#identity = { inode: stats.ino, size: from + got, changed: stats.mtimeNs };
      const text = octets.subarray(0, got);
      if (grown) {
        const tail = parseLines(text, 0, this.#last);
        this.#take(from + tail.end, tail.whole, tail.lines);
        return { kind: "appended", lines: tail.lines };
      }
      const list = parseUidlist(text);
      this.#last = 0;
      if (list === undefined) {
        this.#whole = false;
        return { kind: "corrupt" };
      }
      // Version 1 has no fields and no colon: appending version 3 lines would spoil it.
      this.#take(list.end, list.whole && text[0] === 0x33, list.lines);
      return { kind: "replaced", header: list.header, lines: list.lines };
    } finally {
      closeSync(fd);
    }
  }

  #take(end: number, whole: boolean, lines: readonly UidlistLine[]): void {
    this.#end = end;
    this.#whole = whole;
    this.#last = lines.at(-1)?.uid ?? this.#last;
  }

  /** Adds lines; only under the lock, right after `look` said "same" or was taken over. Durable when it resolves. */
  async append(lines: readonly UidlistLine[]): Promise<void> {
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
    try {
      const text = Buffer.from(lines.map(formatLine).join(""), "latin1");
      try {
        writeFully(fd, text);
      } finally {
        const stats = fstatSync(fd, { bigint: true });
        // A write that failed half way leaves a torn line, which the next writer sees by this.
        this.#whole = Number(stats.size) === this.#end + text.length;
        this.#identity = { inode: stats.ino, size: Number(stats.size), changed: stats.mtimeNs };
        if (this.#whole) this.#take(Number(stats.size), true, lines);
      }
      await syncData(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Writes the whole file anew; only under the lock. Durable when it resolves. */
  async replace(header: UidlistHeader, lines: readonly UidlistLine[]): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    rmSync(temporary, { force: true });
    const text = Buffer.from(formatHeader(header) + lines.map(formatLine).join(""), "latin1");
    const fd = openSync(temporary, createOnly, 0o600);
    try {
      writeFully(fd, text);
      await syncData(fd);
      renameSync(temporary, this.#path);
      const stats = fstatSync(fd, { bigint: true });
      this.#identity = { inode: stats.ino, size: text.length, changed: stats.mtimeNs };
      this.#last = 0;
      this.#take(text.length, true, lines);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    await syncDirectory(this.#place.path);
  }
}

/** A mailbox id as Dovecot's: 128 random bits. */
export const newGuid = (): string => randomBytes(16).toString("hex");
