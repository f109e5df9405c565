/**
 * Octets of a message wherever they lie: in memory, in a file, or some here and some there. They never change; parts and joins are views, and
 * what lies in a file is read in pieces. Pure: the file is whoever made the Stored.
 */

/** Octets that are not in memory. */
export interface Stored {
  readonly length: number;
  /** Octets of one reading. */
  readonly piece: number;
  /** As many octets from `at` on as `into` has; throws when they can not be had. */
  read(into: Buffer, at: number): void;
}

/** Some of the octets, in memory until the next window is asked for. */
export interface Window {
  readonly octets: Buffer;
  /** Where they begin. */
  readonly start: number;
}

interface Part {
  readonly from: Buffer | Stored;
  /** Where in the Stored it begins; 0 for a Buffer. */
  readonly offset: number;
  /** Where in all it begins. */
  readonly start: number;
  readonly length: number;
}

const nothing: Window = { octets: Buffer.alloc(0), start: 0 };

export class Octets {
  readonly length: number;
  readonly #parts: readonly Part[];
  #window: Window = nothing;
  /** Memory of windows into what is stored. */
  #room: Buffer | undefined;

  private constructor(parts: readonly Part[], length: number) {
    this.#parts = parts;
    this.length = length;
    const [only] = parts;
    if (parts.length === 1 && Buffer.isBuffer(only?.from)) this.#window = { octets: only.from, start: 0 };
  }

  /** Octets stay what they are, also those of another copy of this module: a command that is one file loads more of the program when it needs it. */
  static of(octets: Buffer | Octets): Octets {
    return !Buffer.isBuffer(octets) ? octets : new Octets(octets.length === 0 ? [] : [{ from: octets, offset: 0, start: 0, length: octets.length }], octets.length);
  }

  static stored(stored: Stored): Octets {
    return new Octets(stored.length === 0 ? [] : [{ from: stored, offset: 0, start: 0, length: stored.length }], stored.length);
  }

  static join(...all: readonly (Buffer | Octets)[]): Octets {
    const parts: Part[] = [];
    let start = 0;
    for (const one of all) {
      if (one.length === 0) continue;
      if (Buffer.isBuffer(one)) parts.push({ from: one, offset: 0, start, length: one.length });
      else for (const part of one.#parts) parts.push({ ...part, start: start + part.start });
      start += one.length;
    }
    return new Octets(parts, start);
  }

  /** All of them where they lie in memory in one piece; undefined where they do not. */
  get memory(): Buffer | undefined {
    return this.#window.octets.length === this.length && this.#room === undefined ? this.#window.octets : undefined;
  }

  /** The octets from `start` up to `end`. */
  subarray(start = 0, end = this.length): Octets {
    const last = Math.min(end, this.length);
    const first = Math.min(Math.max(start, 0), Math.max(last, 0));
    if (first === 0 && last === this.length) return this;
    const parts: Part[] = [];
    for (const part of this.#parts) {
      const begin = Math.max(first, part.start) - part.start;
      const count = Math.min(last, part.start + part.length) - part.start - begin;
      if (count <= 0) continue;
      const from = Buffer.isBuffer(part.from) ? part.from.subarray(begin, begin + count) : part.from;
      parts.push({ from, offset: Buffer.isBuffer(from) ? 0 : part.offset + begin, start: part.start + begin - first, length: count });
    }
    return new Octets(parts, Math.max(last - first, 0));
  }

  /** A window with the octet at `at`, which is below the length. For walks from left to right. */
  window(at: number): Window {
    const { octets, start } = this.#window;
    return at >= start && at < start + octets.length ? this.#window : this.#move(at);
  }

  #move(at: number): Window {
    const part = this.#parts.find(({ start, length }) => at < start + length);
    if (part === undefined) return nothing;
    const { from, offset, start, length } = part;
    if (Buffer.isBuffer(from)) return (this.#window = { octets: from, start });
    this.#room ??= Buffer.allocUnsafeSlow(from.piece);
    const octets = this.#room.subarray(0, Math.min(from.piece, start + length - at));
    from.read(octets, offset + at - start);
    return (this.#window = { octets, start: at });
  }

  /** The octets from `start` up to `end` where the window under way has them: good until the next one. Else undefined. */
  inWindow(start: number, end: number): Buffer | undefined {
    const { octets, start: first } = this.#window;
    return start >= first && end <= first + octets.length ? octets.subarray(start - first, end - first) : undefined;
  }

  /** The octet at `at`; -1 where there is none. */
  at(at: number): number {
    if (at < 0 || at >= this.length) return -1;
    const { octets, start } = this.window(at);
    return octets[at - start] ?? -1;
  }

  /** All of them in order, none empty. What is stored comes in memory of this walk's own, which the next piece takes. */
  *pieces(): Generator<Buffer, undefined> {
    let room: Buffer | undefined;
    for (const { from, offset, length } of this.#parts) {
      if (Buffer.isBuffer(from)) {
        yield from;
        continue;
      }
      if (room === undefined || room.length < Math.min(from.piece, length)) room = Buffer.allocUnsafe(Math.min(from.piece, length));
      for (let done = 0; done < length; ) {
        const piece = room.subarray(0, Math.min(room.length, length - done));
        from.read(piece, offset + done);
        done += piece.length;
        yield piece;
      }
    }
  }

  /** All of them in memory: for what is known to be short. A view where they are there already. */
  toBuffer(): Buffer {
    const [only] = this.#parts;
    if (this.#parts.length === 1 && Buffer.isBuffer(only?.from)) return only.from;
    const whole = Buffer.allocUnsafe(this.length);
    for (const { from, offset, start, length } of this.#parts) {
      if (Buffer.isBuffer(from)) from.copy(whole, start);
      else from.read(whole.subarray(start, start + length), offset);
    }
    return whole;
  }

  startsWith(what: Buffer, at = 0): boolean {
    for (let i = 0; i < what.length; i++) if (this.at(at + i) !== what[i]) return false;
    return true;
  }

  /** Where `what` is first, at or behind `from`; -1 where it is not. */
  indexOf(what: Buffer, from = 0): number {
    for (let at = Math.max(from, 0); at < this.length; ) {
      const { octets, start } = this.window(at);
      const found = octets.indexOf(what, at - start);
      if (found >= 0) return start + found;
      const end = start + octets.length;
      const border = Math.max(at, end - what.length + 1);
      if (end === this.length) return -1;
      const across = this.subarray(border, end + what.length - 1).toBuffer().indexOf(what);
      if (across >= 0) return border + across;
      at = end;
    }
    return -1;
  }
}
