/** Finds the end of a header that comes in pieces, and keeps the header up to a limit. Ends it where `parseHeader` does. */
import { undecided, type Boundaries } from "./boundaries.ts";
import { parseHeader, type Header } from "./header.ts";

const lf = 0x0a;
const cr = 0x0d;
const dash = 0x2d;

/** What a line is, by its first octets. */
type Line = "text" | "empty" | "delimiter" | "undecided";

export class HeaderCollector {
  readonly #boundaries: Boundaries;
  readonly #pieces: Buffer[] = [];
  #kept = 0;
  readonly #most: number;
  #truncated = false;
  #lineStart = true;
  #ended = false;

  /** @param most  octets kept; those behind are passed over */
  constructor(boundaries: Boundaries, most: number) {
    this.#boundaries = boundaries;
    this.#most = most;
  }

  /**
   * Takes from a window what belongs to the header, and copies it.
   *
   * @param last  nothing comes behind the window
   * @returns up to where: the end of the header, or what can not be decided yet
   */
  take(window: Buffer, from: number, end: number, last: boolean): number {
    let at = from;
    while (at < end) {
      if (this.#lineStart) {
        const line = this.#line(window, at, end, last);
        if (line === "undecided") break;
        if (line !== "text") {
          if (line === "empty") at += window[at] === lf ? 1 : 2;
          this.#ended = true;
          break;
        }
      }
      const lineEnd = window.indexOf(lf, at);
      this.#lineStart = lineEnd >= 0;
      at = lineEnd < 0 ? end : lineEnd + 1;
    }
    if (last && at === end) this.#ended = true;
    this.#keep(window, from, at);
    return at;
  }

  #line(window: Buffer, at: number, end: number, last: boolean): Line {
    const first = window[at];
    if (first === lf) return "empty";
    if (first !== cr && first !== dash) return "text";
    if (at + 1 === end) return last ? "text" : "undecided";
    if (first === cr) return window[at + 1] === lf ? "empty" : "text";
    if (window[at + 1] !== dash) return "text";
    const level = this.#boundaries.levelAt(window, at, end, !last);
    if (level === undecided) return "undecided";
    return level >= 0 ? "delimiter" : "text";
  }

  #keep(window: Buffer, from: number, to: number): void {
    const length = Math.min(to - from, this.#most - this.#kept);
    if (length < to - from) this.#truncated = true;
    if (length <= 0) return;
    this.#pieces.push(Buffer.from(window.subarray(from, from + length)));
    this.#kept += length;
  }

  /** The header when its end was seen; its offsets count from its own start. */
  header(fieldLimit: number): Header | undefined {
    if (!this.#ended) return undefined;
    const header = parseHeader(Buffer.concat(this.#pieces), 0, this.#kept, undefined, fieldLimit);
    return this.#truncated ? { ...header, closed: true } : header;
  }
}
