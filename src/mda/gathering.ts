/**
 * Octets as they come: a few are kept in memory, many in a file without a name. So a large mail is in no process's memory, whatever is done
 * to it.
 *
 * The file is in $TMPDIR, /var/tmp or /tmp, with no name (O_TMPFILE, or unlinked at once) and nobody else's to read: it is gone with the
 * process. Where there is none, or no room in it, octets stay in memory.
 */
import { closeSync, constants, openSync, readSync, unlinkSync } from "node:fs";
import { Octets, type Stored } from "../message/octets.ts";
import { writeFully } from "../store/durable.ts";

/** How much is kept where. */
export interface Measure {
  /** Octets up to which all is in memory. */
  readonly memory: number;
  /** Octets of one reading of the file. */
  readonly piece: number;
}

const usual: Measure = { memory: 2 << 20, piece: 128 << 10 };

/** Octets that come at once, at most. */
const roomSize = 64 << 10;

export class Gathering {
  /** Octets were thrown away: there were more than the limit. */
  excess = false;
  length = 0;
  readonly #limit: number;
  readonly #measure: Measure;
  /** In memory, behind those in the file. */
  #chunks: Buffer[] = [];
  #room: Buffer | undefined;
  #file: NamelessFile | "none" | undefined;

  /** @param limit  octets that are kept */
  constructor(limit: number, measure = usual) {
    this.#limit = limit;
    this.#measure = measure;
  }

  /** Where the next octets can be put; `took` must follow. */
  room(): Buffer {
    return (this.#room ??= Buffer.allocUnsafeSlow(roomSize));
  }

  /** The first `count` octets of the room are there. */
  took(count: number): void {
    const kept = Math.min(count, this.#limit - this.length);
    if (kept < count) this.excess = true;
    if (kept === 0 || this.#room === undefined) return;
    const octets = this.#room.subarray(0, kept);
    this.length += kept;
    if (this.#file === undefined && this.length > this.#measure.memory) this.#spill();
    if (typeof this.#file === "object" && this.#file.append(octets)) return;
    this.#chunks.push(octets);
    const rest = this.#room.subarray(kept);
    this.#room = rest.length * 8 < roomSize ? undefined : rest;
  }

  take(octets: Buffer): void {
    if (typeof this.#file === "object" && this.length + octets.length <= this.#limit && this.#file.append(octets)) {
      this.length += octets.length;
      return;
    }
    for (let done = 0; done < octets.length; ) {
      const copied = octets.copy(this.room(), 0, done);
      this.took(copied);
      done += copied;
    }
  }

  /** All that has come; nothing may come behind it. Those in the file are there up to `close`. */
  octets(): Octets {
    const [only] = this.#chunks;
    const memory = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    this.#chunks = [memory];
    return typeof this.#file === "object" ? Octets.join(Octets.stored(this.#file), memory) : Octets.of(memory);
  }

  /** Lets go of the file. */
  close(): void {
    if (typeof this.#file === "object") this.#file.close();
    this.#file = "none";
  }

  #spill(): void {
    this.#file = NamelessFile.make(this.#measure.piece) ?? "none";
    if (this.#file === "none") return;
    while (this.#chunks[0] !== undefined && this.#file.append(this.#chunks[0])) this.#chunks.shift();
  }
}

/** Not in Node's constants: __O_TMPFILE of the kernel, the same for x86-64 and arm64. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

class NamelessFile implements Stored {
  length = 0;
  #full = false;
  readonly piece: number;
  #fd: number | undefined;

  private constructor(fd: number, piece: number) {
    this.#fd = fd;
    this.piece = piece;
  }

  static make(piece: number): NamelessFile | undefined {
    for (const directory of [process.env.TMPDIR, "/var/tmp", "/tmp"]) {
      const fd = directory === undefined || directory === "" ? undefined : nameless(directory);
      if (fd !== undefined) return new NamelessFile(fd, piece);
    }
    return undefined;
  }

  /** False: there is no room for them, or was none before, and nothing was added. */
  append(octets: Buffer): boolean {
    if (this.#full || this.#fd === undefined) return false;
    try {
      writeFully(this.#fd, octets, this.length);
      this.length += octets.length;
    } catch {
      this.#full = true;
    }
    return !this.#full;
  }

  read(into: Buffer, at: number): void {
    // The descriptor may be another file's by now.
    if (this.#fd === undefined) throw new Error("a temporary file that was let go is read");
    for (let done = 0; done < into.length; ) {
      const count = readSync(this.#fd, into, done, into.length - done, at + done);
      if (count === 0) throw new Error("a temporary file is shorter than what was written to it");
      done += count;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function nameless(directory: string): number | undefined {
  try {
    return openSync(directory, O_TMPFILE | constants.O_RDWR, 0o600);
  } catch {
    // Not every file system has them.
  }
  try {
    const name = `${directory}/posthorn.${process.getBuiltinModule("node:crypto").randomUUID()}`;
    const fd = openSync(name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    unlinkSync(name);
    return fd;
  } catch {
    return undefined;
  }
}
