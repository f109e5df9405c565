/**
 * The text of DATA: from the wire's dots and CRLF to message octets with LF. RFC 5321 §4.1.1.4, §4.5.2. Pure but
 * for its own state.
 *
 * Only CRLF "." CRLF ends it (RFC 5321 §2.3.8: CR and LF occur only together). A server that takes LF.LF or LF.CRLF for
 * the end lets a client put commands into a message that another server passed on as text (CVE-2023-51764).
 */

/** "reject": the message is read to its end and refused. "normalize": a bare LF is a line end, a bare CR a space; neither can be part of the end of the text. */
export type BareLineEnds = "reject" | "normalize";

export type DataFault = "bare LF" | "bare CR" | "too large";

const cr = 13;
const lf = 10;
const dot = 46;

/** What was read last. */
const lineStart = 0; // CRLF, or nothing yet
const text = 1;
const afterCr = 2;
const afterDot = 3; // the dot that begins a line, held back
const afterDotCr = 4; // and a CR behind it
type State = typeof lineStart | typeof text | typeof afterCr | typeof afterDot | typeof afterDotCr;

function positionOf(chunk: Buffer, octet: number, from: number): number {
  const at = chunk.indexOf(octet, from);
  return at < 0 ? chunk.length : at;
}

const spaceOctet = Buffer.from(" ");

export class DataReader {
  readonly #limit: number;
  readonly #bare: BareLineEnds;
  #state: State = lineStart;
  /** Octets of the message as RFC 1870 §5 counts them: lines with CRLF, dots of transparency not counted. */
  size = 0;
  /** Why the message can not be taken; the text is still read to its end. The first fault stays. */
  fault: DataFault | undefined;

  constructor(limit: number, bare: BareLineEnds) {
    this.#limit = limit;
    this.#bare = bare;
  }

  /**
   * Takes what arrived. `chunk` is written over.
   *
   * @returns message octets with LF (part of `chunk`; empty once there is a fault), and, when the end of the text was in this chunk, what lies behind it
   */
  push(chunk: Buffer): { readonly octets: Buffer; readonly rest: Buffer | undefined } {
    const held = this.#state === afterCr || this.#state === afterDotCr;
    // A held CR that turns out to be bare needs a place of its own before what follows.
    if (held && chunk.length > 0 && chunk[0] !== lf) {
      if (this.#bare === "reject") this.#bareFault("bare CR");
      else {
        this.#state = text;
        return this.push(Buffer.concat([spaceOctet, chunk]));
      }
    }
    let state: State = this.#state;
    let out = 0;
    let lines = 0;
    const end = chunk.length;
    let i = 0;
    /** Where the next LF and CR are; `end` when there is none. Found with indexOf, as most octets are neither. */
    let nextLf = -1;
    let nextCr = -1;
    while (i < end) {
      if (state === text) {
        if (nextLf < i) nextLf = positionOf(chunk, lf, i);
        if (nextCr < i) nextCr = positionOf(chunk, cr, i);
        const stop = nextLf < nextCr ? nextLf : nextCr;
        if (stop > i) {
          if (out !== i) chunk.copyWithin(out, i, stop);
          out += stop - i;
          i = stop;
          continue;
        }
      }
      const octet = chunk[i++] as number;
      if (octet !== cr && octet !== lf) {
        if (state === lineStart && octet === dot) {
          state = afterDot;
          continue;
        }
        if (state === afterCr || state === afterDotCr) {
          if (this.#bare === "reject") this.#bareFault("bare CR");
          else chunk[out++] = 32;
        }
        state = text;
        chunk[out++] = octet;
      } else if (octet === cr) {
        if (state === afterCr || state === afterDotCr) {
          if (this.#bare === "reject") this.#bareFault("bare CR");
          else chunk[out++] = 32;
          state = afterCr;
        } else state = state === afterDot ? afterDotCr : afterCr;
      } else if (state === afterDotCr) {
        this.#state = lineStart;
        this.#count(out + lines);
        return { octets: this.fault === undefined ? chunk.subarray(0, out) : chunk.subarray(0, 0), rest: chunk.subarray(i) };
      } else if (state === afterCr) {
        chunk[out++] = lf;
        lines++;
        state = lineStart;
      } else {
        if (this.#bare === "reject") this.#bareFault("bare LF");
        chunk[out++] = lf;
        // Not lineStart: a dot behind a bare LF is neither an end nor was it doubled by the sender.
        state = text;
      }
    }
    this.#state = state;
    this.#count(out + lines);
    return { octets: this.fault === undefined ? chunk.subarray(0, out) : chunk.subarray(0, 0), rest: undefined };
  }

  #count(octets: number): void {
    this.size += octets;
    if (this.size > this.#limit) this.fault ??= "too large";
  }

  #bareFault(fault: "bare LF" | "bare CR"): void {
    this.fault ??= fault;
  }
}
