/** Octets one behind the other: the names of rows, which say where theirs lie. */
export class Heap {
  #octets: Buffer = Buffer.alloc(0);
  #length = 0;
  /** Octets that the file has. */
  #written = 0;

  get length(): number {
    return this.#length;
  }

  /** Valid until the next `keep` or `replace`. */
  get octets(): Buffer {
    return this.#octets;
  }

  /** Takes a whole buffer over. */
  replace(octets: Buffer): void {
    this.#octets = octets;
    this.#length = octets.length;
  }

  /** Keeps octets; where. Those of a buffer that was taken over are there already. */
  keep(octets: Buffer, from: number, to: number): number {
    if (octets === this.#octets) return from;
    const at = this.#length;
    const length = to - from;
    if (at + length > this.#octets.length) this.#grow(at + length);
    octets.copy(this.#octets, at, from, to);
    this.#length += length;
    return at;
  }

  #grow(room: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(1024, Math.ceil(room * 1.5)));
    this.#octets.copy(grown, 0, 0, this.#length);
    this.#octets = grown;
  }

  /** What the file does not have yet, or all. */
  unwritten(): Buffer {
    return this.#octets.subarray(this.#written, this.#length);
  }

  all(): Buffer {
    return this.#octets.subarray(0, this.#length);
  }

  written(): void {
    this.#written = this.#length;
  }

  /** What follows in the file. */
  take(octets: Buffer): void {
    if (this.#length === 0) this.replace(octets);
    else if (octets.length > 0) this.keep(octets, 0, octets.length);
  }
}
