/**
 * The text of `dovecot-uidlist`, version 3 (Dovecot's), read and written; version 1 (also Courier's) is read. Pure.
 *
 *     3 V1795239836 N5 Gf70609039a2f016b993d000083ecc375
 *     1 :1795239834.M115672P15785.vm,S=26,W=30
 *     4 W812 :1795239901.17_2.vm
 *
 * Header: V UIDVALIDITY, N the next UID at least, G the mailbox's 128-bit id; then a line per message, ascending:
 * UID, fields of a letter and a value, a colon, the base name. Lines may be added at the end without touching N, so
 * the next UID is above both. Header fields and line fields we have no use for are kept. The text is handled as latin1:
 * file names are octets.
 */

export interface UidlistHeader {
  readonly uidValidity: number;
  /** N: at least; lines may go beyond. */
  readonly nextUid: number;
  /** 32 hex digits, "" for none. */
  readonly guid: string;
  /** Fields with other letters, as written, separated by spaces. */
  readonly others: string;
}

export interface UidlistLine {
  readonly uid: number;
  /** Fields before the colon as written: "W812 S790", "" for none. */
  readonly fields: string;
  readonly base: string;
}

export interface Uidlist {
  readonly header: UidlistHeader;
  readonly lines: readonly UidlistLine[];
  /** Octets up to the end of the last line that is ended. */
  readonly end: number;
  /** False when some octets were no lines, such as a torn append. The next writer replaces the file. */
  readonly whole: boolean;
}

/** The whole file, or undefined when its header is unreadable: UIDs must then start anew with another UIDVALIDITY. */
export function parseUidlist(octets: Buffer): Uidlist | undefined {
  const eol = octets.indexOf(0x0a);
  if (eol < 0) return undefined;
  const first = octets.toString("latin1", 0, eol).split(" ");
  const version = first[0];
  const header = version === "3" ? header3(first.slice(1)) : version === "1" ? header1(first.slice(1)) : undefined;
  if (header === undefined) return undefined;
  return { header, ...parseLines(octets, eol + 1, 0, version === "3") };
}

function header3(fields: readonly string[]): UidlistHeader | undefined {
  let uidValidity = 0;
  let nextUid = 1;
  let guid = "";
  const others = [];
  for (const field of fields) {
    const value = field.slice(1);
    if (field.startsWith("V")) uidValidity = number(value);
    else if (field.startsWith("N")) nextUid = number(value);
    else if (field.startsWith("G")) guid = value;
    else if (field !== "") others.push(field);
  }
  return uidValidity > 0 && nextUid > 0 ? { uidValidity, nextUid, guid, others: others.join(" ") } : undefined;
}

function header1(fields: readonly string[]): UidlistHeader | undefined {
  const [uidValidity, nextUid] = fields.map(number);
  return uidValidity !== undefined && uidValidity > 0 && nextUid !== undefined && nextUid > 0 ? { uidValidity, nextUid, guid: "", others: "" } : undefined;
}

/** 1 to 4294967295, else 0. */
function number(text: string): number {
  if (!/^\d{1,10}$/.test(text)) return 0;
  const value = Number(text);
  return value <= 0xffffffff ? value : 0;
}

/**
 * Lines from octet `from` on.
 *
 * @param above UIDs must be greater than this
 */
export function parseLines(octets: Buffer, from: number, above: number, version3 = true): { lines: UidlistLine[]; end: number; whole: boolean } {
  const text = octets.toString("latin1", from);
  const lines: UidlistLine[] = [];
  let at = 0;
  let last = above;
  let whole = true;
  while (at < text.length) {
    const eol = text.indexOf("\n", at);
    if (eol < 0) break;
    const line = lineAt(text, at, eol, version3);
    // Passed over, not the end: UIDs behind it were given, and must not be given again.
    if (line === undefined || line.uid <= last) whole = false;
    else {
      lines.push(line);
      last = line.uid;
    }
    at = eol + 1;
  }
  return { lines, end: from + at, whole: whole && at === text.length };
}

/** Undefined when it is not a line of the list. */
function lineAt(text: string, at: number, eol: number, version3: boolean): UidlistLine | undefined {
  let uid = 0;
  let i = at;
  for (; i < eol && i < at + 10; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) break;
    uid = uid * 10 + digit;
  }
  if (uid === 0 || uid > 0xffffffff || text.charCodeAt(i) !== 0x20) return undefined;
  const colon = version3 ? text.indexOf(":", i) : i;
  if (colon < 0 || colon >= eol) return undefined;
  const base = baseOf(text, colon + 1, eol);
  return base === "" ? undefined : { uid, fields: text.slice(i + 1, Math.max(i + 1, colon - 1)), base };
}

/** A name may have been written with its flags. */
function baseOf(text: string, from: number, to: number): string {
  const colon = text.indexOf(":", from);
  return text.slice(from, colon >= 0 && colon < to ? colon : to);
}

export function formatHeader(header: UidlistHeader): string {
  const guid = header.guid === "" ? "" : ` G${header.guid}`;
  const others = header.others === "" ? "" : ` ${header.others}`;
  return `3 V${header.uidValidity} N${header.nextUid}${guid}${others}\n`;
}

export const formatLine = (line: UidlistLine): string => (line.fields === "" ? `${line.uid} :${line.base}\n` : `${line.uid} ${line.fields} :${line.base}\n`);

/** The number of a field such as W (octets with CRLF); undefined when not there. */
export function fieldNumber(fields: string, letter: string): number | undefined {
  for (const field of fields === "" ? [] : fields.split(" ")) if (field.startsWith(letter) && /^.\d{1,15}$/.test(field)) return Number(field.slice(1));
  return undefined;
}

/** The value of a field such as G (the message's id) or P (its POP3 unique-id); undefined when not there or empty. */
export function fieldText(fields: string, letter: string): string | undefined {
  if (fields === "") return undefined;
  const found = fields.split(" ").find((field) => field.startsWith(letter));
  return found === undefined || found.length === 1 ? undefined : found.slice(1);
}
