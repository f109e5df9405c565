/**
 * Header and body as a reader sees them, in UTF-8: what conditions look at after `# posthorn: decode = yes` (posthorn-rc(5)).
 * Made when first asked for, kept with the mail.
 */
import { isAscii } from "node:buffer";
import { innerHeaders, leaves, partText, decodeWords } from "../message/text.ts";
import { fieldValue, type Header } from "../message/header.ts";
import { param } from "../message/content.ts";
import { scanMime, type Part } from "../message/mime.ts";
import type { Mail } from "./mail.ts";

/** Characters of text that are looked at in the parts of one mail; what comes behind them is not. */
const textLimit = 4 << 20;
/** Octets of a header whose words are decoded; what comes behind them stays as it is. */
const headerLimit = 1 << 20;
/** Octets of a transfer encoding for one character, at most as a rule. */
const encodedLength = 4;

const headers = new WeakMap<Mail, Buffer>();
const bodies = new WeakMap<Mail, Buffer>();

/** As Mail.unfolded, with encoded words (RFC 2047) decoded. A line stays a line: what would end one within a word is a space. */
export function decodedHeader(mail: Mail): Buffer {
  let header = headers.get(mail);
  if (header === undefined) headers.set(mail, (header = decodeLines(mail.unfolded)));
  return header;
}

/**
 * The parts in order, transfer encodings and charsets decoded: of each part below the message its header with decoded words
 * and an empty line, and the text where it is text. Other octets (images, archives) are left out.
 */
export function decodedBody(mail: Mail): Buffer {
  let body = bodies.get(mail);
  if (body === undefined) bodies.set(mail, (body = decodeBody(mail)));
  return body;
}

function decodeLines(unfolded: Buffer): Buffer {
  if (isAscii(unfolded) && !unfolded.includes("=?")) return unfolded;
  if (unfolded.length > headerLimit) {
    const end = unfolded.lastIndexOf(10, headerLimit - 1) + 1;
    return Buffer.concat([decodeLines(unfolded.subarray(0, end)), unfolded.subarray(end)]);
  }
  const lines: string[] = [];
  for (let at = 0; at < unfolded.length; ) {
    const lf = unfolded.indexOf(10, at);
    const end = lf < 0 ? unfolded.length : lf;
    lines.push(oneLine(decodeWords(unfolded.subarray(at, end))) + (lf < 0 ? "" : "\n"));
    at = end + 1;
  }
  return text(lines.join(""));
}

function decodeBody(mail: Mail): Buffer {
  const message = scanMime(mail.octets);
  const inner = new Set(innerHeaders(message));
  const parts = leaves(message);
  const [first] = parts;
  if (first !== undefined && inner.size === 0 && parts.length === 1) {
    if (first.type.toLowerCase() !== "text") return Buffer.alloc(0);
    if (isPlain(first) && isAscii(mail.body)) return mail.body;
  }
  const found: string[] = [];
  let left = textLimit;
  const take = (piece: string): void => {
    const kept = piece.length > left ? piece.slice(0, left) : piece;
    found.push(kept);
    left -= kept.length;
  };
  // Headers of multiparts and of messages within messages come before their first leaf.
  const waiting = [...inner];
  for (const part of parts) {
    while (waiting[0] !== undefined && waiting[0].start <= part.header.start && left > 0) take(headerText(waiting.shift() as Header));
    if (left <= 0) break;
    // No more of it is decoded than is looked at.
    const content = partText(mail.octets, { ...part, bodyEnd: Math.min(part.bodyEnd, part.bodyStart + left * encodedLength) });
    if (content !== undefined) take(endsLine(content.replaceAll("\r\n", "\n")));
  }
  return text(found.join(""));
}

/** Octets of ASCII in it are characters. */
const isPlain = ({ encoding, params }: Part): boolean => /^(?:[78]bit|binary)?$/i.test(encoding ?? "") && /^(?:(?:us-)?ascii|utf-8|iso-8859-\d+|windows-125\d)$/i.test(param(params, "charset") ?? "us-ascii");

/** One line a field, and an empty one. */
function headerText(header: Header): string {
  const lines = header.fields.filter((f) => f.name !== "").map((f) => `${f.name}: ${oneLine(decodeWords(fieldValue(header, f)))}\n`);
  return `${lines.join("")}\n`;
}

const oneLine = (line: string): string => line.replace(/[\r\n\u0085\u2028\u2029]+/g, " ");
const endsLine = (content: string): string => (content === "" || content.endsWith("\n") ? content : `${content}\n`);
const text = (content: string): Buffer => Buffer.from(content.normalize("NFC"), "utf8");
