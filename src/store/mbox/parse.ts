/**
 * Where the messages of an mbox are. As Dovecot finds them, so that the same octets are the same message to both:
 *
 * - A message begins with a `From ` line that has a date (from-line.ts). It ends before the next one, or at the end of the file, and the line
 *   end there (of the empty line, as a rule) belongs to neither. A header that no empty line ends keeps its last line end.
 * - Where Content-Length leads exactly to such a line end with a `From ` line or nothing behind it, it is believed (Dovecot, mutt and Solaris
 *   write it, and then do not quote); otherwise the first line that is a `From ` line counts. ">From " is text and stays
 *   so: who quoted what (mboxo, mboxrd) is not to be known.
 *
 * Empty lines before the first message are passed over, which Dovecot refuses.
 */
import { crc32 } from "node:zlib";
import { StoreFault } from "../mailbox.ts";
import { breathe } from "../serial.ts";
import { fromLineLimit, parseFromLine } from "./from-line.ts";
import { fieldValue, metadataFields, type MetadataField } from "./metadata.ts";
import { bareLines, type FileWindow } from "./window.ts";

/** Octets of a message in its file; each is at or behind the one before. */
export interface Place {
  /** Of the `From ` line. */
  readonly start: number;
  readonly header: number;
  /** After the empty line that ends the header. */
  readonly body: number;
  readonly end: number;
  /** Behind the line end after the message. */
  readonly next: number;
  /** Of everything before the body: equal means that no flag changed and nothing moved. */
  readonly crc: number;
  /** Content-Length is right, so the body may hold lines that look like separators. */
  readonly counted: boolean;
}

export interface Found extends Place {
  /** Of the `From ` line, ms since the epoch. */
  readonly date: number;
  /** Offsets relative to `header`. */
  readonly fields: readonly MetadataField[];
  /** The header, latin1, up to its empty line. */
  readonly text: string;
  /** Octets with CRLF and without metadata. */
  readonly size: number;
  /** CRC-32 of the header without metadata: stays with the message. */
  readonly print: number;
}

/** Header octets looked at; what comes later is body. */
const headerLimit = 1024 * 1024;

const fromWord = Buffer.from("From ");
const separator = Buffer.from("\nFrom ");
const blankLine = Buffer.from("\n\n");
const blankCrlf = Buffer.from("\n\r\n");

/** The date of the `From ` line at this octet and where the line ends; undefined when no message begins here. */
function fromLineAt(window: FileWindow, at: number): { readonly date: number; readonly end: number } | undefined {
  const place = window.ensure(at, fromLineLimit + 1);
  const { octets } = window;
  if (octets[place] !== 0x46 || octets.compare(fromWord, 0, 5, place, Math.min(place + 5, octets.length)) !== 0) return undefined;
  const lf = octets.indexOf(0x0a, place);
  const line = lf < 0 || lf - place > fromLineLimit + 1 ? undefined : parseFromLine(octets.toString("latin1", place, octets[lf - 1] === 0x0d ? lf - 1 : lf));
  return line === undefined ? undefined : { date: line.date, end: window.start + lf + 1 };
}

/** First octet from `at` on that is not a line end. */
export function skipEmptyLines(window: FileWindow, at: number): number {
  for (; at < window.size; at++) {
    const octet = window.octets[window.ensure(at, 1)];
    if (octet !== 0x0a && octet !== 0x0d) break;
  }
  return at;
}

/**
 * Gives each message from octet `at` (the start of one, or empty lines before the first) to the end of the file to `take`, in order.
 * Throws StoreFault "corrupt" when there is something else: such a file is left alone.
 */
export async function parseMbox(window: FileWindow, at: number, take: (found: Found) => void): Promise<void> {
  let start = at === 0 ? skipEmptyLines(window, 0) : at;
  let breath = start;
  while (start < window.size) {
    window.slide(start);
    const message = parseOne(window, start);
    if (message === undefined) throw new StoreFault("corrupt", "mailbox is not in mbox form", new Error(`no From line at octet ${start}`));
    take(message);
    start = message.next;
    if (start - breath > 4 * 1024 * 1024) {
      breath = start;
      await breathe();
    }
  }
}

/** The message at `start`; undefined when none begins there. */
export function parseOne(window: FileWindow, start: number): Found | undefined {
  const from = fromLineAt(window, start);
  if (from === undefined) return undefined;
  const head = headerAt(window, from.end);
  const place = window.ensure(start, head.body - start);
  const { octets } = window;
  const [header, textEnd] = [place + from.end - start, place + head.textEnd - start];
  const text = octets.toString("latin1", header, textEnd);
  const fields = metadataFields(text);
  const crc = crc32(octets.subarray(place, place + head.body - start));
  let print = 0;
  let hidden = 0;
  let lines = 0;
  let at = header;
  for (const field of fields) {
    print = crc32(octets.subarray(at, header + field.start), print);
    at = header + field.end;
    hidden += field.end - field.start;
    lines -= bareLines(octets, header + field.start, at);
  }
  print = crc32(octets.subarray(at, textEnd), print);
  const { end, next, counted } = bodyEnd(window, from.end, head, fields);
  lines += window.bareLines(from.end, end);
  // Shown with the line end that it lacks (octets-of.ts), unless the line is not shown.
  if (head.body === end && text !== "" && !text.endsWith("\n") && fields.at(-1)?.end !== text.length) lines += 2;
  return { start, header: from.end, body: Math.min(head.body, end), end, next, crc: head.body > end ? crcTo(window, start, end) : crc, counted, date: from.date, fields, text, size: end - from.end - hidden + lines, print };
}

const crcTo = (window: FileWindow, start: number, end: number): number => crc32(window.bytes(start, end - start));

interface Head {
  /** Where the header's lines end and the empty line begins. */
  readonly textEnd: number;
  readonly body: number;
}

function headerAt(window: FileWindow, header: number): Head {
  // From the line end of the From line on: the header may be empty.
  const from = header - 1;
  const before = Math.min(window.size, from + headerLimit);
  const carriage = window.bytes(from - 1, 1)[0] === 0x0d;
  // The usual kind first: the other one is then looked for up to there only.
  const one = window.indexOf(carriage ? blankCrlf : blankLine, from, before);
  const limit = one < 0 ? before : one;
  const other = window.indexOf(carriage ? blankLine : blankCrlf, from, limit);
  const blank = other < 0 ? one : other;
  const length = (other < 0) === carriage ? 2 : 1;
  // A message without a body: the next one begins where the header stops. A second From line right behind the first belongs to the header.
  for (let at = window.indexOf(separator, header, blank < 0 ? before : blank); at >= 0; at = window.indexOf(separator, at + 1, blank < 0 ? before : blank))
    if (fromLineAt(window, at + 1) !== undefined) return { textEnd: at + 1, body: at + 1 };
  if (blank >= 0) return { textEnd: blank + 1, body: blank + 1 + length };
  return { textEnd: before, body: before };
}

function bodyEnd(window: FileWindow, header: number, { textEnd, body }: Head, fields: readonly MetadataField[]): { readonly end: number; readonly next: number; readonly counted: boolean } {
  const length = fieldValue(fields, "content-length");
  if (length !== undefined && /^\d{1,15}$/.test(length) && textEnd < body) {
    const end = body + Number(length);
    const next = end + lineEndAt(window, end);
    if (next > end && (next === window.size || fromLineAt(window, next) !== undefined)) return { end, next, counted: true };
  }
  for (let at = window.indexOf(separator, Math.max(header, body) - 1); ; at = window.indexOf(separator, at + 1)) {
    const next = at < 0 ? window.size : at + 1;
    if (at < 0 || fromLineAt(window, next) !== undefined) return { end: textEnd === body ? next : Math.max(textEnd, next - lineEndBefore(window, next)), next, counted: false };
  }
}

function lineEndAt(window: FileWindow, at: number): number {
  const octets = window.bytes(at, 2);
  if (octets[0] === 0x0a) return 1;
  return octets[0] === 0x0d && octets[1] === 0x0a ? 2 : 0;
}

function lineEndBefore(window: FileWindow, at: number): number {
  const octets = window.bytes(at - 2, 2);
  if (octets[1] !== 0x0a) return 0;
  return octets[0] === 0x0d ? 2 : 1;
}
