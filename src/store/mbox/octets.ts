/** Moving stretches of octets between and within files, in pieces, with others having their turn in between. */
import { readSync } from "node:fs";
import { tryCopyRange } from "../../sys/copy-range.ts";
import { startWriteback } from "../../sys/writeback.ts";
import { writeFully } from "../durable.ts";
import { breathe } from "../serial.ts";

const chunk = 1024 * 1024;
/** Octets that the kernel copies at once. */
const atOnce = 8 * 1024 * 1024;
/** Octets behind which the disk is told to begin, so that an fsync has less to wait for. */
const early = 32 * 1024 * 1024;
/** Shorter stretches are gathered in memory, and written together. */
const gathered = 64 * 1024;

/** Copies [start, end) of one file to `at` in another; where it ends there. */
export async function copyRange(from: number, start: number, end: number, to: number, at: number): Promise<number> {
  let octets: Buffer | undefined;
  for (let place = start; place < end; ) {
    let got = octets === undefined ? tryCopyRange(from, place, to, at, Math.min(atOnce, end - place)) : undefined;
    if (got === undefined) {
      octets ??= Buffer.allocUnsafe(Math.min(chunk, end - place));
      got = readSync(from, octets, 0, Math.min(octets.length, end - place), place);
      writeFully(to, octets.subarray(0, got), at);
    }
    if (got === 0) throw new Error("a file became shorter while it was copied");
    if (Math.floor(at / early) !== Math.floor((at + got) / early)) startWriteback(to);
    place += got;
    at += got;
    if (place < end) await breathe();
  }
  return at;
}

/** Octets and stretches of other files as they come one behind the other in a file; short ones are written together. */
export class Sequence {
  readonly #to: number;
  readonly #room = Buffer.allocUnsafeSlow(chunk);
  #filled = 0;
  #at: number;

  /** @param at where it begins in the file */
  constructor(to: number, at: number) {
    this.#to = to;
    this.#at = at;
  }

  /** Where it ends. */
  get end(): number {
    return this.#at + this.#filled;
  }

  add(octets: Buffer): void {
    if (octets.length > chunk - this.#filled) this.flush();
    if (octets.length <= chunk) this.#filled += octets.copy(this.#room, this.#filled);
    else {
      writeFully(this.#to, octets, this.#at);
      this.#at += octets.length;
    }
  }

  /** [start, end) of another file. */
  async addRange(from: number, start: number, end: number): Promise<void> {
    if (end - start > gathered) {
      this.flush();
      this.#at = await copyRange(from, start, end, this.#to, this.#at);
      return;
    }
    if (end - start > chunk - this.#filled) this.flush();
    while (start < end) {
      const got = readSync(from, this.#room, this.#filled, end - start, start);
      if (got === 0) throw new Error("a file became shorter while it was copied");
      this.#filled += got;
      start += got;
    }
  }

  flush(): void {
    writeFully(this.#to, this.#room.subarray(0, this.#filled), this.#at);
    if (Math.floor(this.#at / early) !== Math.floor((this.#at + this.#filled) / early)) startWriteback(this.#to);
    this.#at += this.#filled;
    this.#filled = 0;
  }
}

/** Empty lines in [from, to). */
export function fillLines(fd: number, from: number, to: number): void {
  const lines = Buffer.alloc(Math.min(chunk, Math.max(0, to - from)), 0x0a);
  for (; from < to; from += lines.length) writeFully(fd, lines.subarray(0, to - from), from);
}

/** First octet in [from, to) that is not an LF, else `to`. */
export function linesEnd(fd: number, from: number, to: number): number {
  const octets = Buffer.allocUnsafe(Math.min(chunk, Math.max(0, to - from)));
  const lines = Buffer.alloc(octets.length, 0x0a);
  for (let at = from; at < to; ) {
    const got = readSync(fd, octets, 0, Math.min(octets.length, to - at), at);
    if (got === 0) return at;
    if (octets.compare(lines, 0, got, 0, got) !== 0) return at + octets.findIndex((octet) => octet !== 0x0a);
    at += got;
  }
  return to;
}
