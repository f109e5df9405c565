/** Reading a file by pieces: a stretch of it is in memory, and moves along. */
import { readSync } from "node:fs";

/** Octets read at once by who reads all of a file. */
const forAll = 1024 * 1024;
/** By who looks here and there. */
export const forHeaders = 16 * 1024;

export class FileWindow {
  readonly #fd: number;
  /** Octets of the file when it was opened; nothing behind them is looked at. */
  readonly size: number;
  readonly #piece: number;
  /** What is in memory: the file from `start` on. Others after each call that may read. */
  octets: Buffer = Buffer.alloc(0);
  start = 0;
  #room: Buffer = Buffer.alloc(0);
  /** There is no CR in octets[#clear, #carriage). */
  #clear = 0;
  #carriage = -1;

  constructor(fd: number, size: number, piece = forAll) {
    this.#fd = fd;
    this.#piece = piece;
    this.size = size;
  }

  /** `length` octets from `at`, fewer at the end of the file. Valid until the next call. */
  bytes(at: number, length: number): Buffer {
    const from = this.ensure(at, length);
    return this.octets.subarray(from, Math.min(from + Math.max(0, length), this.size - this.start));
  }

  /** Has `length` octets from `at` in memory, or as many as there are; returns the place of `at` in `octets`. */
  ensure(at: number, length: number): number {
    const end = Math.min(at + Math.max(0, length), this.size);
    if (at >= end) return this.octets.length;
    if (at < this.start || end > this.start + this.octets.length) this.#load(at, Math.max(end - at, this.#piece));
    return at - this.start;
  }

  /** A new piece from `at` on, when little of this one is left: what begins here as a rule ends in it. */
  slide(at: number): void {
    const end = this.start + this.octets.length;
    if (at >= this.start && end - at < this.#piece >> 3 && end < this.size) this.#load(at, this.#piece);
  }

  #load(at: number, length: number): void {
    const wanted = Math.min(length, this.size - at);
    if (this.#room.length < wanted) this.#room = Buffer.allocUnsafeSlow(wanted);
    const octets = this.#room.subarray(0, wanted);
    this.#carriage = -1;
    let got = 0;
    for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(this.#fd, octets, got, octets.length - got, at + got);
    if (got < octets.length) throw new Error("the file became shorter while it was read");
    this.octets = octets;
    this.start = at;
  }

  /** Place of a pattern that begins in [at, before) and lies within the file; -1 when it does not come. */
  indexOf(pattern: Buffer, at: number, before = this.size): number {
    const end = Math.min(before - 1 + pattern.length, this.size);
    for (let from = Math.max(0, at); from + pattern.length <= end; ) {
      const place = this.ensure(from, pattern.length);
      const loaded = Math.min(this.start + this.octets.length, end);
      const octets = loaded < this.start + this.octets.length ? this.octets.subarray(0, loaded - this.start) : this.octets;
      const found = octets.indexOf(pattern, place);
      if (found >= 0) return this.start + found;
      if (loaded === end) return -1;
      from = loaded - pattern.length + 1;
      // From the middle on, so that a pattern at the border is found.
      this.ensure(from, Math.min(this.#piece, this.size - from));
    }
    return -1;
  }

  /** How many LFs in [from, to) have no CR before them; one at `from` counts what stands before it outside, too. */
  bareLines(from: number, to: number): number {
    let bare = 0;
    for (let at = from; at < to; ) {
      const place = this.ensure(at, 1);
      const end = Math.min(this.octets.length, to - this.start);
      bare += this.#hasCarriage(place, end) ? bareLines(this.octets, place, end) : lineFeeds(this.octets, place, end);
      at = this.start + end;
      // A CR at the very end of a piece belongs to the LF that begins the next.
      if (at < to && this.octets[end - 1] === 0x0d && this.bytes(at, 1)[0] === 0x0a) bare--;
    }
    return bare;
  }

  /** Looks for the next one once, however often it is asked about the octets before it. */
  #hasCarriage(from: number, to: number): boolean {
    if (from < this.#clear || from > this.#carriage) {
      const found = this.octets.indexOf(0x0d, from);
      this.#clear = from;
      this.#carriage = found < 0 ? this.octets.length : found;
    }
    return this.#carriage < to;
  }
}

/** Bare LFs in octets[from, to); an LF at `from` is bare. */
export function bareLines(octets: Buffer, from: number, to: number): number {
  let bare = 0;
  let before = 0;
  for (let at = from; at < to; at++) {
    const octet = octets[at] ?? 0;
    if (octet === 0x0a && before !== 0x0d) bare++;
    before = octet;
  }
  return bare;
}

/** LFs in octets[from, to), four octets at a time. */
function lineFeeds(octets: Buffer, from: number, to: number): number {
  let count = 0;
  let at = from;
  const end = to - 4;
  for (; at < to && (octets.byteOffset + at) % 4 !== 0; at++) if (octets[at] === 0x0a) count++;
  // Too few for a word may end before an aligned one begins.
  const words = at <= end ? new Uint32Array(octets.buffer, octets.byteOffset + at, (to - at) >> 2) : new Uint32Array(0);
  let sums = 0;
  for (let i = 0; i < words.length; i++) {
    const x = (words[i] ?? 0) ^ 0x0a0a0a0a;
    // The high bit of each octet of x that is zero, moved to its lowest.
    sums += ~(((x & 0x7f7f7f7f) + 0x7f7f7f7f) | x | 0x7f7f7f7f) >>> 7;
    if ((i & 127) === 127) {
      count += sum4(sums);
      sums = 0;
    }
  }
  count += sum4(sums);
  for (at += words.length * 4; at < to; at++) if (octets[at] === 0x0a) count++;
  return count;
}

/** The sum of four octets, each at most 128. */
const sum4 = (sums: number): number => (sums & 0xff) + ((sums >>> 8) & 0xff) + ((sums >>> 16) & 0xff) + (sums >>> 24);
