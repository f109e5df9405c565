/**
 * Where the messages of an mbox are. A message begins with a `From ` line that has a date (from-line.ts) and ends before the next one;
 * the empty line between them belongs to neither. Where Content-Length is given and leads exactly to the next `From ` line or the end
 * of the file, it is believed (Dovecot and mutt write it, and then do not quote); otherwise the first line that is a `From ` line counts.
 */
import { crc32 } from "node:zlib";
import { StoreFault } from "../mailbox.ts";
import { breathe } from "../serial.ts";
import { fromLineLimit, parseFromLine, type FromLine } from "./from-line.ts";
import { fieldValue, metadataFields, type MetadataField } from "./metadata.ts";
import type { FileWindow } from "./window.ts";

export interface Found {
  /** Octet of the `From ` line in the file. */
  readonly start: number;
  readonly header: number;
  /** After the empty line that ends the header. */
  readonly body: number;
  /** End of the message; what follows up to `next` is the empty line between messages. */
  readonly end: number;
  readonly next: number;
  readonly from: FromLine;
  /** Offsets relative to `header`. */
  readonly fields: readonly MetadataField[];
  /** Octets with CRLF and without metadata. */
  readonly size: number;
  /** Of everything before the body: equal means that no flag changed and nothing moved. */
  readonly crc: number;
  /** Content-Length was right, so the body may hold lines that look like separators. */
  readonly counted: boolean;
}

/** Header octets looked at; what comes later is body. */
const headerLimit = 1024 * 1024;

/** True when a message begins at this octet. */
function fromLineAt(window: FileWindow, at: number): { readonly line: FromLine; readonly end: number } | undefined {
  const octets = window.bytes(at, fromLineLimit + 1);
  if (octets.length < 5 || octets.toString("latin1", 0, 5) !== "From ") return undefined;
  const lf = octets.indexOf(0x0a);
  if (lf < 0) return undefined;
  const line = parseFromLine(octets.toString("latin1", 0, octets[lf - 1] === 0x0d ? lf - 1 : lf));
  return line === undefined ? undefined : { line, end: at + lf + 1 };
}

/** First octet from `at` on that is not a line end. */
export function skipEmptyLines(window: FileWindow, at: number): number {
  for (; at < window.size; at++) {
    const octet = window.bytes(at, 1)[0];
    if (octet !== 0x0a && octet !== 0x0d) break;
  }
  return at;
}

/**
 * Messages from octet `at` (the start of a message, or empty lines before one) to the end of the file.
 * Throws StoreFault "corrupt" when there is something else: such a file is left alone.
 */
export async function parseMbox(window: FileWindow, at: number): Promise<Found[]> {
  const found: Found[] = [];
  let start = skipEmptyLines(window, at);
  let breath = start;
  while (start < window.size) {
    const message = parseOne(window, start);
    if (message === undefined) throw new StoreFault("corrupt", "mailbox is not in mbox form", new Error(`no From line at octet ${start}`));
    found.push(message);
    start = message.next;
    if (start - breath > 4 * 1024 * 1024) {
      breath = start;
      await breathe();
    }
  }
  return found;
}

export function parseOne(window: FileWindow, start: number): Found | undefined {
  const from = fromLineAt(window, start);
  if (from === undefined) return undefined;
  const { header, text, body } = headerAt(window, from.end);
  const fields = metadataFields(text);
  const length = fieldValue(fields, "content-length");
  const counted = length !== undefined && /^\d{1,15}$/.test(length) ? endsAt(window, body, body + Number(length)) : undefined;
  const { end, next } = counted ?? endFrom(window, from.end, body);
  let hidden = 0;
  let lines = window.bareLines(header, end);
  for (const field of fields) {
    hidden += field.end - field.start;
    lines -= window.bareLines(header + field.start, header + field.end);
  }
  return {
    start,
    header,
    body: Math.min(body, end),
    end,
    next,
    from: from.line,
    fields,
    size: end - header - hidden + lines,
    crc: crc32(window.bytes(start, body - start)),
    counted: counted !== undefined,
  };
}

function headerAt(window: FileWindow, header: number): { readonly header: number; readonly text: string; readonly body: number } {
  const first = window.bytes(header, 2).toString("latin1");
  if (first.startsWith("\n") || first === "\r\n") return { header, text: "", body: header + (first.startsWith("\n") ? 1 : 2) };
  for (let limit = 8192; ; limit *= 4) {
    const octets = window.bytes(header, limit);
    const plain = octets.indexOf("\n\n", 0, "latin1");
    const carriage = octets.indexOf("\n\r\n", 0, "latin1");
    const separator = octets.indexOf("\nFrom ", 0, "latin1");
    const ends = [plain, carriage].filter((at) => at >= 0);
    const end = ends.length === 0 ? -1 : Math.min(...ends);
    // A message without a body: the next one begins where the header stops.
    if (separator >= 0 && (end < 0 || separator < end) && fromLineAt(window, header + separator + 1) !== undefined)
      return { header, text: octets.toString("latin1", 0, separator + 1), body: header + separator + 1 };
    if (end >= 0) return { header, text: octets.toString("latin1", 0, end + 1), body: header + end + (end === plain ? 2 : 3) };
    if (header + octets.length >= window.size || limit > headerLimit) return { header, text: octets.toString("latin1"), body: header + octets.length };
  }
}

/** True end of a message whose body is said to end at `end`. */
function endsAt(window: FileWindow, body: number, end: number): { readonly end: number; readonly next: number } | undefined {
  if (end > window.size) return undefined;
  const next = skipEmptyLines(window, end);
  // The count must stop at a line end, with nothing but empty lines before the next message.
  if (end > body && window.bytes(end - 1, 1)[0] !== 0x0a && (next === end || window.bytes(end, 1)[0] !== 0x0a)) return undefined;
  if (next < window.size && fromLineAt(window, next) === undefined) return undefined;
  return { end, next };
}

function endFrom(window: FileWindow, header: number, body: number): { readonly end: number; readonly next: number } {
  for (let at = window.indexOf("\nFrom ", Math.max(header, body) - 1); ; at = window.indexOf("\nFrom ", at + 1)) {
    const next = at < 0 ? window.size : at + 1;
    if (at < 0 || fromLineAt(window, next) !== undefined) return { end: next - separatorLength(window, body, next), next };
  }
}

/** Octets of the empty line before `next`: 1, 2 with CRLF, 0 when there is none. */
function separatorLength(window: FileWindow, body: number, next: number): number {
  const tail = window.bytes(Math.max(body - 1, next - 4), next - Math.max(body - 1, next - 4)).toString("latin1");
  if (tail.endsWith("\n\r\n")) return 2;
  return tail.endsWith("\n\n") ? 1 : 0;
}
