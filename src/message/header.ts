/**
 * Header fields with their places in the message. RFC 5322 §2.2, tolerant: a line ends with LF, or CRLF; a bare CR, NUL or 8-bit octet is
 * part of the text; nothing is rejected. The octets stay where they are.
 */
import { trimmed } from "../syntax/blanks.ts";

/** One field, or one line of rubbish in a header (`name` is then ""). Offsets count from the start of the buffer. */
export interface Field {
  /** As written, one character per octet, without white space before the colon; "" for a line that has no colon. */
  readonly name: string;
  /** The name in lower case. */
  readonly key: string;
  /** The first octet of the name. */
  readonly start: number;
  /** Behind the colon; equal to `start` when there is none. */
  readonly valueStart: number;
  /** Behind the last line end. */
  readonly end: number;
  /** Has continuation lines. */
  readonly folded: boolean;
}

export interface Header {
  readonly octets: Buffer;
  readonly fields: readonly Field[];
  readonly start: number;
  /** Where the fields end: the start of the empty line, or `bodyStart` when there is none. */
  readonly fieldsEnd: number;
  /** Behind the empty line that ends the header; the end of what was given when there is none. */
  readonly bodyStart: number;
  /** There is an empty line. */
  readonly closed: boolean;
  /** How many of its line ends are LF alone. */
  readonly bare: number;
}

const lf = 0x0a;
const cr = 0x0d;
const colon = 0x3a;

const isWsp = (octet: number | undefined): boolean => octet === 0x20 || octet === 0x09;

/** Most fields that are listed of a header: memory for a million lines is not the sender's to ask for. */
const mostFields = 100_000;

/**
 * Reads the header that begins at `start`, in time linear in its length. Never throws.
 *
 * @param stop    asked at each line that begins with "--" and is not a continuation: true ends the header there,
 *                before the line (a MIME delimiter where the empty line is missing)
 * @param most    most fields listed; the end of the header is found behind them too
 */
export function parseHeader(octets: Buffer, start = 0, end = octets.length, stop?: (lineStart: number) => boolean, most = mostFields): Header {
  const fields: Field[] = [];
  /** Where the field that is being read began; -1 before the first. */
  let open = -1;
  let folded = false;
  let bare = 0;
  let at = start;
  while (at < end) {
    const first = octets[at];
    if (first === lf || (first === cr && at + 1 < end && octets[at + 1] === lf)) {
      if (open >= 0 && fields.length < most) fields.push(field(octets, open, at, folded));
      return { octets, fields, start, fieldsEnd: at, bodyStart: at + (first === lf ? 1 : 2), closed: true, bare: first === lf ? bare + 1 : bare };
    }
    if (open >= 0 && (first === 0x20 || first === 0x09)) folded = true;
    else {
      if (open >= 0 && fields.length < most) fields.push(field(octets, open, at, folded));
      if (first === 0x2d && octets[at + 1] === 0x2d && stop?.(at) === true) return { octets, fields, start, fieldsEnd: at, bodyStart: at, closed: false, bare };
      open = at;
      folded = false;
    }
    // Header lines are short: looking costs less than a call of indexOf.
    while (at < end && octets[at] !== lf) at++;
    if (at < end) {
      if (octets[at - 1] !== cr) bare++;
      at++;
    }
  }
  if (open >= 0 && fields.length < most) fields.push(field(octets, open, end, folded));
  return { octets, fields, start, fieldsEnd: end, bodyStart: end, closed: false, bare };
}

function field(octets: Buffer, start: number, end: number, folded: boolean): Field {
  // Searched in the first line only; a far colon in a later line must not cost a second look at everything between.
  let at = start;
  while (at < end && octets[at] !== colon && octets[at] !== lf) at++;
  if (at >= end || octets[at] !== colon || at === start) return { name: "", key: "", start, valueStart: start, end, folded };
  let nameEnd = at;
  while (nameEnd > start && isWsp(octets[nameEnd - 1])) nameEnd--;
  const { name, key } = fieldName(octets, start, nameEnd);
  return { name, key, start, valueStart: at + 1, end, folded };
}

/** A name as written, and in lower case. */
export type FieldName = Pick<Field, "name" | "key">;

/** Names met, by a hash of their octets: most headers have the same, and strings that are there already cost no memory and compare fast. */
const met: (FieldName | undefined)[] = new Array<FieldName | undefined>(1024).fill(undefined);
/** Longer names are not kept. */
const metLength = 64;

/** The name in these octets. */
export function fieldName(octets: Buffer, start: number, end: number): FieldName {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (octets[at] ?? 0)) | 0;
  const slot = (hash ^ (hash >>> 10)) & 1023;
  const known = met[slot];
  if (known !== undefined && is(known.name, octets, start, end)) return known;
  const name = octets.toString("latin1", start, end);
  const made = { name, key: internalized(name.toLowerCase()) };
  if (name.length <= metLength) met[slot] = made;
  return made;
}

/** The one string that V8 has of a text that is also the name of a property: such are compared with each other, and with those in the source, by address. */
const internalized = (text: string): string => Object.keys({ [text]: 0 })[0] ?? text;

function is(name: string, octets: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== octets[start + i]) return false;
  return true;
}

/** Fields of this name in any case, in order. */
export function fieldsNamed(header: Header, name: string): readonly Field[] {
  const wanted = name.toLowerCase();
  return header.fields.filter((f) => f.key === wanted);
}

/** The first field of this name in any case. */
export function firstField(header: Header, name: string): Field | undefined {
  const wanted = name.toLowerCase();
  return header.fields.find((f) => f.key === wanted);
}

/** The whole field as it is, name and line ends included: a view. */
export const rawField = (header: Header, f: Field): Buffer => header.octets.subarray(f.start, f.end);

/**
 * The value without the line ends of folding (RFC 5322 §2.2.3: only they go, the white space stays) and without white space at both
 * ends. A view when it was not folded.
 */
export function fieldValue(header: Header, f: Field): Buffer {
  const { octets } = header;
  let from = f.valueStart;
  let to = f.end;
  while (to > from && isBlank(octets[to - 1])) to--;
  while (from < to && isBlank(octets[from])) from++;
  if (!f.folded) return octets.subarray(from, to);
  const chunks: Buffer[] = [];
  while (from < to) {
    const next = octets.indexOf(lf, from);
    if (next < 0 || next >= to) break;
    chunks.push(octets.subarray(from, next > from && octets[next - 1] === cr ? next - 1 : next));
    from = next + 1;
  }
  chunks.push(octets.subarray(from, to));
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

const isBlank = (octet: number | undefined): boolean => octet === 0x20 || octet === 0x09 || octet === cr || octet === lf;

/**
 * The value as IMAP tells it, one character per octet; write it with "latin1". As `fieldValue`, but white space stays at its end, and
 * in front where the first line has nothing else, as Dovecot has it. A NUL, which no IMAP string can hold (RFC 3501 §4.3), becomes the UTF-8 of U+FFFD.
 */
export function octetText(header: Header, f: Field): string {
  const { octets } = header;
  let from = f.valueStart;
  let to = f.end;
  if (to > from && octets[to - 1] === lf) to--;
  if (to > from && octets[to - 1] === cr) to--;
  const first = from;
  while (from < to && isWsp(octets[from])) from++;
  // White space that fills the first line counts, but for one.
  if (from > first && (from === to || isBlank(octets[from]))) from = first + 1;
  let text = octets.toString("latin1", from, to);
  if (f.folded) text = text.replaceAll(/\r?\n/g, "");
  return text.includes("\0") ? text.replaceAll("\0", "\xef\xbf\xbd") : text;
}

/** Value of the first field of this name, unfolded, without white space around it, one character per octet; undefined when there is none. */
export function valueOf(header: Header, name: string): string | undefined {
  const f = firstField(header, name);
  return f === undefined ? undefined : trimmed(octetText(header, f));
}
