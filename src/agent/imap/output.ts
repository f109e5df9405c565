/**
 * What a session sends, gathered into pieces: many small parts of responses cost a few stores each and one write to the socket per
 * piece. Octets come in as strings of one character per octet, as numbers, or out of other buffers; none is kept.
 */

/** Size of a piece. */
const pieceSize = 65_536;
/** Octets from which a buffer is sent as it is. */
const largeSize = 16_384;
/** Up to here copying octet by octet costs less than a call that copies them at once. */
const shortSize = 32;

export class Output {
  readonly #send: (octets: Buffer) => void;
  #piece: Buffer = Buffer.allocUnsafeSlow(pieceSize);
  #filled = 0;

  /** @param send  takes a buffer that is not changed afterwards */
  constructor(send: (octets: Buffer) => void) {
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
    if (this.#piece.length - this.#filled < 16) this.flush();
    const piece = this.#piece;
    let digits = 1;
    for (let limit = 10; limit <= n; limit *= 10) digits++;
    const end = this.#filled + digits;
    let rest = n;
    for (let at = end - 1; at >= this.#filled; at--) {
      const tenth = Math.floor(rest / 10);
      piece[at] = 0x30 + (rest - 10 * tenth);
      rest = tenth;
    }
    this.#filled = end;
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
    this.#send(octets);
  }

  /** Sends what is gathered. */
  flush(): void {
    if (this.#filled === 0) return;
    const piece = this.#piece.subarray(0, this.#filled);
    // What was handed over may be read until it is written, so only the part that was not used is used again: it holds another part of a response.
    const rest = this.#piece.subarray(this.#filled);
    this.#piece = rest.length >= largeSize ? rest : Buffer.allocUnsafeSlow(pieceSize);
    this.#filled = 0;
    this.#send(piece);
  }
}
