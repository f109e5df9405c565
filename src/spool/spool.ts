/** The queue directory: who may be in it, what is found at start, moves between states. INTERNALS.md has the table. */
import { closeSync, constants, fstatSync, ftruncateSync, mkdirSync, openSync, readdirSync, renameSync, statSync, statfsSync, utimesSync } from "node:fs";
import { SystemFault } from "../sys/libc.ts";
import { tryLock } from "../sys/lock.ts";
import { readAt, systemCalls, type SystemCalls } from "./calls.ts";
import { recordLine, type QueueRecord, type StoredEnvelope } from "./format.ts";
import { isQueueId, queueIds } from "./queue-id.ts";
import { readQueueFile, type Found, type QueueFile } from "./read.ts";
import { SpoolWriter } from "./write.ts";

export const queueNames = ["incoming", "active", "deferred", "hold", "corrupt"] as const;
export type QueueName = (typeof queueNames)[number];

const ebusy = 16;

/** Another mtad has this queue. */
export class QueueInUse extends SystemFault {
  constructor(directory: string) {
    super("lock", ebusy, `${directory}: another mtad has this queue`);
  }
}

/** File systems where fsync of a new file makes its directory entry durable: ext2/3/4, XFS, Btrfs, F2FS, ZFS, NFS, overlayfs on those; tmpfs has no durability to lose. */
const entryWithFile = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x6969, 0x794c7630, 0x01021994]);

/** Queue files open at once to be looked at or written on: thousands become due at the same time, or are put off at the same time. */
const openLimit = 64;

/** So many at once; the others wait for their turn. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async turn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

export interface SpoolOptions {
  /** ms since the epoch. */
  readonly now?: () => number;
  readonly calls?: SystemCalls;
}

export class Spool {
  readonly directory: string;
  readonly calls: SystemCalls;
  /** True when every new file needs an fsync of its directory too. */
  readonly syncsDirectory: boolean;
  readonly #lock: number;
  readonly #incoming: number;
  readonly #now: () => number;
  readonly #nextId: () => string;
  readonly #files = new Turns(openLimit);
  #room = { at: -Infinity, octets: 0 };

  private constructor(directory: string, lock: number, options: SpoolOptions) {
    this.directory = directory;
    this.#lock = lock;
    this.calls = options.calls ?? systemCalls;
    this.#now = options.now ?? Date.now;
    this.#nextId = queueIds(this.#now, Math.random());
    this.#incoming = openSync(this.path("incoming", ""), constants.O_RDONLY | constants.O_DIRECTORY);
    this.syncsDirectory = !entryWithFile.has(Number(statfsSync(directory).type));
  }

  /** Makes the directories where missing and takes the lock. Throws QueueInUse, or what the kernel says. */
  static open(directory: string, options: SpoolOptions = {}): Spool {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const queue of queueNames) mkdirSync(`${directory}/${queue}`, { recursive: true, mode: 0o700 });
    const lock = openSync(`${directory}/lock`, constants.O_RDWR | constants.O_CREAT, 0o600);
    if (!tryLock(lock, "write")) {
      closeSync(lock);
      throw new QueueInUse(directory);
    }
    return new Spool(directory, lock, options);
  }

  /** Gives the lock back. */
  close(): void {
    closeSync(this.#incoming);
    closeSync(this.#lock);
  }

  path(queue: QueueName, id: string): string {
    return `${this.directory}/${queue}/${id}`;
  }

  nextId(): string {
    return this.#nextId();
  }

  /** Starts a message; the disk is touched by the writer's `write` or `commit`. */
  begin(envelope: StoredEnvelope): SpoolWriter {
    return new SpoolWriter(envelope, this.path("incoming", envelope.id), this.calls, this.syncsDirectory ? () => this.calls.fsync(this.#incoming) : undefined);
  }

  /** Ids in a queue, in order of arrival. Names that are no queue ids are passed over; `strange` hears of them. */
  ids(queue: QueueName, strange?: (name: string) => void): string[] {
    const ids: string[] = [];
    for (const name of readdirSync(this.path(queue, ""))) {
      if (isQueueId(name)) ids.push(name);
      else strange?.(name);
    }
    return ids.sort();
  }

  /** Reads the file without its message. `verify`: also go through the message for the checksum. Undefined when there is no such file. */
  async read(queue: QueueName, id: string, verify = false): Promise<Found | undefined> {
    try {
      return await this.#files.turn(() => readQueueFile(this.path(queue, id), verify));
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fault;
    }
  }

  /** The message in pieces of up to 64 KiB, LF line ends. */
  async *body(queue: QueueName, id: string, file: QueueFile): AsyncGenerator<Buffer> {
    const fd = await this.calls.open(this.path(queue, id), constants.O_RDONLY, 0);
    try {
      for (let at = 0; at < file.octets; ) {
        const piece = Buffer.allocUnsafe(Math.min(65536, file.octets - at));
        const n = await readAt(fd, piece, piece.length, file.bodyOffset + at);
        if (n === 0) throw new Error(`${id}: queue file became shorter`);
        at += n;
        yield piece.subarray(0, n);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Appends a record. Not durable: losing it repeats a delivery. Cuts off what is behind it: a torn append, or records it takes the place of. */
  append(queue: QueueName, id: string, file: QueueFile, record: QueueRecord): Promise<QueueFile> {
    return this.#files.turn(() => this.#append(queue, id, file, record));
  }

  async #append(queue: QueueName, id: string, file: QueueFile, record: QueueRecord): Promise<QueueFile> {
    const line = recordLine(record);
    const fd = await this.calls.open(this.path(queue, id), constants.O_RDWR, 0);
    try {
      await this.calls.pwrite(fd, line, file.end);
      // In this order a kill in between loses nothing: what is left of an old line is no record.
      if (fstatSync(fd).size > file.end + line.length) ftruncateSync(fd, file.end + line.length);
    } finally {
      closeSync(fd);
    }
    return { ...file, end: file.end + line.length };
  }

  /** Moves a message. `due`: ms since the epoch, for deferred. */
  move(from: QueueName, to: QueueName, id: string, due?: number): void {
    if (due !== undefined) utimesSync(this.path(from, id), this.#now() / 1000, due / 1000);
    if (from !== to) renameSync(this.path(from, id), this.path(to, id));
  }

  /** When a deferred message is due, ms since the epoch; undefined when it is gone. */
  due(id: string): number | undefined {
    return statSync(this.path("deferred", id), { throwIfNoEntry: false })?.mtimeMs;
  }

  /** The message is done. A file that is gone already is no fault. */
  async remove(queue: QueueName, id: string): Promise<void> {
    await this.calls.unlink(this.path(queue, id)).catch((fault: NodeJS.ErrnoException) => {
      if (fault.code !== "ENOENT") throw fault;
    });
  }

  /** Octets an unprivileged writer may still use, as of at most a second ago. */
  free(): number {
    const now = this.#now();
    if (Math.abs(now - this.#room.at) > 1000) {
      const { bavail, bsize, ffree, files } = statfsSync(this.directory);
      // Without free inodes there is no room either (file systems that have no such limit say 0 of 0).
      this.#room = { at: now, octets: files > 0 && ffree === 0 ? 0 : bavail * bsize };
    }
    return this.#room.octets;
  }
}
