/**
 * Line ends: files carry LF, protocols CRLF. A bare LF is a line end; a bare CR is text and stays (RFC 5322 §2.2 has neither, but
 * stored mail has both).
 */
import { lineFeeds } from "./line-feeds.ts";
import type { Octets } from "./octets.ts";

const lf = 0x0a;
const cr = 0x0d;

/**
 * How many LFs have no CR before them: octets that `toCrlf` adds. Octet by octet: lines of mail are short, and a call of indexOf for each
 * costs more than looking at its octets.
 */
function bareLineFeeds(octets: Buffer, before = 0): number {
  let bare = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] ?? 0;
    if (octet === lf && before !== cr) bare++;
    before = octet;
  }
  return bare;
}

/** The length of `toCrlf(octets)`, without making it: RFC822.SIZE and POP3 sizes. */
export const crlfSize = (octets: Buffer): number => octets.length + (octets.includes(cr) ? bareLineFeeds(octets) : lineFeeds(octets, 0, octets.length));

/** The same for a message that may lie in a file. */
export function crlfSizeOf(octets: Octets): number {
  if (octets.memory !== undefined) return crlfSize(octets.memory);
  let size = octets.length;
  let before = 0;
  for (const piece of octets.pieces()) {
    size += bareLineFeeds(piece, before);
    before = piece[piece.length - 1] ?? 0;
  }
  return size;
}

/** Up to here octets go through a string, in which native code replaces. */
const short = 1 << 20;
const lineFeed = /\n/g;

/** Every LF with a CR before it. The same buffer when there is nothing to do, else a new one. */
export function toCrlf(octets: Buffer): Buffer {
  if (octets.length <= short && !octets.includes(cr)) return octets.includes(lf) ? Buffer.from(crlfText(octets), "latin1") : octets;
  const bare = bareLineFeeds(octets);
  if (bare === 0) return octets;
  const out = Buffer.allocUnsafe(octets.length + bare);
  let to = 0;
  let before = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] ?? 0;
    if (octet === lf && before !== cr) out[to++] = cr;
    out[to++] = octet;
    before = octet;
  }
  return out;
}

/** As `toCrlf`, with a character for each octet: for what is sent at once less work than a buffer of its own. */
export function crlfText(octets: Buffer): string {
  return octets.includes(cr) ? toCrlf(octets).toString("latin1") : octets.toString("latin1").replace(lineFeed, "\r\n");
}

/** As `toCrlf`, but always a new buffer. */
export function crlfCopy(octets: Buffer): Buffer {
  const out = toCrlf(octets);
  return out === octets ? Buffer.from(octets) : out;
}

/** Where the header ends, its empty line included; -1 when it does not end in there. */
export function headerEnd(octets: Buffer): number {
  // As files have it, as a rule.
  const empty = octets.indexOf("\n\n", 0, "latin1");
  if (empty >= 0 && octets[0] !== lf && octets.subarray(0, empty).indexOf(cr) < 0) return empty + 2;
  let end = 0;
  let lineStart = true;
  for (; end < octets.length; end++) {
    const octet = octets[end];
    if (octet === lf) {
      if (lineStart) break;
      lineStart = true;
    } else if (octet !== cr || octets[end + 1] !== lf) lineStart = false;
  }
  return end === octets.length ? -1 : end + 1;
}

/** Every CRLF as LF; other CRs stay. The same buffer when there is nothing to do, else a new one. */
export function toLf(octets: Buffer): Buffer {
  // One octet is found faster than two.
  const at = octets.includes(cr) ? octets.indexOf("\r\n", 0, "latin1") : -1;
  return at < 0 ? octets : moveLf(octets, at, Buffer.allocUnsafe(octets.length - 1));
}

/** As `toLf`, in the same memory: what the buffer held is lost. */
export function lfInPlace(octets: Buffer): Buffer {
  const at = octets.indexOf("\r\n", 0, "latin1");
  return at < 0 ? octets : moveLf(octets, at, octets);
}

/** `lfInPlace` for octets that come in pieces. */
export class LfPieces {
  /** The last piece ended with a CR, which has not been given yet. */
  #carriage = false;

  /** What the piece adds to what was given before. */
  take(piece: Buffer): readonly Buffer[] {
    if (piece.length === 0) return [];
    const before = this.#carriage && piece[0] !== lf ? [carriage] : [];
    this.#carriage = piece[piece.length - 1] === cr;
    return [...before, lfInPlace(this.#carriage ? piece.subarray(0, -1) : piece)];
  }

  /** What is left when no piece comes any more. */
  end(): readonly Buffer[] {
    return this.#carriage ? [carriage] : [];
  }
}

const carriage = Buffer.from("\r");

/** @param first CRLF  @param out may be `octets`: nothing moves towards its end */
function moveLf(octets: Buffer, first: number, out: Buffer): Buffer {
  let from = 0;
  let to = 0;
  for (let at = first; at >= 0; at = octets.indexOf("\r\n", from + 1, "latin1")) {
    to += octets.copy(out, to, from, at);
    from = at + 1;
  }
  to += octets.copy(out, to, from);
  return out.subarray(0, to);
}
