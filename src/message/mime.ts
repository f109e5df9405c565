/**
 * The MIME structure of a message as offsets into its octets: what BODYSTRUCTURE and BODY[section] need. RFC 2045, RFC 2046 §5.
 *
 * One pass, no recursion, linear time. Nothing is rejected: a multipart that is never closed ends where its surroundings end; what
 * is too deep or too much stays one undivided part. Where the RFCs leave it open we do as Dovecot 2.3 does: a delimiter needs only to
 * begin with a boundary, and of several that fit the longest counts, at equal length the innermost.
 */
import { Boundaries } from "./boundaries.ts";
import { contentDisposition, contentEncoding, contentLanguage, contentType, param, type ContentType, type Disposition, type Param } from "./content.ts";
import { octetText, parseHeader, type Header } from "./header.ts";

/** One body part, or the message itself. All offsets count from the start of the buffer that was scanned. */
export interface Part {
  /** As written; "text" where the message does not say. */
  readonly type: string;
  readonly subtype: string;
  readonly params: readonly Param[];
  readonly id: string | undefined;
  readonly description: string | undefined;
  /** Content-Transfer-Encoding as written; undefined means 7bit. */
  readonly encoding: string | undefined;
  readonly disposition: Disposition | undefined;
  readonly language: readonly string[];
  readonly location: string | undefined;
  readonly md5: string | undefined;
  readonly header: Header;
  readonly headerStart: number;
  /** Behind the empty line: equal to `bodyStart`. */
  readonly headerEnd: number;
  readonly bodyStart: number;
  /** Without the line end that belongs to the delimiter behind it (RFC 2046 §5.1.1). */
  readonly bodyEnd: number;
  /** text/* and message/rfc822: LFs in the body. 0 for others, which have no such number in IMAP. */
  readonly lines: number;
  /** multipart/*: its parts, maybe none. Empty otherwise. */
  readonly parts: readonly Part[];
  /** message/rfc822: the message inside, whose header begins at our `bodyStart`. */
  readonly message: Part | undefined;
}

export interface MimeLimits {
  /** Multiparts and messages inside each other. */
  readonly depth: number;
  /** Parts in all, the message itself and messages inside counted. */
  readonly parts: number;
  /** Longest boundary that is compared; RFC 2046 §5.1.1 allows 70. */
  readonly boundary: number;
  /** False for who needs no `lines`: they are 0 then. */
  readonly lines: boolean;
}

export const mimeLimits: MimeLimits = { depth: 100, parts: 10_000, boundary: 200, lines: true };

type Building = { -readonly [K in keyof Omit<Part, "parts" | "message">]: Part[K] } & { parts: Building[]; message: Building | undefined };

/** A part whose end is not known yet. */
interface Open {
  readonly part: Building;
  /** The boundary while delimiters of this multipart count; undefined for other parts and behind its close-delimiter. */
  boundary: string | undefined;
  readonly counted: boolean;
  readonly digest: boolean;
}

const lf = 0x0a;
const dash = 0x2d;

/** Scans the message that fills `octets` from `start` to `end`. Never throws. */
export function scanMime(octets: Buffer, start = 0, end = octets.length, limits: MimeLimits = mimeLimits): Part {
  const open: Open[] = [];
  const boundaries = new Boundaries();
  let made = 0;
  let counted = start;
  let lineFeeds = 0;
  /** Open parts whose lines are counted. */
  let counting = 0;
  /** LFs up to `to` where somebody wants them counted; calls come with ascending `to`. */
  const linesTo = (to: number): number => {
    if (counting > 0) for (; counted < to; counted++) if (octets[counted] === lf) lineFeeds++;
    counted = Math.max(counted, to);
    return lineFeeds;
  };

  /** Reads a header at `at` and opens the part; for message/rfc822 also the one inside, and so on. Returns where to go on. */
  const begin = (at: number, digest: boolean): { part: Building; next: number } => {
    let first: Building | undefined;
    let outer: Building | undefined;
    let here = at;
    let inDigest = digest;
    for (;;) {
      const header = parseHeader(octets, here, end, (line) => boundaries.levelAt(octets, line, end) >= 0);
      const part = describe(header, inDigest);
      made++;
      first ??= part;
      if (outer !== undefined) outer.message = part;
      here = header.bodyStart;
      const before = linesTo(here);
      const isCounted = limits.lines && (part.type.toLowerCase() === "text" || isMessage(part));
      if (isCounted) {
        part.lines = -before;
        counting++;
      }
      const deeper = open.length + 1 < limits.depth && made < limits.parts;
      const boundary = deeper ? boundaryOf(part, limits) : undefined;
      if (boundary !== undefined) boundaries.open(boundary, open.length);
      open.push({ part, boundary, counted: isCounted, digest: part.subtype.toLowerCase() === "digest" });
      if (!deeper || !isMessage(part)) return { part: first, next: here };
      outer = part;
      inDigest = false;
    }
  };

  /**
   * Closes open parts down to `depth` of them; their bodies end at `at`. Where the empty line of the innermost is missing, its header has taken
   * the line end before the delimiter, and they all end behind that.
   */
  const closeTo = (depth: number, at: number): void => {
    const bodyEnd = Math.max(at, open.at(-1)?.part.bodyStart ?? at);
    while (open.length > depth) {
      const closing = open.pop();
      if (closing === undefined) break;
      closing.part.bodyEnd = bodyEnd;
      if (closing.boundary !== undefined) boundaries.close(closing.boundary);
      const lines = linesTo(bodyEnd);
      if (!closing.counted) continue;
      closing.part.lines += lines;
      counting--;
    }
  };

  const { part: root, next } = begin(start, false);
  let at = next;
  while (at < end) {
    // `at` is the start of a line.
    let line = octets[at] === dash && octets[at + 1] === dash ? at : lineOfDashes(octets, at);
    let level = -1;
    while (line >= 0 && line < end && (level = boundaries.levelAt(octets, line, end)) < 0) line = lineOfDashes(octets, line);
    const multipart = open[level];
    if (line < 0 || line >= end || multipart?.boundary === undefined) break;
    closeTo(level + 1, beforeLineEnd(octets, line, start));
    const behind = line + 2 + multipart.boundary.length;
    const lineEnd = octets.indexOf(lf, behind);
    at = lineEnd < 0 || lineEnd >= end ? end : lineEnd + 1;
    if (octets[behind] === dash && octets[behind + 1] === dash && behind + 2 <= end) {
      boundaries.close(multipart.boundary);
      multipart.boundary = undefined;
    } else if (made < limits.parts && lineEnd >= 0 && lineEnd < end) {
      const child = begin(at, multipart.digest);
      multipart.part.parts.push(child.part);
      at = child.next;
    }
  }
  closeTo(0, end);
  return root;
}

const dashesBehind = Buffer.from("\n--");

/** The start of the next line behind `at` that begins with "--", or -1. */
function lineOfDashes(octets: Buffer, at: number): number {
  const found = octets.indexOf(dashesBehind, at);
  return found < 0 ? -1 : found + 1;
}

/** Where the line before `line` ends: before its LF or CRLF. */
function beforeLineEnd(octets: Buffer, line: number, start: number): number {
  if (line <= start) return line;
  return line - 1 > start && octets[line - 2] === 0x0d ? line - 2 : line - 1;
}

/** The boundary parameter of a multipart that has one. RFC 2046 §5.1.1. */
function boundaryOf(part: Building, limits: MimeLimits): string | undefined {
  return part.type.toLowerCase() === "multipart" ? param(part.params, "boundary")?.slice(0, limits.boundary) : undefined;
}

const isMessage = (part: Building): boolean => part.type.toLowerCase() === "message" && part.subtype.toLowerCase() === "rfc822";

const plainText: ContentType = { type: "text", subtype: "plain", params: [{ name: "charset", value: "us-ascii" }] };
const nestedMessage: ContentType = { type: "message", subtype: "rfc822", params: [] };

/**
 * What a Content-Type field says. A multipart that names no boundary can not be divided: like other faulty types it is shown as plain
 * text (RFC 2045 §5.2), so that a reader sees it. text/* has a charset, US-ASCII when it does not say (RFC 2046 §4.1.2).
 */
function typeOf(field: string | undefined, digest: boolean): ContentType {
  const type = (field === undefined ? undefined : contentType(field)) ?? (digest ? nestedMessage : plainText);
  const major = type.type.toLowerCase();
  if (major === "multipart" && (param(type.params, "boundary") ?? "") === "") return plainText;
  if (major !== "text" || param(type.params, "charset") !== undefined || param(type.params, "charset*") !== undefined) return type;
  return { ...type, params: [...type.params, ...plainText.params] };
}

/** A part from its header. The first field of each name counts. RFC 2045 §5.2: without Content-Type it is text/plain; in a digest a message (RFC 2046 §5.1.5). */
function describe(header: Header, digest: boolean): Building {
  const values = new Map<string, string>();
  for (const f of header.fields) {
    if (f.name.length < 10 || f.name.length > 25 || !/^content-/i.test(f.name)) continue;
    const name = f.name.toLowerCase();
    if (!values.has(name)) values.set(name, octetText(header, f));
  }
  const text = (name: string): string | undefined => values.get(name);
  const parsed = <T>(name: string, parse: (value: string) => T | undefined): T | undefined => {
    const value = values.get(name);
    return value === undefined ? undefined : parse(value);
  };
  const type = typeOf(values.get("content-type"), digest);
  return {
    type: type.type,
    subtype: type.subtype,
    params: type.params,
    id: text("content-id"),
    description: text("content-description"),
    encoding: parsed("content-transfer-encoding", contentEncoding),
    disposition: parsed("content-disposition", contentDisposition),
    language: parsed("content-language", contentLanguage) ?? [],
    location: text("content-location"),
    md5: text("content-md5"),
    header,
    headerStart: header.start,
    headerEnd: header.bodyStart,
    bodyStart: header.bodyStart,
    bodyEnd: header.bodyStart,
    lines: 0,
    parts: [],
    message: undefined,
  };
}
