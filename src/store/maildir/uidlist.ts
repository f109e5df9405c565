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
import { copyOctets } from "../octets.ts";
import { sizeIn } from "./filename.ts";

export interface UidlistHeader {
  readonly uidValidity: number;
  /** N: at least; lines may go beyond. 0 when the header has none, above `lastUid` when it can not be read. */
  readonly nextUid: number;
  /** 32 hex digits; "" for none, or what is none. */
  readonly guid: string;
  /** Fields with other letters, as written, separated by spaces. */
  readonly others: string;
}

/** A line by where its parts lie in the octets: "UID FIELDS :BASE". Good only as long as the call. */
export type LineVisitor = (uid: number, octets: Buffer, fieldsFrom: number, fieldsTo: number, baseFrom: number, baseTo: number) => void;

export interface Lines {
  /** Octets up to the end of the last line that is ended. */
  readonly end: number;
  /** UID of the last line. */
  readonly last: number;
  /** False when some octets were no lines, such as a torn append. The next writer replaces the file. */
  readonly whole: boolean;
  /** Lines passed over because they are none. */
  readonly spoilt: number;
}

/** The header and where lines begin, or undefined when it is unreadable: UIDs must then start anew with another UIDVALIDITY. */
export function parseHeader(octets: Buffer): { readonly header: UidlistHeader; readonly version3: boolean; readonly end: number } | undefined {
  const eol = octets.indexOf(lineEnd);
  if (eol < 0) return undefined;
  const first = octets.toString("latin1", 0, eol).trimEnd().split(" ");
  const version = first[0];
  const header = version === "3" ? header3(first.slice(1)) : version === "1" ? header1(first.slice(1)) : undefined;
  return header === undefined ? undefined : { header, version3: version === "3", end: eol + 1 };
}

/** UIDs that are not given when the list is lost, or an older one was put back: somebody may have seen them mean something. */
export const passedOver = 1000;
const highestUid = 0xffff_ffff;
/** Nobody gets there: a higher UID or N is damage. The rest is room for what comes at once. */
export const lastUid = highestUid - 0x10_0000;

/** Longer than any file's name, and than fields anybody writes. */
const nameLimit = 256;
const fieldsLimit = 4096;

const lineEnd = 0x0a;
const space = 0x20;
const colon = 0x3a;
const carriageReturn = 0x0d;

function header3(fields: readonly string[]): UidlistHeader | undefined {
  let uidValidity = 0;
  let nextUid = 0;
  let guid = "";
  const others = [];
  for (const field of fields) {
    const value = field.slice(1);
    if (field.startsWith("V")) uidValidity = number(value);
    else if (field.startsWith("N")) nextUid = number(value) || highestUid;
    else if (field.startsWith("G")) guid = /^[0-9a-f]{32}$/i.test(value) ? value : "";
    else if (field !== "") others.push(field);
  }
  return uidValidity > 0 ? { uidValidity, nextUid, guid, others: others.join(" ") } : undefined;
}

function header1(fields: readonly string[]): UidlistHeader | undefined {
  const [uidValidity, nextUid] = fields.map(number);
  return uidValidity !== undefined && uidValidity > 0 && nextUid !== undefined && nextUid > 0 ? { uidValidity, nextUid, guid: "", others: "" } : undefined;
}

/** 1 to 4294967295, else 0. */
function number(text: string): number {
  if (!/^\d{1,10}$/.test(text)) return 0;
  const value = Number(text);
  return value <= highestUid ? value : 0;
}

/**
 * Lines from octet `from` on.
 *
 * @param above UIDs must be greater than this
 */
export function eachLine(octets: Buffer, from: number, above: number, version3: boolean, visit: LineVisitor): Lines {
  let at = from;
  let last = above;
  let spoilt = 0;
  for (let eol = octets.indexOf(lineEnd, at); eol >= 0; at = eol + 1, eol = octets.indexOf(lineEnd, at)) {
    const uid = line(octets, at, eol, last, version3, visit);
    // Passed over, not the end: UIDs behind it were given, and must not be given again.
    if (uid === 0) spoilt++;
    else last = uid;
  }
  return { end: at, last, whole: spoilt === 0 && at === octets.length, spoilt };
}

/** The UID of the line, 0 when it is not a line of the list. */
function line(octets: Buffer, at: number, eol: number, above: number, version3: boolean, visit: LineVisitor): number {
  let uid = 0;
  let i = at;
  for (; i < eol && i < at + 10; i++) {
    const digit = octets[i] - 0x30;
    if (digit < 0 || digit > 9) break;
    uid = uid * 10 + digit;
  }
  if (uid <= above || uid > lastUid || octets[i] !== space) return 0;
  let begin = i;
  if (version3) while (begin < eol && octets[begin] !== colon) begin++;
  if (begin >= eol) return 0;
  // A name may have been written with its flags, or with another system's line end.
  let to = begin + 1;
  while (to < eol && octets[to] !== colon && octets[to] !== carriageReturn) to++;
  if (to === begin + 1 || to - begin > nameLimit || begin - i > fieldsLimit) return 0;
  visit(uid, octets, i + 1, Math.max(i + 1, begin - 1), begin + 1, to);
  return uid;
}

export function formatHeader(header: UidlistHeader): string {
  const guid = header.guid === "" ? "" : ` G${header.guid}`;
  const others = header.others === "" ? "" : ` ${header.others}`;
  return `3 V${header.uidValidity} N${header.nextUid}${guid}${others}\n`;
}

/** The text of lines, handed on in pieces of at most 64 KiB that are good only as long as the call. */
export class LineWriter {
  readonly #octets = Buffer.allocUnsafe(64 * 1024);
  readonly #put: (octets: Buffer) => void;
  #length = 0;

  constructor(put: (octets: Buffer) => void) {
    this.#put = put;
  }

  /** @param fields "" for none */
  add(uid: number, fields: string, base: Buffer, from: number, to: number): void {
    if (this.#length + lineHead + fields.length + to - from > this.#octets.length) this.end();
    this.#number(uid);
    const octets = this.#octets;
    octets[this.#length++] = space;
    if (fields !== "") this.#length += octets.write(`${fields} `, this.#length, "latin1");
    octets[this.#length++] = colon;
    copyOctets(base, from, to, octets, this.#length);
    this.#length += to - from;
    octets[this.#length++] = lineEnd;
  }

  /** In 32 bits, as UIDs are: to divide others takes V8 several times as long. */
  #number(uid: number): void {
    let at = this.#length + 1;
    for (let n = uid >>> 0; n >= 10; n = (n / 10) >>> 0) at++;
    this.#length = at;
    let left = uid >>> 0;
    do {
      const next = (left / 10) >>> 0;
      this.#octets[--at] = 0x30 + left - next * 10;
      left = next;
    } while (left > 0);
  }

  /** Hands on what is left. */
  end(): void {
    if (this.#length > 0) this.#put(this.#octets.subarray(0, this.#length));
    this.#length = 0;
  }
}

/** Octets of a line beside its name and fields, at most. */
const lineHead = 16;

/** The number of a field such as W (octets with CRLF); undefined when not there. */
export function fieldNumber(fields: string, letter: string): number | undefined {
  for (const field of fields === "" ? [] : fields.split(" ")) if (field.startsWith(letter) && /^.\d{1,15}$/.test(field)) return Number(field.slice(1));
  return undefined;
}

/** Octets with CRLF: what a line says comes before what the name says, since it is written where that is missing or wrong. Undefined when neither does. */
export function sizeWritten(octets: Buffer, from: number, to: number, fields: string): number | undefined {
  return fieldNumber(fields, "W") ?? sizeIn(octets, "W", from, to);
}

/** The fields with this number as the only one of its letter. */
export const withField = (fields: string, letter: string, value: number): string => [...fields.split(" ").filter((field) => field !== "" && !field.startsWith(letter)), `${letter}${value}`].join(" ");

/** The value of a field such as G (the message's id) or P (its POP3 unique-id); undefined when not there or empty. */
export function fieldText(fields: string, letter: string): string | undefined {
  if (fields === "") return undefined;
  const found = fields.split(" ").find((field) => field.startsWith(letter));
  return found === undefined || found.length === 1 ? undefined : found.slice(1);
}
