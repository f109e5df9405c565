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
  #octets: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(fd: number, size: number, piece = forAll) {
    this.#fd = fd;
    this.#piece = piece;
    this.size = size;
  }

  /** `length` octets from `at`, fewer at the end of the file. Valid until the next call. */
  bytes(at: number, length: number): Buffer {
    const end = Math.min(at + Math.max(0, length), this.size);
    if (at >= end) return Buffer.alloc(0);
    if (at < this.#start || end > this.#start + this.#octets.length) this.#load(at, Math.max(end - at, this.#piece));
    return this.#octets.subarray(at - this.#start, end - this.#start);
  }

  #load(at: number, length: number): void {
    const octets = Buffer.allocUnsafe(Math.min(length, this.size - at));
    let got = 0;
    for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(this.#fd, octets, got, octets.length - got, at + got);
    if (got < octets.length) throw new Error("the file became shorter while it was read");
    this.#octets = octets;
    this.#start = at;
  }

  /** Place of `text` from `at` on, -1 when it does not come. */
  indexOf(text: string, at: number): number {
    const pattern = Buffer.from(text, "latin1");
    for (let from = Math.max(0, at); from + pattern.length <= this.size; ) {
      if (from < this.#start || from + pattern.length > this.#start + this.#octets.length) this.#load(from, Math.max(this.#piece, forAll));
      const found = this.#octets.indexOf(pattern, from - this.#start);
      if (found >= 0) return this.#start + found;
      from = this.#start + this.#octets.length - pattern.length + 1;
    }
    return -1;
  }

  /** How many LFs in [from, to) have no CR before them. */
  bareLines(from: number, to: number): number {
    let bare = 0;
    for (let at = from; at < to; ) {
      const octets = this.bytes(at, Math.min(forAll, to - at));
      const before = at === from ? 0 : this.#last;
      for (let lf = octets.indexOf(0x0a); lf >= 0; lf = octets.indexOf(0x0a, lf + 1)) if ((lf === 0 ? before : octets[lf - 1]) !== 0x0d) bare++;
      this.#last = octets[octets.length - 1] ?? 0;
      at += octets.length;
    }
    return bare;
  }
  #last = 0;
}
