/**
 * The MIME structure of a message as offsets into its octets: what BODYSTRUCTURE and BODY[section] need. RFC 2045, RFC 2046 §5.
 *
 * The message may come in pieces of any size. What is kept of it between them is the header being read, and of a body the start of
 * a line that may turn out a delimiter: a few hundred octets. One pass, no recursion, linear time. Nothing is rejected: a multipart
 * that is never closed ends where its surroundings end; what is too deep or too much stays one undivided part, as it would be of application/octet-stream. Where the RFCs
 * leave it open we do as Dovecot 2.3 does: a delimiter needs only to begin with a boundary, and of several that fit the longest
 * counts, at equal length the innermost.
 */
import { Boundaries, undecided } from "./boundaries.ts";
import { paramOctets } from "./content.ts";
import { HeaderCollector } from "./header-collector.ts";
import { parseHeader, type Header } from "./header.ts";
import { lineFeeds } from "./line-feeds.ts";
import { describe, isMessage, isMultipart, isText, type Building, type Part } from "./part.ts";

export interface MimeLimits {
  /** Multiparts and messages inside each other. */
  readonly depth: number;
  /** Parts in all, the message itself and messages inside counted. */
  readonly parts: number;
  /** Longest boundary that is compared; RFC 2046 §5.1.1 allows 70. */
  readonly boundary: number;
  /** Header fields in all that are listed; those behind are octets of their headers only. */
  readonly fields: number;
  /** Octets of headers in all that are kept of a message in pieces; fields behind are not seen. */
  readonly headerOctets: number;
  /** Of which parts `lines` are counted: those that have such a number in IMAP, every one, or none. */
  readonly lines: "told" | "all" | "none";
}

export const mimeLimits: MimeLimits = { depth: 100, parts: 10_000, boundary: 200, fields: 100_000, headerOctets: 4_194_304, lines: "told" };

/** A part whose end is not known yet. */
interface Open {
  readonly part: Building;
  /** The boundary while delimiters of this multipart count; undefined for other parts and behind its close-delimiter. */
  boundary: string | undefined;
  readonly counted: boolean;
  readonly digest: boolean;
}

/** Where in the message the next octet is. */
type State =
  | { readonly at: "header"; readonly start: number; readonly digest: boolean; readonly around: Building | undefined; readonly as: "part" | "message" }
  | { readonly at: "body" }
  /** Behind the boundary of a delimiter; `child`: a part begins on the next line. */
  | { readonly at: "delimiter"; readonly child: Open | undefined };

const lf = 0x0a;
const cr = 0x0d;
const dash = 0x2d;
const dashesBehind = Buffer.from("\n--");
const empty: Buffer = Buffer.alloc(0);

export class MimeScanner {
  readonly #limits: MimeLimits;
  readonly #open: Open[] = [];
  readonly #boundaries = new Boundaries();
  #state: State = { at: "header", start: 0, digest: false, around: undefined, as: "part" };
  #root: Building | undefined;
  #made = 0;
  #fieldsLeft: number;
  #headerOctetsLeft: number;
  #collector: HeaderCollector | undefined;

  /** Octets of the message before the first of the window. */
  #base = 0;
  #window = empty;
  /** Those of the window that are not decided yet. */
  #rest = empty;
  /** The two octets before the window, the nearer second; -1 for none. */
  #before: readonly [number, number] = [-1, -1];
  /** A line begins at the start of what comes next. */
  #lineStart = true;

  /** Place in the message up to which LFs were counted, their number, and how many open parts want them. */
  #counted = 0;
  #lineFeeds = 0;
  #counting = 0;

  constructor(limits: MimeLimits = mimeLimits) {
    this.#limits = limits;
    this.#fieldsLeft = limits.fields;
    this.#headerOctetsLeft = limits.headerOctets;
  }

  /** The next piece of the message; it may be reused afterwards. Never throws. */
  push(piece: Buffer): void {
    this.#window = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const used = this.#scan(0, this.#window.length, false);
    this.#countTo(used);
    this.#before = [this.#octet(used - 2), this.#octet(used - 1)];
    this.#rest = used === this.#window.length ? empty : Buffer.from(this.#window.subarray(used));
    this.#window = empty;
    this.#base += used;
  }

  /** Octets of bodies that are kept until the next piece: those of a line that may be a delimiter. */
  get pending(): number {
    return this.#rest.length;
  }

  /** The structure of what was pushed; headers are copies, at most `headerOctets` of them. To be called once. */
  end(): Part {
    this.#window = this.#rest;
    return this.#finish(0, this.#window.length);
  }

  /** `push` and `end` for a message that is all there. */
  whole(octets: Buffer, start: number, end: number): Part {
    this.#window = end === octets.length ? octets : octets.subarray(0, end);
    this.#state = { at: "header", start, digest: false, around: undefined, as: "part" };
    this.#counted = start;
    return this.#finish(start, end);
  }

  #finish(from: number, end: number): Part {
    this.#scan(from, end, true);
    this.#closeTo(0, end);
    return this.#root ?? describe(parseHeader(empty), false);
  }

  /** Goes on at `from`, an index in the window as all places here; returns up to where it is decided, with `last` all. */
  #scan(from: number, end: number, last: boolean): number {
    let at = from;
    for (;;) {
      const state = this.#state;
      const next = state.at === "header" ? this.#header(state, at, end, last) : state.at === "body" ? this.#body(at, end, last) : this.#delimiter(state, at, end);
      // The same state again: it wants more octets than there are.
      if (this.#state === state) return next;
      at = next;
    }
  }

  #header(state: Extract<State, { at: "header" }>, from: number, end: number, last: boolean): number {
    const window = this.#window;
    const isDelimiter = (line: number): boolean => this.#boundaries.levelAt(window, line, end, false) >= 0;
    if (last && this.#collector === undefined) {
      const header = parseHeader(window, from, end, isDelimiter, this.#fieldsLeft);
      this.#begin(state, header, header.bodyStart);
      return header.bodyStart;
    }
    this.#collector ??= new HeaderCollector(this.#boundaries, this.#headerOctetsLeft);
    const next = this.#collector.take(window, from, end, last);
    const header = this.#collector.header(this.#fieldsLeft);
    if (header === undefined) return next;
    this.#collector = undefined;
    this.#headerOctetsLeft -= header.octets.length;
    this.#begin(state, header, next);
    return next;
  }

  /** Opens the part whose header ended before `next`. */
  #begin(state: Extract<State, { at: "header" }>, header: Header, next: number): void {
    const part = describe(header, state.digest);
    this.#made++;
    this.#fieldsLeft -= header.fields.length;
    this.#root ??= part;
    if (state.as === "message" && state.around !== undefined) state.around.message = part;
    else state.around?.parts.push(part);
    part.headerStart = state.start;
    part.headerEnd = part.bodyStart = part.bodyEnd = this.#base + next;
    const before = this.#countTo(next);
    const { lines } = this.#limits;
    const counted = lines === "all" || (lines === "told" && (isText(part) || isMessage(part)));
    if (counted) {
      part.lines = -before;
      this.#counting++;
    }
    const deeper = this.#open.length + 1 < this.#limits.depth && this.#made < this.#limits.parts;
    // What stays one undivided part must be told as one: without a part in it a multipart or message is no body (RFC 3501 §9). A multipart that ends with its header is empty anyway.
    if (!deeper && ((isMultipart(part) && header.closed) || isMessage(part))) [part.type, part.subtype] = ["application", "octet-stream"];
    // A header that a delimiter ended has no body in which its own boundary could stand.
    const boundary = deeper && header.closed && isMultipart(part) ? paramOctets(part.params, "boundary")?.slice(0, this.#limits.boundary) : undefined;
    if (boundary !== undefined) this.#boundaries.open(boundary, this.#open.length);
    this.#open.push({ part, boundary, counted, digest: part.subtype.toLowerCase() === "digest" });
    this.#lineStart = true;
    this.#state = deeper && isMessage(part) ? { at: "header", start: part.bodyStart, digest: false, around: part, as: "message" } : { at: "body" };
  }

  #body(from: number, end: number, last: boolean): number {
    const window = this.#window;
    if (this.#made >= this.#limits.parts) return end;
    let line = from;
    if (this.#lineStart) {
      // One octet may be the first of a delimiter, or of the line end before one.
      if (!last && end - from < 2) return from;
      if (window[from] !== dash || window[from + 1] !== dash) line = lineOfDashes(window, from);
    } else line = lineOfDashes(window, from);
    for (; line >= 0; line = lineOfDashes(window, line)) {
      const level = this.#boundaries.levelAt(window, line, end, !last);
      if (level === undecided) return this.#wait(from, line);
      if (level < 0) continue;
      const multipart = this.#open[level];
      if (multipart?.boundary === undefined) continue;
      const behind = line + 2 + multipart.boundary.length;
      if (!last && behind + 2 > end) return this.#wait(from, line);
      this.#closeTo(level + 1, line - this.#lineEndBefore(line));
      const closing = window[behind] === dash && window[behind + 1] === dash;
      if (closing) {
        this.#boundaries.close(multipart.boundary);
        multipart.boundary = undefined;
      }
      this.#state = { at: "delimiter", child: closing ? undefined : multipart };
      return behind;
    }
    if (last) return end;
    const undecidedFrom = Math.max(from, window[end - 1] === dash && window[end - 2] === lf ? end - 1 : end);
    return this.#wait(from, undecidedFrom);
  }

  /** Where to go on with the next piece: at the line end before `line`, as it may be a delimiter's. */
  #wait(from: number, line: number): number {
    const cut = this.#window[line - 1] === cr ? 1 : this.#lineEndBefore(line);
    const at = Math.max(from, line - cut);
    if (at > from) this.#lineStart = false;
    return at;
  }

  #delimiter(state: Extract<State, { at: "delimiter" }>, from: number, end: number): number {
    const lineEnd = this.#window.indexOf(lf, from);
    if (lineEnd < 0) return end;
    const at = lineEnd + 1;
    const { child } = state;
    this.#lineStart = true;
    // The last line of a message begins no part.
    this.#state = child === undefined ? { at: "body" } : { at: "header", start: this.#base + at, digest: child.digest, around: child.part, as: "part" };
    return at;
  }

  /**
   * Closes open parts down to `depth` of them; their bodies end at `at`. That may be before the body of the innermost begins: the line
   * end of the empty line behind its header, or of the last field where there is none, is the delimiter's then (RFC 2046 §5.1.1). The
   * parts around it keep it, as in Dovecot 2.3.
   */
  #closeTo(depth: number, at: number): void {
    const innermost = this.#open.at(-1)?.part;
    if (innermost === undefined || this.#open.length <= depth) return;
    const { bodyStart } = innermost;
    const end = this.#base + at;
    const bodyEnd = Math.max(end, bodyStart);
    // Behind a delimiter that was consumed with its line, the line end before this one is counted already.
    const lines = this.#countTo(bodyEnd - this.#base) - (this.#counted > bodyEnd ? 1 : 0);
    while (this.#open.length > depth) {
      const closing = this.#open.pop();
      if (closing === undefined) break;
      const { part } = closing;
      part.bodyEnd = bodyEnd;
      // Also a message/rfc822 with nothing in it.
      if (end < bodyStart && part.bodyStart === bodyStart) {
        part.headerEnd = part.bodyStart = part.bodyEnd = end;
        part.headerStart = Math.min(part.headerStart, end);
      }
      if (closing.boundary !== undefined) this.#boundaries.close(closing.boundary);
      if (!closing.counted) continue;
      part.lines += lines;
      this.#counting--;
    }
  }

  /** LFs up to `to` where somebody wants them counted; those of a place before are not taken back. */
  #countTo(to: number): number {
    const target = this.#base + to;
    if (target <= this.#counted) return this.#lineFeeds;
    if (this.#counting > 0) {
      this.#lineFeeds += lineFeeds(this.#window, this.#counted - this.#base, to);
    }
    this.#counted = target;
    return this.#lineFeeds;
  }

  #octet(at: number): number {
    return at >= 0 ? (this.#window[at] ?? -1) : (this.#before[at + 2] ?? -1);
  }

  /** Length of the LF or CRLF before the line that starts there. */
  #lineEndBefore(line: number): number {
    if (this.#octet(line - 1) !== lf) return 0;
    return this.#octet(line - 2) === cr ? 2 : 1;
  }
}

/** The start of the next line behind `at` that begins with "--", or -1. */
function lineOfDashes(octets: Buffer, at: number): number {
  const found = octets.indexOf(dashesBehind, at);
  return found < 0 ? -1 : found + 1;
}
