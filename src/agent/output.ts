/**
 * What a session sends, gathered into pieces: many small parts of responses cost a few stores each and one write to the socket per
 * piece. Octets come in as strings of one character per octet, as numbers, or out of other buffers; none is kept. Pieces that were written are
 * used again, by whichever session needs one next: a large response leaves no garbage.
 */

/** Size of a piece. */
const pieceSize = 65_536;
/** Octets from which a buffer is sent as it is. */
const largeSize = 16_384;
/** Up to here copying octet by octet costs less than a call that copies them at once. */
const shortSize = 32;

/** Octets of a number and what stands beside it, at most. */
const numberRoom = 18;

/** A piece that was given back. */
const nothing = Buffer.alloc(0);

/** Pieces kept for the next who needs one. */
const spareLimit = 32;
const spare: Piece[] = [];

/** Parts of one buffer are sent one after the other; it is used again when it is full and all of them were written. */
class Piece {
  readonly octets = Buffer.allocUnsafeSlow(pieceSize);
  /** Parts on their way. */
  #sending = 0;
  #full = false;

  static take(): Piece {
    return spare.pop() ?? new Piece();
  }

  sent(): void {
    this.#sending++;
  }

  written(): void {
    this.#sending--;
    this.#giveBack();
  }

  /** No more parts of it will be sent. */
  fill(): void {
    this.#full = true;
    this.#giveBack();
  }

  #giveBack(): void {
    if (!this.#full || this.#sending > 0) return;
    this.#full = false;
    if (spare.length < spareLimit) spare.push(this);
  }
}

export class Output {
  readonly #send: (octets: Buffer, written: () => void) => void;
  #whole = Piece.take();
  /** What of it was not sent. */
  #piece: Buffer = this.#whole.octets;
  #filled = 0;

  /** @param send  takes a buffer that is not changed before `written` is called; that may be never */
  constructor(send: (octets: Buffer, written: () => void) => void) {
    this.#send = send;
  }

  /** Octets, one per character. */
  write(text: string): void {
    const { length } = text;
    if (length >= largeSize) return this.octets(Buffer.from(text, "latin1"));
    if (length > this.#piece.length - this.#filled) this.flush();
    if (length > shortSize) {
      this.#filled += this.#piece.write(text, this.#filled, "latin1");
      return;
    }
    const piece = this.#piece;
    let at = this.#filled;
    for (let i = 0; i < length; i++) piece[at++] = text.charCodeAt(i);
    this.#filled = at;
  }

  /** Decimal digits of a number from 0 to 2^53-1. */
  number(n: number): void {
    if (this.#piece.length - this.#filled < numberRoom) this.flush();
    this.#filled = putDigits(this.#piece, this.#filled, n);
  }

  /** A space and the decimal digits of each number from `from` to, not including, `to`. */
  numbers(all: Uint32Array, from: number, to: number): void {
    for (let i = from; i < to; ) {
      if (this.#piece.length - this.#filled < numberRoom) this.flush();
      const piece = this.#piece;
      const end = piece.length - numberRoom;
      let at = this.#filled;
      for (; i < to && at <= end; i++) {
        piece[at] = 0x20;
        at = putDigits(piece, at + 1, all[i] ?? 0);
      }
      this.#filled = at;
    }
  }

  /** Octets of a buffer that may change afterwards, fewer than `largeSize` at a time as a rule. */
  copy(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length >= largeSize) return this.octets(Buffer.from(source.subarray(start, end)));
    if (length > this.#piece.length - this.#filled) this.flush();
    if (length > shortSize) {
      this.#filled += source.copy(this.#piece, this.#filled, start, end);
      return;
    }
    const piece = this.#piece;
    let at = this.#filled;
    for (let i = start; i < end; i++) piece[at++] = source[i] ?? 0;
    this.#filled = at;
  }

  /** The buffer must not change afterwards. */
  octets(octets: Buffer): void {
    if (octets.length < largeSize) return this.copy(octets, 0, octets.length);
    this.flush();
    this.#send(octets, () => {});
  }

  /** Sends what is gathered. */
  flush(): void {
    if (this.#filled === 0) {
      if (this.#piece === nothing) this.#begin();
      return;
    }
    const whole = this.#whole;
    const part = this.#piece.subarray(0, this.#filled);
    whole.sent();
    const rest = this.#piece.subarray(this.#filled);
    this.#filled = 0;
    // The rest holds any one part of a response below `largeSize`, or is not used.
    if (rest.length >= largeSize) this.#piece = rest;
    else {
      whole.fill();
      this.#begin();
    }
    this.#send(part, () => whole.written());
  }

  #begin(): void {
    this.#whole = Piece.take();
    this.#piece = this.#whole.octets;
  }

  /** Sends what is gathered, as a rule the last: the piece is for another who needs one. */
  end(): void {
    this.flush();
    if (this.#piece === nothing) return;
    this.#whole.fill();
    this.#piece = nothing;
  }
}

/** Returns where they end. */
function putDigits(to: Buffer, from: number, n: number): number {
  let end = from + 1;
  for (let limit = 10; limit <= n; limit *= 10) end++;
  let rest = n;
  for (let at = end - 1; at >= from; at--) {
    const tenth = Math.floor(rest / 10);
    to[at] = 0x30 + (rest - 10 * tenth);
    rest = tenth;
  }
  return end;
}
