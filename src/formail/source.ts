/**
 * Octets of the input in a window that moves forward. Nothing behind `start` is kept, and nothing beyond what was asked for is
 * waited for, so that a message can be answered while the next one is not there yet.
 */

/** Reads into `into` at `offset`, at most `length` octets; 0 at the end. */
export type Read = (into: Buffer, offset: number, length: number) => number;

const windowSize = 65_536;

export class Source {
  /** What is there: start..end. Both change with `fill`. */
  buffer = Buffer.allocUnsafe(windowSize);
  start = 0;
  end = 0;
  #ended = false;
  readonly #read: Read;

  constructor(read: Read) {
    this.#read = read;
  }

  /** Octets at hand. */
  get length(): number {
    return this.end - this.start;
  }

  /** Reads more; false when the input has ended. Moves what is there to the front of the window, or makes the window larger when it is full. */
  fill(): boolean {
    if (this.#ended) return false;
    if (this.start === this.end) this.start = this.end = 0;
    if (this.end === this.buffer.length) {
      if (this.start >= this.buffer.length / 2) this.buffer.copyWithin(0, this.start, this.end);
      else {
        const larger = Buffer.allocUnsafe(this.buffer.length * 2);
        this.buffer.copy(larger, 0, this.start, this.end);
        this.buffer = larger;
      }
      this.end -= this.start;
      this.start = 0;
    }
    const got = this.#read(this.buffer, this.end, this.buffer.length - this.end);
    if (got === 0) this.#ended = true;
    this.end += got;
    return got > 0;
  }

  /** The octet at `offset` from the start; undefined behind the end of the input. */
  at(offset: number): number | undefined {
    while (this.length <= offset) if (!this.fill()) return undefined;
    return this.buffer[this.start + offset];
  }

  /** Length of the line that starts at `offset` from the start, its line feed counted; what is left of the input when it has none. */
  line(offset = 0): number {
    let searched = offset;
    for (;;) {
      const found = this.#lineFeed(searched);
      if (found >= 0) return found - offset + 1;
      searched = Math.max(offset, this.length);
      if (!this.fill()) return this.length - offset;
    }
  }

  /**
   * The end, from the start, of what is at hand of the line at `offset`: the whole line, or at least `limit` octets of a longer one.
   * Enough to say what kind of line it is.
   */
  glance(offset: number, limit = 4096): number {
    let searched = offset;
    for (;;) {
      const found = this.#lineFeed(searched);
      if (found >= 0) return found + 1;
      searched = Math.max(offset, this.length);
      if (searched - offset >= limit || !this.fill()) return this.length;
    }
  }

  /** The first line feed at hand from `offset` on; -1 when there is none. */
  #lineFeed(offset: number): number {
    const found = this.buffer.indexOf(0x0a, this.start + offset);
    return found < 0 || found >= this.end ? -1 : found - this.start;
  }

  /** Takes `length` octets away: valid until the next call of `fill`, `at` or `line`. */
  take(length: number): Buffer {
    const taken = this.buffer.subarray(this.start, this.start + length);
    this.start += length;
    return taken;
  }
}
