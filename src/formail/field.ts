/**
 * Fields of a mail header as formail(1) sees them: octets, never decoded. A field starts with a name of octets that are
 * neither blank nor control characters nor ":", then blanks, then ":". The `From ` line of a mailbox counts as a field
 * whose name is "From " and has no colon.
 */

export interface Field {
  /** Octets of the name, its ":" counted; 5 for the `From ` line. */
  readonly nameLength: number;
  /** The whole field, continuation lines included. Ends with a line feed. */
  readonly text: Buffer;
}

const lineFeed = 0x0a;
const colon = 0x3a;

export const isBlank = (octet: number | undefined): boolean => octet === 0x20 || octet === 0x09;

/** Octets a name consists of. */
const isName = (octet: number): boolean => octet > 0x20 && octet !== 0x7f && octet !== colon;

/** "From " at `at`, in exactly this case. */
export const startsFrom = (b: Buffer, at: number): boolean => b[at] === 0x46 && b[at + 1] === 0x72 && b[at + 2] === 0x6f && b[at + 3] === 0x6d && b[at + 4] === 0x20;

/** "From " at `at`, and not a field "From :". */
export function isFromLine(b: Buffer, at: number): boolean {
  if (!startsFrom(b, at)) return false;
  let end = at + 5;
  while (isBlank(b[end])) end++;
  return b[end] !== colon;
}

/** ">From " at `at`. */
export const isQuotedFromLine = (b: Buffer, at: number): boolean => b[at] === 0x3e && startsFrom(b, at + 1);

export interface Name {
  /** Octets of the name without blanks and colon. */
  readonly length: number;
  /** Offset behind its colon, from the start of the line; `length` when there is no colon. */
  readonly end: number;
}

/** The name at the start of a line within start..end; undefined when the line is not a field. */
export function fieldName(b: Buffer, start: number, end: number): Name | undefined {
  if (end - start >= 5 && isFromLine(b, start)) return { length: 5, end: 5 };
  let at = start;
  while (at < end && isName(b[at] ?? 0)) at++;
  const length = at - start;
  if (length === 0) return undefined;
  while (at < end && isBlank(b[at])) at++;
  return at < end && b[at] === colon ? { length, end: at - start + 1 } : undefined;
}

/** A field of whole lines; blanks before the colon are dropped, and a missing line feed at the end is put there. */
export function field(b: Buffer, name: Name): Field {
  const ended = b[b.length - 1] === lineFeed;
  if (name.end === 5 && name.length === 5) return { nameLength: 5, text: ended ? b : Buffer.concat([b, newline]) };
  if (name.end === name.length + 1 && b[name.length] === colon && ended) return { nameLength: name.end, text: b };
  return { nameLength: name.length + 1, text: Buffer.concat([b.subarray(0, name.length), colonOctet, b.subarray(name.end), ...(ended ? [] : [newline])]) };
}

const colonOctet = Buffer.from(":");
export const newline = Buffer.from("\n");

/** A field made here: "Subject: x\n". */
export function makeField(text: string): Field {
  const octets = Buffer.from(text, "latin1");
  const name = fieldName(octets, 0, octets.length);
  return field(octets, name ?? { length: octets.length, end: octets.length });
}

/** What a command line names: a field, or with a name without colon all fields that start so. Matched without regard to ASCII case. */
export interface FieldArgument {
  /** The argument's name in lower case, with its colon if it has one. */
  readonly prefix: Buffer;
  /** The argument as given, with a line feed. */
  readonly field: Field;
  /** True when there is nothing behind the name. */
  readonly bare: boolean;
  /** True when it ends in ":" or is "From ": it names one field. */
  readonly whole: boolean;
}

/** undefined when it can not name a field. Blanks before the colon belong to the name and so never match. */
export function fieldArgument(text: Buffer): FieldArgument | undefined {
  let length: number;
  let whole = true;
  if (isFromLine(text, 0)) length = 5;
  else {
    let at = 0;
    while (at < text.length && isName(text[at] ?? 0)) at++;
    const named = at;
    while (at < text.length && isBlank(text[at])) at++;
    whole = text[at] === colon;
    if (whole ? named === 0 : at < text.length) return undefined;
    if (!whole && named === 0 && at > 0) return undefined;
    length = whole ? at + 1 : at;
  }
  return { prefix: lowerCase(text.subarray(0, length)), field: { nameLength: length, text: Buffer.concat([text, newline]) }, bare: text.length === length, whole };
}

export const lower = (octet: number | undefined): number => (octet !== undefined && octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : (octet ?? -1));

function lowerCase(b: Buffer): Buffer {
  return Buffer.from(b.map(lower));
}

/** True when the field's text starts with the argument's name. */
export function matches(f: Field, { prefix }: FieldArgument): boolean {
  if (f.nameLength < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (lower(f.text[i]) !== prefix[i]) return false;
  return true;
}

/** True when the field's name is `name`, given in lower case with its colon. */
export function named(f: Field, name: string): boolean {
  if (f.nameLength !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (lower(f.text[i]) !== name.charCodeAt(i)) return false;
  return true;
}

/** What stands behind the name, the last line feed left out. */
export const content = (f: Field): Buffer => f.text.subarray(f.nameLength, f.text.length - 1);
