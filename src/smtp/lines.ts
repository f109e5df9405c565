/** Cuts what a client sends into command lines. RFC 5321 §2.3.8, §4.5.3.1.4. Pure but for its own state. */

const lf = 10;
const cr = 13;

export class LineReader {
  #held: Buffer | undefined;
  /** The line that is being read is longer than allowed: drop it up to its end. */
  #skipping = false;

  push(chunk: Buffer): void {
    this.#held = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
  }

  /**
   * The next line without its line end; LF alone ends one, too. "too long" once per line of more than `limit`
   * octets. Undefined: no complete line is here; at most `limit` octets are kept.
   */
  next(limit: number): Buffer | "too long" | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const at = held.indexOf(lf);
    if (at < 0) {
      if (held.length <= limit + 1 && !this.#skipping) return undefined;
      this.#held = undefined;
      const first = !this.#skipping;
      this.#skipping = true;
      return first ? "too long" : undefined;
    }
    this.#held = at + 1 === held.length ? undefined : held.subarray(at + 1);
    if (this.#skipping) {
      this.#skipping = false;
      return this.next(limit);
    }
    const end = at > 0 && held[at - 1] === cr ? at - 1 : at;
    return end > limit ? "too long" : held.subarray(0, end);
  }

  /** True when octets lie here that were not asked for yet. */
  get pending(): boolean {
    return this.#held !== undefined;
  }

  /** Everything that was pushed and not taken as lines. */
  takeAll(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held;
  }
}
