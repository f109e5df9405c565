/** The file of a mailbox as its operations meet it: locked, recovered from a crash, read where it changed. */
import { accessSync, closeSync, constants, fstatSync, statSync } from "node:fs";
import { tryLock, unlock } from "../../sys/lock.ts";
import { leanly } from "../../sys/memory.ts";
import { isForbidden } from "../durable.ts";
import { storeFault } from "../faults.ts";
import type { StoreHooks } from "../hooks.ts";
import { StoreFault } from "../mailbox.ts";
import type { Contents } from "./contents.ts";
import { stampOf } from "./head.ts";
import type { Appended } from "./append-mark.ts";
import { fromLineLimit, parseFromLine } from "./from-line.ts";
import { Journal } from "./journal.ts";
import { createMbox, isStill, openMbox, withMbox, type LockPolicy, type LockedFile } from "./lock.ts";
import { look, lookAtNothing } from "./reading.ts";
import { beforeOf, tellApart } from "./settle.ts";
import { Side } from "./side.ts";
import { noStates } from "./states.ts";
import { FileWindow } from "./window.ts";
import { HeaderChanged, writeStates } from "./writing.ts";

export interface MboxPlace {
  path: string;
  name: string;
  /** Directory of side files. */
  readonly side: string;
}

export interface MboxPolicy {
  readonly lock: LockPolicy;
  /** `mailbox_size_limit`, octets; 0 is none. */
  readonly sizeLimit: number;
  readonly nextUidValidity: () => number;
  readonly hooks: StoreHooks;
}

/**
 * What goes before a message behind the last octet: a line end where the last line has none, no more, since an empty line would be text of the message before. Where
 * that line is the `From ` line of a message that somebody did not get further with, it is one of its own, without a header.
 */
function gapBehind(fd: number, size: number): Buffer {
  const end = new FileWindow(fd, size, 0).bytes(Math.max(0, size - fromLineLimit), Math.min(size, fromLineLimit));
  if (size === 0 || end.at(-1) === 0x0a) return Buffer.alloc(0);
  const line = end.subarray(end.lastIndexOf(0x0a) + 1);
  return Buffer.from(parseFromLine(line.toString("latin1")) === undefined ? "\n" : "\n\n");
}

/** A file of this size has many messages, octets. */
const large = 32n << 20n;

export class MboxFile {
  readonly #place: MboxPlace;
  readonly #policy: MboxPolicy;
  #contents: Contents | undefined;
  journal: Journal;
  /** We may only read it. */
  readOnly = false;
  #reading: number | undefined;
  /** `#reading`, when it was as it is known. */
  #looked: number | undefined;

  constructor(place: MboxPlace, policy: MboxPolicy) {
    this.#place = place;
    this.#policy = policy;
    this.journal = new Journal(new Side(place.side, place.name));
  }

  get side(): Side {
    return this.journal.side;
  }

  fill(contents: Contents): void {
    this.#contents = contents;
  }

  get #known(): Contents {
    if (this.#contents === undefined) throw new Error("a mailbox without contents");
    return this.#contents;
  }

  relocated(): void {
    this.journal = new Journal(new Side(this.#place.side, this.#place.name));
  }

  /** Finds out whether we may only read it: with an index that knows all there is, nothing else would before the first change. */
  lookAtRights(): void {
    try {
      accessSync(this.#place.path, constants.W_OK);
    } catch (error) {
      if (isForbidden(error)) this.readOnly = true;
    }
  }

  /** What could not be written may be mounted anew, and its owner may have changed. */
  #lookAgain(): void {
    if (!this.readOnly) return;
    this.readOnly = false;
    this.lookAtRights();
  }

  /** One stat without a lock: a writer at work changes the time again before it unlocks. */
  isCurrent(): boolean {
    const { stamp, unwritten } = this.#known;
    if (stamp === undefined || (unwritten && !this.readOnly)) return false;
    const now = statSync(this.#place.path, { bigint: true, throwIfNoEntry: false });
    return now !== undefined && this.#known.isCurrent(stampOf(now));
  }

  /** Takes over what other programs did, and writes UIDs that are missing. Returns what a crash had left and was mended. */
  async load(): Promise<readonly string[]> {
    if (!this.readOnly) {
      try {
        const mended = await withMbox(this.#place.path, "write", this.#policy.lock, (file) => this.#prepare(file));
        if (mended === undefined) lookAtNothing(this.#known);
        return mended ?? [];
      } catch (error) {
        // A mailbox we may only read is still a mailbox, and so is one on a full disk.
        const { kind } = storeFault(error);
        if ((kind !== "permission" && kind !== "no-space") || error instanceof StoreFault) throw error;
        // What a rewrite left half done is no mail; it is finished when there is room.
        if (kind === "no-space" && this.journal.pending) throw error;
        this.readOnly = kind === "permission";
      }
    }
    const read = await withMbox(this.#place.path, "read", this.#policy.lock, (file) => look(this.#known, file));
    if (read === undefined) lookAtNothing(this.#known);
    return [];
  }

  /** Under the write lock. */
  async #prepare(file: LockedFile): Promise<readonly string[]> {
    const mended = this.journal.pending ? await this.journal.recover(file.fd) : [];
    for (const line of mended) this.#policy.hooks.log?.(`${this.#place.path}: ${line}`);
    await this.#lookAndWrite(file);
    return mended;
  }

  async #lookAndWrite(file: LockedFile): Promise<void> {
    const stats = file.stats();
    await (stats.size < large || this.#known.isCurrent(stampOf(stats)) ? this.#takeOver(file) : leanly(() => this.#takeOver(file)));
  }

  async #takeOver(file: LockedFile): Promise<void> {
    const contents = this.#known;
    for (let tries = 0; ; tries++) {
      await look(contents, file);
      if (!contents.unwritten || (contents.table.length === 0 && contents.pseudo === undefined)) return;
      try {
        await writeStates(contents, this.journal, file, noStates);
        return;
      } catch (error) {
        if (!(error instanceof HeaderChanged) || tries > 0) throw error;
        contents.stamp = undefined;
      }
    }
  }

  /**
   * Runs `work` under the write lock on a file that has been read; the file is made when it is not there. When a header is not as it was
   * known, everything is read again and `work` starts over.
   *
   * @param known called when the file was read, before `work`
   */
  async writing<T>(work: (file: LockedFile) => Promise<T>, known: () => void): Promise<T> {
    this.#lookAgain();
    if (this.readOnly) throw new StoreFault("permission", "mailbox is read-only");
    for (let tries = 0; ; tries++) {
      const result = await withMbox(this.#place.path, "write", this.#policy.lock, async (file) => {
        await this.#prepare(file);
        known();
        try {
          return { value: await work(file) };
        } catch (error) {
          if (!(error instanceof HeaderChanged) || tries > 2) throw error;
          this.#known.stamp = undefined;
          return "again";
        }
      });
      if (result === "again") continue;
      if (result !== undefined) return result.value;
      if (tries > 2) throw new StoreFault("nonexistent", "no such mailbox");
      createMbox(this.#place.path);
    }
  }

  /**
   * Runs `work` under the read lock on a file that is as it is known; "stale" when it is not, undefined when there is none. The file is kept
   * open, not locked, until the end of this turn of the event loop: a thousand messages may be read in it.
   */
  async reading<T>(work: (fd: number) => T): Promise<T | "stale" | undefined> {
    const { attempts, delay } = this.#policy.lock;
    void this.#known.table;
    for (let attempt = 1; ; attempt++) {
      const fd = this.#openForTurn();
      if (fd === undefined) return undefined;
      if (tryLock(fd, "read")) {
        try {
          return isStill(this.#place.path, fd) && this.#known.isCurrent(stampOf(fstatSync(fd, { bigint: true }))) ? work(fd) : "stale";
        } finally {
          unlock(fd);
        }
      }
      if (attempt >= attempts) throw new StoreFault("in-use", "mailbox is locked by another program", new Error(`${this.#place.path} is locked`));
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }

  /**
   * The file, where it is as it is known and can be read at once, else undefined. Not locked: who reads there compares CRCs. Looked at once in a turn of
   * the event loop.
   */
  get readable(): number | undefined {
    void this.#known.table;
    if (this.#looked !== undefined && this.#looked === this.#reading) return this.#looked;
    const fd = this.#openForTurn();
    if (fd === undefined || !this.#known.settled || !tryLock(fd, "read")) return undefined;
    try {
      this.#looked = isStill(this.#place.path, fd) && this.#known.isCurrent(stampOf(fstatSync(fd, { bigint: true }))) ? fd : undefined;
    } finally {
      unlock(fd);
    }
    return this.#looked;
  }

  /** What was read of that file without a lock; undefined where it may have been written to meanwhile: a body has no CRC. */
  unlessChanged<T>(fd: number, read: T): T | undefined {
    return this.#known.isCurrent(stampOf(fstatSync(fd, { bigint: true }))) ? read : undefined;
  }

  #openForTurn(): number | undefined {
    if (this.#reading === undefined) {
      const fd = openMbox(this.#place.path, "read");
      this.#reading = fd;
      if (fd !== undefined)
        setImmediate(() => {
          this.#reading = this.#looked = undefined;
          closeSync(fd);
        });
    }
    return this.#reading;
  }

  /** Appends texts; refuses what would make the file too large. */
  async add(file: LockedFile, texts: readonly Appended[]): Promise<void> {
    file.stillOurs();
    const size = Number(file.stats().size);
    const gap = gapBehind(file.fd, size);
    const octets = gap.length + texts.reduce((sum, { length }) => sum + length, 0);
    const { sizeLimit } = this.#policy;
    if (sizeLimit > 0 && size + octets > sizeLimit) throw new StoreFault("too-large", `mailbox would be larger than ${sizeLimit} octets`);
    const before = beforeOf(file.stats());
    await this.journal.append(file.fd, gap, texts);
    tellApart(file, before);
  }

  /** Under the write lock, without reading the mailbox; the file is made when it is not there. */
  async appending(work: (file: LockedFile) => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries++) {
      const done = await withMbox(this.#place.path, "write", this.#policy.lock, async (file) => {
        if (this.journal.pending) await this.journal.recover(file.fd);
        await work(file);
        return true;
      });
      if (done !== undefined) return;
      if (tries > 2) throw new StoreFault("nonexistent", "no such mailbox");
      createMbox(this.#place.path);
    }
  }
}
