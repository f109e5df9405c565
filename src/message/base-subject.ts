/** The base subject, by which mail is sorted and threaded. RFC 5256 §2.1, §5. Pure, linear in the length of the subject. */

import { isOneSpaced } from "../syntax/blanks.ts";

export interface BaseSubject {
  /** Without regard to case where it is compared. */
  readonly base: string;
  /** A reply or forward: what was removed says so (RFC 5256 §3 THREAD). */
  readonly reply: boolean;
}

/** @param subject  decoded (RFC 2047); tabs and line ends may still be in it */
export function baseSubject(subject: string): BaseSubject {
  const plain = plainSubject(subject);
  if (plain !== undefined) return plain;
  const s = new Subject(subject.replaceAll(/[ \t\r\n]+/g, " "));
  do {
    s.trailers();
    while (s.leader() || s.blobs());
  } while (s.forwarded());
  return { base: s.text.slice(s.from), reply: s.reply };
}

/** One that has nothing to be removed but perhaps one "Re: " in front; undefined for others, and where more than a look is needed to tell. */
function plainSubject(subject: string): BaseSubject | undefined {
  if (!isOneSpaced(subject) || subject.endsWith(")")) return undefined;
  const reply = subject.startsWith("Re: ") || subject.startsWith("RE: ");
  const from = reply ? 4 : 0;
  const next = subject.charCodeAt(from + 1) | 0x20;
  switch (subject.charCodeAt(from) | 0x20) {
    // "[" and "{", "re", "fw"
    case 0x7b:
      return undefined;
    case 0x72:
      if (next === 0x65) return undefined;
      break;
    case 0x66:
      if (next === 0x77) return undefined;
  }
  return { base: subject.slice(from), reply };
}

/** subj-refwd without its blob and colon. */
const refwd = /(?:re|fwd?) */iy;
/** subj-blob = "[" *BLOBCHAR "]" *WSP */
const blob = /\[[^[\]\0]*\] */y;

/** What is left of a subject: `text` from `from` on. Spaces are single. */
class Subject {
  text: string;
  from = 0;
  reply = false;

  constructor(text: string) {
    this.text = text;
  }

  /** The end of a match at `at`, or -1. */
  #match(expression: RegExp, at: number): number {
    expression.lastIndex = at;
    return expression.test(this.text) ? expression.lastIndex : -1;
  }

  /** Step (2). subj-trailer = "(fwd)" / WSP */
  trailers(): void {
    let to = this.text.length;
    for (;;) {
      if (to > this.from && this.text[to - 1] === " ") to--;
      else if (to - this.from >= 5 && this.text.slice(to - 5, to).toLowerCase() === "(fwd)") {
        to -= 5;
        this.reply = true;
      } else break;
    }
    this.text = this.text.slice(0, to);
  }

  /** The end of *subj-blob at `at`, and the start of the last of them (`at` where there is none). */
  #blobsAt(at: number): { readonly end: number; readonly last: number } {
    let last = at;
    let end = at;
    for (let next = this.#match(blob, end); next >= 0; next = this.#match(blob, end)) {
      last = end;
      end = next;
    }
    return { end, last };
  }

  /** Step (3), once. subj-leader = (*subj-blob subj-refwd) / WSP */
  leader(): boolean {
    if (this.text[this.from] === " ") {
      this.from++;
      return true;
    }
    let at = this.#match(refwd, this.#blobsAt(this.from).end);
    if (at < 0) return false;
    const behind = this.#match(blob, at);
    if (behind >= 0) at = behind;
    if (this.text[at] !== ":") return false;
    this.from = at + 1;
    this.reply = true;
    return true;
  }

  /**
   * Step (4), as often as it can be taken: all blobs at once, because no leader stands behind them. The last one stays when nothing else
   * is left.
   */
  blobs(): boolean {
    const { end, last } = this.#blobsAt(this.from);
    const to = end < this.text.length ? end : last;
    if (to === this.from) return false;
    this.from = to;
    return true;
  }

  /** Step (6). subj-fwd = subj-fwd-hdr subject subj-fwd-trl */
  forwarded(): boolean {
    if (this.text.length - this.from < 6 || !this.text.endsWith("]") || this.text.slice(this.from, this.from + 5).toLowerCase() !== "[fwd:") return false;
    this.from += 5;
    this.text = this.text.slice(0, -1);
    this.reply = true;
    return true;
  }
}
