/**
 * One message of a Maildir: a file that changes its name but not its content. Size and date are looked up when first
 * asked for, so that opening a folder touches no message file.
 */
import { closeSync, constants, fstatSync, linkSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { crlfCopy, crlfHeader, crlfSize, toCrlf } from "../../message/line-ends.ts";
import { errno } from "../faults.ts";
import type { Flags, Message, ModSeq, Uid } from "../mailbox.ts";
import { sizeIn, timeIn } from "./filename.ts";
import { locate, octetPath, type Found } from "./scan.ts";
import { fieldNumber } from "./uidlist.ts";

/** Octets that are read at once on this thread; a page cache hit costs less than a trip to another thread. */
const readNow = 128 * 1024;

/** Never waits for a FIFO, never follows a link. */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class MessageFile {
  readonly uid: Uid;
  readonly base: string;
  /** Fields of the uidlist line, kept as they are. */
  readonly fields: string;
  /** The folder; shared by all its messages, since a folder may be renamed. */
  readonly place: { path: string };
  directory: "cur" | "new";
  file: string;
  letters: string;
  /** The state sessions see; replaced when flags change. */
  message: Message;
  #size: number | undefined;
  #date: number | undefined;

  constructor(place: { path: string }, uid: Uid, base: string, fields: string, found: Found, flags: Flags) {
    this.place = place;
    this.uid = uid;
    this.base = base;
    this.fields = fields;
    this.directory = found.directory;
    this.file = found.file;
    this.letters = found.letters;
    this.message = new MaildirMessage(this, flags);
  }

  get path(): string | Buffer {
    return octetPath(`${this.place.path}/${this.directory}`, this.file);
  }

  /** Name or flags as a scan found them. */
  moved(found: Found): void {
    this.directory = found.directory;
    this.file = found.file;
    this.letters = found.letters;
  }

  relabel(flags: Flags): void {
    this.message = new MaildirMessage(this, flags);
  }

  /** POP3 and IMAP identity: what Dovecot would say, the `G` field or the base name. */
  get guid(): string {
    return /(?:^| )G([^ ]+)/.exec(this.fields)?.[1] ?? this.base;
  }

  /** Octets with CRLF: of the name (`,W=`), of the uidlist (`W`), or counted once. 0 when the file is gone. */
  get size(): number {
    this.#size ??= sizeIn(this.base, "W") ?? fieldNumber(this.fields, "W");
    if (this.#size === undefined) {
      const size = this.#try((path) => this.#read(path, crlfSize));
      if (size === undefined) return 0;
      this.#size = size;
    }
    return this.#size;
  }

  /** A size that was counted and stands neither in the name nor in the uidlist; undefined otherwise. */
  get countedSize(): number | undefined {
    return this.#size !== undefined && sizeIn(this.base, "W") === undefined && fieldNumber(this.fields, "W") === undefined ? this.#size : undefined;
  }

  /** mtime of the file, ms; when the file is gone, the time its name begins with. */
  get date(): number {
    this.#date ??= this.#try((path) => Math.floor(statSync(path).mtimeMs));
    return this.#date ?? (timeIn(this.base) ?? 0) * 1000;
  }

  /** Octets in the file; 0 when it is gone. */
  get storedSize(): number {
    return this.#try((path) => statSync(path).size) ?? 0;
  }

  /** A second name for the file. False when it is gone. */
  link(to: string | Buffer): boolean {
    return this.#try((path) => (linkSync(path, to), true)) ?? false;
  }

  /** Octets with CRLF line ends; undefined when the file is gone. At once when it is no large file. */
  read(): Buffer | undefined | Promise<Buffer | undefined> {
    const size = sizeIn(this.base, "S");
    return size !== undefined && size > readNow ? this.#readLarge() : this.#try((path) => this.#read(path, crlfCopy));
  }

  async #readLarge(): Promise<Buffer | undefined> {
    try {
      return toCrlf(await readFile(this.path, { flag: readOnly }));
    } catch (error) {
      if (errno(error) !== "ENOENT") throw error;
    }
    return this.#try((path) => this.#read(path, toCrlf));
  }

  /** The header with CRLF line ends and its empty line, all octets when there is no such line; undefined when the file is gone. */
  readHead(): Buffer | undefined {
    return this.#try((path) => {
      const fd = openSync(path, readOnly);
      try {
        const stats = fstatSync(fd);
        this.#date ??= Math.floor(stats.mtimeMs);
        if (!stats.isFile()) return Buffer.alloc(0);
        const got = readSync(fd, room, 0, headSize, 0);
        const header = crlfHeader(room.subarray(0, got));
        if (header !== undefined) return header;
        const octets = contents(fd, stats.size);
        return crlfHeader(octets) ?? crlfCopy(octets);
      } finally {
        closeSync(fd);
      }
    });
  }

  /** @param take what is wanted of the octets; they are good only as long as it runs */
  #read<T>(path: string | Buffer, take: (octets: Buffer) => T): T {
    const fd = openSync(path, readOnly);
    try {
      const stats = fstatSync(fd);
      this.#date ??= Math.floor(stats.mtimeMs);
      return take(stats.isFile() ? contents(fd, stats.size) : Buffer.alloc(0));
    } finally {
      closeSync(fd);
    }
  }

  /** `work` on the file wherever another program renamed it to; undefined when it is gone. */
  #try<T>(work: (path: string | Buffer) => T): T | undefined {
    for (let tries = 0; tries < 5; tries++) {
      try {
        return work(this.path);
      } catch (error) {
        if (errno(error) !== "ENOENT") throw error;
        // Only where the file is: its letters are for a refresh to take over, which tells everybody.
        const found = locate(this.place.path, this.base);
        if (found === undefined) return undefined;
        this.directory = found.directory;
        this.file = found.file;
      }
    }
    return undefined;
  }
}

/** Where files are read to, and looked at before anything else can be read. */
const room = Buffer.allocUnsafeSlow(readNow);
/** Most headers fit. */
const headSize = 8192;

/** All of a file of `size` octets; in `room` where they fit, so good until the next call. */
function contents(fd: number, size: number): Buffer {
  // A file that says it is empty may be one of the kernel's.
  if (size === 0) return readFileSync(fd);
  const octets = size <= room.length ? room.subarray(0, size) : Buffer.allocUnsafe(size);
  let got = 0;
  for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(fd, octets, got, octets.length - got, got);
  return octets.subarray(0, got);
}

/** The file behind a message this module made. */
export const fileOf = (message: Message): MessageFile | undefined => (message instanceof MaildirMessage ? MaildirMessage.file(message) : undefined);

class MaildirMessage implements Message {
  readonly flags: Flags;
  readonly #file: MessageFile;

  constructor(file: MessageFile, flags: Flags) {
    this.#file = file;
    this.flags = flags;
  }

  static file(message: MaildirMessage): MessageFile {
    return message.#file;
  }

  get uid(): Uid {
    return this.#file.uid;
  }

  get size(): number {
    return this.#file.size;
  }

  get internalDate(): number {
    return this.#file.date;
  }

  get saveDate(): number | undefined {
    const seconds = timeIn(this.#file.base);
    return seconds === undefined ? undefined : seconds * 1000;
  }

  get modSeq(): ModSeq {
    return 1 as ModSeq;
  }

  get guid(): string {
    return this.#file.guid;
  }
}
