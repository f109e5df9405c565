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
import { offer } from "../../sys/living.ts";
import { dotlock, makeLockFile, removeLockFile } from "../dotlock.ts";
import { createOnly, isCopy, longestText, syncData, syncDirectory, writeFully } from "../durable.ts";
import { LineWriter, eachLine, formatHeader, parseHeader, type LineVisitor, type UidlistHeader } from "./uidlist.ts";

/** What a look at the file found: the same as before, no file, a header that can not be read, more lines, or another file. */
export type UidlistNews = "same" | "missing" | "corrupt" | "appended" | "replaced";

/** Who takes over what is read. */
export interface UidlistReader {
  /** Another file: all its lines follow. */
  begin(header: UidlistHeader): void;
  readonly line: LineVisitor;
}

/** Which file was read and how far; JSON. */
export interface UidlistState {
  readonly inode: string;
  readonly size: number;
  readonly modified: string;
  readonly changed: string;
  /** UID of the last line. */
  readonly last: number;
  /** The first line: a file that grew still has it. */
  readonly first: string;
}

interface Identity {
  readonly inode: bigint;
  readonly size: number;
  readonly modified: bigint;
  /** ctime: who writes a file anew in place may put its mtime back. */
  readonly changed: bigint;
}

const identityOf = ({ ino, size, mtimeNs, ctimeNs }: BigIntStats): Identity => ({ inode: ino, size: Number(size), modified: mtimeNs, changed: ctimeNs });

const isSame = (one: Identity, other: Identity): boolean => one.inode === other.inode && one.size === other.size && one.modified === other.modified && one.changed === other.changed;

/** An fsync and a rename may lie between the two, ns. */
const longAfter = 60_000_000_000n;

/** Dovecot waits as long, and breaks the lock of a silent holder after as long. */
const patience = { attempts: 600, delay: 50, stale: 120_000 };
/** For who goes on without it: two seconds in all; mostly it is had after some ms. */
const haste = { attempts: 44, delay: 50 };
/** With one who has held it for so long already. */
const impatience = { ...patience, attempts: 20 };

export class UidlistFile {
  readonly #place: { readonly control: string };
  #identity: Identity | undefined;
  #end = 0;
  #last = 0;
  #whole = true;
  #first = "";
  /** An fdatasync failed: what the file shows may not be on the disk, and another one would not write it. */
  #unsure = false;
  /** Lines of the last look that were none. */
  spoilt = 0;
  /** The lock could not be had the last time. */
  #held = false;
  /** Nor by who goes on without it. */
  #kept = false;

  constructor(place: { readonly control: string }) {
    this.#place = place;
  }

  /** What is known of the file, for another time; undefined when it has to be read again anyway. */
  get state(): UidlistState | undefined {
    const known = this.#identity;
    return known === undefined || !this.#whole || this.#end !== known.size ? undefined : { inode: String(known.inode), size: known.size, modified: String(known.modified), changed: String(known.changed), last: this.#last, first: this.#first };
  }

  /** Goes on from a state; undefined begins anew. */
  set state(state: UidlistState | undefined) {
    this.#identity = state === undefined ? undefined : { inode: BigInt(state.inode), size: state.size, modified: BigInt(state.modified), changed: BigInt(state.changed) };
    this.#end = state?.size ?? 0;
    this.#last = state?.last ?? 0;
    this.#first = state?.first ?? "";
    this.#whole = true;
  }

  get #path(): string {
    return `${this.#place.control}/dovecot-uidlist`;
  }

  /** Lines read or written may be added to by `append`; otherwise the file wants `replace`. */
  get appendable(): boolean {
    return this.#whole && !this.#unsure && this.#identity !== undefined;
  }

  /** Runs `work` while nobody else changes the file. Throws StoreFault "in-use" after half a minute of waiting, and after a second where that was in vain before. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#held;
    this.#held = true;
    const lock = await dotlock(`${this.#path}.lock`, before ? impatience : patience);
    this.#held = false;
    try {
      return await work();
    } finally {
      await lock.release();
    }
  }

  /**
   * Runs `work`, which renames files, where it can be had while nobody else has the lock: Dovecot reads the directory under it, and takes a message for expunged whose
   * file is renamed meanwhile. Where it can not be had, `work` is run all the same: nobody but Dovecot goes by it.
   */
  async beside<T>(work: () => Promise<T>): Promise<T> {
    const path = `${this.#path}.lock`;
    const has = await this.#hold(path);
    try {
      return await work();
    } finally {
      if (has) removeLockFile(path);
    }
  }

  async #hold(path: string): Promise<boolean> {
    try {
      for (let attempt = 1; !makeLockFile(path, patience.stale); attempt++) {
        // Nobody waits twice for who does not let it go.
        if (this.#kept || attempt >= haste.attempts) {
          this.#kept = true;
          return false;
        }
        await new Promise((resolve) => setTimeout(resolve, Math.min(haste.delay, 2 ** attempt)));
      }
    } catch {
      // A full disk, or one that we may not write to: who can rename may.
      return false;
    }
    this.#kept = false;
    return true;
  }

  /** True when the file is a copy of what it was in this state, as tar(1) and rsync(1) put one back: UIDs that were given since the copy was made are not in it. */
  isCopyOf(state: UidlistState | undefined): boolean {
    const stats = state === undefined ? undefined : statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return state !== undefined && stats !== undefined && isCopy(stats, state);
  }

  /**
   * True when the file was changed long after it was written, as by who puts a copy back: whoever writes it changes it then. So is one of a Maildir that was moved here
   * by such a program, or has another owner now.
   */
  get isOld(): boolean {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return stats !== undefined && stats.ctimeNs - stats.mtimeNs > longAfter;
  }

  look(reader: UidlistReader): UidlistNews {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    // Whatever else has the name is no list, and is replaced by one.
    if (stats?.isFile() !== true) {
      this.#identity = undefined;
      return "missing";
    }
    return this.#isKnown(stats) ? "same" : this.#read(this.#identity, reader);
  }

  #isKnown(stats: BigIntStats): boolean {
    const known = this.#identity;
    return known !== undefined && isSame(known, identityOf(stats));
  }

  /** Whether a look would find nothing new. */
  get isSame(): boolean {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return stats?.isFile() === true && this.#isKnown(stats);
  }

  /** Reads a list that another server left under another name and in a form of its own: there is no file yet, and the next writer makes it. */
  adopt(text: Buffer, reader: UidlistReader): void {
    const first = parseHeader(text);
    if (first === undefined) return;
    reader.begin(first.header);
    const { end, last, spoilt } = eachLine(text, first.end, 0, true, reader.line);
    this.#take(end, false, last, spoilt);
  }

  #read(known: Identity | undefined, reader: UidlistReader): UidlistNews {
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(fd, { bigint: true });
      const size = Number(stats.size);
      const grown = known !== undefined && known.inode === stats.ino && size > known.size && this.#whole && this.#end === known.size && this.#isContinued(fd);
      if (size > longestText) {
        this.#identity = identityOf(stats);
        this.#take(0, false, 0, 0);
        return "corrupt";
      }
      const from = grown ? this.#end : 0;
      const octets = Buffer.allocUnsafe(size - from);
      let got = 0;
      for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(fd, octets, got, octets.length - got, from + got);
      this.#identity = { ...identityOf(stats), size: from + got };
      const text = octets.subarray(0, got);
      if (grown) {
        const tail = eachLine(text, 0, this.#last, true, reader.line);
        this.#take(from + tail.end, tail.whole, tail.last, tail.spoilt);
        return "appended";
      }
      const first = parseHeader(text);
      if (first === undefined) {
        this.#take(0, false, 0, 0);
        return "corrupt";
      }
      this.#first = text.toString("latin1", 0, first.end);
      reader.begin(first.header);
      const list = eachLine(text, first.end, 0, first.version3, reader.line);
      // Version 1 has no fields and no colon: appending version 3 lines would spoil it.
      this.#take(list.end, list.whole && first.version3, list.last, list.spoilt);
      return "replaced";
    } finally {
      closeSync(fd);
    }
  }

  /** True when the file begins as it did, and a line ends where it ended. */
  #isContinued(fd: number): boolean {
    const begin = Buffer.alloc(this.#first.length);
    const end = Buffer.alloc(1);
    readSync(fd, begin, 0, begin.length, 0);
    readSync(fd, end, 0, 1, this.#end - 1);
    return begin.length > 0 && begin.toString("latin1") === this.#first && end[0] === 0x0a;
  }

  #take(end: number, whole: boolean, last: number, spoilt: number): void {
    this.#end = end;
    this.#whole = whole;
    this.#last = last;
    this.spoilt = spoilt;
  }

  /** Adds lines; only under the lock, right after `look` said "same" or was taken over. Durable when it resolves. @param last UID of the last one */
  async append(fill: (lines: LineWriter) => void, last: number): Promise<void> {
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
    try {
      let length = 0;
      try {
        const lines = new LineWriter((octets) => {
          length += octets.length;
          writeFully(fd, octets);
        });
        fill(lines);
        lines.end();
      } finally {
        const stats = fstatSync(fd, { bigint: true });
        // A write that failed half way leaves a torn line, which the next writer sees by this.
        this.#whole = Number(stats.size) === this.#end + length;
        this.#identity = identityOf(stats);
        if (this.#whole) this.#take(Number(stats.size), true, last, 0);
      }
      this.#unsure = true;
      await syncData(fd);
      this.#unsure = false;
    } catch (error) {
      // Lines that may be there are for the next look to find, so that their UIDs are not given again.
      this.#identity = undefined;
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Writes the whole file anew; only under the lock. Durable when it resolves. */
  async replace(header: UidlistHeader, fill: (lines: LineWriter) => void, last: number): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    rmSync(temporary, { force: true });
    const first = Buffer.from(formatHeader(header), "latin1");
    const fd = openSync(temporary, createOnly, 0o600);
    try {
      writeFully(fd, first);
      const lines = new LineWriter((octets) => writeFully(fd, octets));
      offer("uidlist lines", lines);
      fill(lines);
      lines.end();
      await syncData(fd);
      renameSync(temporary, this.#path);
      const stats = fstatSync(fd, { bigint: true });
      this.#identity = identityOf(stats);
      this.#first = first.toString("latin1");
      this.#take(Number(stats.size), true, last, 0);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    try {
      await syncDirectory(this.#place.control);
      this.#unsure = false;
    } catch (error) {
      this.#identity = undefined;
      throw error;
    }
  }
}

/** A mailbox id as Dovecot's: 128 random bits. */
export const newGuid = (): string => randomBytes(16).toString("hex");
