import { SyntaxFault } from "./fault.ts";
import type { OctetClass } from "./octets.ts";

/**
 * A position in a buffer and the steps grammars take over it. Nothing is copied; `until`-like steps give views. A step
 * that takes nothing leaves the position alone.
 */
export class Scanner {
  readonly octets: Buffer;
  /** Index of the next octet, from the start of `octets`. May be set back to a remembered value. */
  position: number;
  /** One behind the last octet that may be taken. */
  readonly end: number;

  constructor(octets: Buffer, start = 0, end = octets.length) {
    this.octets = octets;
    this.position = start;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  /** The octet `ahead` places on, not taken; -1 behind the end. */
  peek(ahead = 0): number {
    const at = this.position + ahead;
    return at < this.end ? (this.octets[at] ?? -1) : -1;
  }

  /** Takes one octet whatever it is. Throws SyntaxFault at the end. */
  any(): number {
    const octet = this.peek();
    if (octet < 0) this.fail("more expected");
    this.position++;
    return octet;
  }

  /** Takes exactly this octet, or this string of US-ASCII in the same case. False, and nothing taken, when it is not there. */
  take(what: number | string): boolean {
    if (typeof what === "number") {
      if (this.peek() !== what) return false;
      this.position++;
      return true;
    }
    if (this.end - this.position < what.length) return false;
    for (let i = 0; i < what.length; i++) if (this.octets[this.position + i] !== what.charCodeAt(i)) return false;
    this.position += what.length;
    return true;
  }

  /** As `take` of a string of US-ASCII, without regard to case (RFC 5234 §2.3). */
  takeNoCase(what: string): boolean {
    if (this.end - this.position < what.length) return false;
    for (let i = 0; i < what.length; i++) if (lower(this.octets[this.position + i] ?? -1) !== lower(what.charCodeAt(i))) return false;
    this.position += what.length;
    return true;
  }

  /** As `take`. Throws SyntaxFault when it is not there. */
  expect(what: number | string): void {
    if (!this.take(what)) this.fail(`${JSON.stringify(typeof what === "number" ? String.fromCharCode(what) : what)} expected`);
  }

  /** Takes the longest run, maybe empty, of members of the class, at most `limit`, and returns a view of it. */
  run(members: OctetClass, limit = Infinity): Buffer {
    const start = this.position;
    const stop = Math.min(this.end, start + limit);
    let at = start;
    while (at < stop && members[this.octets[at] ?? 0] === 1) at++;
    this.position = at;
    return this.octets.subarray(start, at);
  }

  /** As `run`, of one octet at least. Throws SyntaxFault "`what` expected". */
  some(members: OctetClass, what: string, limit = Infinity): Buffer {
    const found = this.run(members, limit);
    if (found.length === 0) this.fail(`${what} expected`);
    return found;
  }

  /** Takes `count` octets. Throws SyntaxFault when there are fewer. */
  bytes(count: number): Buffer {
    if (count > this.end - this.position) this.fail("more expected");
    const start = this.position;
    this.position += count;
    return this.octets.subarray(start, start + count);
  }

  /**
   * 1*DIGIT as a number from 0 to `max`. RFC 3501 §9 number: leading zeros are legal.
   * Throws SyntaxFault.
   */
  number(max = 0xffffffff): number {
    const start = this.position;
    let value = 0;
    for (let c = this.peek(); c >= 0x30 && c <= 0x39; c = this.peek()) {
      value = value * 10 + (c - 0x30);
      if (value > max) this.fail("number too large", start);
      this.position++;
    }
    if (this.position === start) this.fail("number expected");
    return value;
  }

  /** Takes everything up to the end. */
  rest(): Buffer {
    return this.bytes(this.end - this.position);
  }

  /** Throws SyntaxFault unless everything was taken. */
  expectEnd(): void {
    if (!this.atEnd) this.fail("unexpected octets at the end");
  }

  /** Throws SyntaxFault here, or at another offset. */
  fail(text: string, offset = this.position): never {
    throw new SyntaxFault(text, offset);
  }
}

const lower = (octet: number): number => (octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet);
