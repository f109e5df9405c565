import type { OctetClass } from "../syntax/octets.ts";

/**
 * A position in an unfolded field value: the lexical tokens that RFC 5322 §3.2 and RFC 2045 §5.1 share. Characters above
 * U+00FF count as members of no class but are `8-bit` like those from U+0080. Never throws: every step takes something or
 * nothing.
 */
export class Text {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.position >= this.text.length;
  }

  /** The next character, "" at the end. */
  peek(): string {
    return this.text.charAt(this.position);
  }

  skip(): void {
    this.position++;
  }

  take(character: string): boolean {
    if (this.peek() !== character) return false;
    this.position++;
    return true;
  }

  /** The longest run, maybe empty, of members of a class. */
  run(members: OctetClass): string {
    const start = this.position;
    while (members[this.text.charCodeAt(this.position)] === 1) this.position++;
    return this.text.slice(start, this.position);
  }

  /** Everything before the first of these characters. */
  until(stops: string): string {
    const start = this.position;
    while (this.position < this.text.length && !stops.includes(this.text.charAt(this.position))) this.position++;
    return this.text.slice(start, this.position);
  }

  /** Moves before the next of this character, or to the end. */
  to(character: string): void {
    const at = this.text.indexOf(character, this.position);
    this.position = at < 0 ? this.text.length : at;
  }

  /** White space, line ends too. True when there was some. */
  space(): boolean {
    const start = this.position;
    while (isSpace(this.text.charCodeAt(this.position))) this.position++;
    return this.position > start;
  }

  /**
   * CFWS: comments and white space (RFC 5322 §3.2.2). Returns the text of the last comment, its white space as single spaces, or undefined when
   * there was none or it was empty.
   */
  comments(): string | undefined {
    let last: string | undefined;
    for (;;) {
      this.space();
      if (this.peek() !== "(") return last;
      last = tidy(this.#comment());
    }
  }

  /** comment = "(" *([FWS] ccontent) [FWS] ")", nested; without quoting; up to the end when it is not closed. */
  #comment(): string {
    let depth = 0;
    let out = "";
    let from = this.position + 1;
    for (; this.position < this.text.length; this.position++) {
      const c = this.text.charCodeAt(this.position);
      if (c === 0x5c) {
        out += this.text.slice(from, this.position);
        from = ++this.position;
      } else if (c === 0x28) depth++;
      else if (c === 0x29 && --depth === 0) {
        out += this.text.slice(from, this.position++);
        return out;
      }
    }
    this.position = Math.min(this.position, this.text.length);
    return out + this.text.slice(from);
  }

  /** quoted-string (RFC 5322 §3.2.4) without its quotes and backslashes; up to the end when it is not closed. At a DQUOTE. */
  quotedString(): string {
    let out = "";
    let from = ++this.position;
    for (; this.position < this.text.length; this.position++) {
      const c = this.text.charCodeAt(this.position);
      if (c === 0x22) {
        out += this.text.slice(from, this.position++);
        return out;
      }
      if (c !== 0x5c) continue;
      out += this.text.slice(from, this.position);
      from = ++this.position;
    }
    this.position = Math.min(this.position, this.text.length);
    return out + this.text.slice(from);
  }
}

function tidy(comment: string): string | undefined {
  const text = comment.replaceAll(/[ \t\r\n]+/g, " ").replaceAll(/^ | $/g, "");
  return text === "" ? undefined : text;
}

const isSpace = (c: number): boolean => c === 0x20 || c === 0x09 || c === 0x0d || c === 0x0a;
