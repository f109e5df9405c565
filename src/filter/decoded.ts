/**
 * Header and body as a reader sees them, in UTF-8: what conditions look at after `# posthorn: decode = yes` (posthorn-rc(5)).
 * Made when first asked for, kept with the mail.
 */
import { isAscii } from "node:buffer";
import { innerParts, leaves, partText, decodeWords } from "../message/text.ts";
import { fieldValue, type Header } from "../message/header.ts";
import { normalized } from "../message/casemap.ts";
import { paramOctets } from "../message/content.ts";
import { MimeScanner } from "../message/mime-scanner.ts";
import { scanMime, type Part } from "../message/mime.ts";
import { Octets } from "../message/octets.ts";
import type { Mail } from "./mail.ts";

/** Characters of text that are looked at in the parts of one mail; what comes behind them is not. */
const textLimit = 4 << 20;
/** Octets of a header whose words are decoded; what comes behind them stays as it is. */
const headerLimit = 1 << 20;
/** Octets of a transfer encoding for one character, at most as a rule. */
const encodedLength = 4;

const headers = new WeakMap<Mail, Buffer>();
const bodies = new WeakMap<Mail, Octets>();

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
export function decodedBody(mail: Mail): Octets {
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

function scan({ octets }: Mail): Part {
  if (octets.memory !== undefined) return scanMime(octets.memory);
  const scanner = new MimeScanner();
  for (const piece of octets.pieces()) scanner.push(piece);
  return scanner.end();
}

const isAllAscii = (octets: Octets): boolean => octets.pieces().every(isAscii);

function decodeBody(mail: Mail): Octets {
  const message = scan(mail);
  const inner = innerParts(message);
  const parts = leaves(message);
  const [first] = parts;
  if (first !== undefined && inner.length === 0 && parts.length === 1) {
    if (first.type.toLowerCase() !== "text") return Octets.of(Buffer.alloc(0));
    if (isPlain(first) && isAllAscii(mail.body)) return mail.body;
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
    for (; waiting[0] !== undefined && waiting[0].headerStart <= part.headerStart && left > 0; waiting.shift()) take(headerText(waiting[0].header));
    if (left <= 0) break;
    // No more of it is decoded than is looked at.
    const octets = mail.octets.subarray(part.bodyStart, Math.min(part.bodyEnd, part.bodyStart + left * encodedLength)).toBuffer();
    const content = partText(octets, { ...part, bodyStart: 0, bodyEnd: octets.length });
    if (content !== undefined) take(endsLine(content.replaceAll("\r\n", "\n")));
  }
  return Octets.of(text(found.join("")));
}

/** Octets of ASCII in it are characters. */
const isPlain = ({ encoding, params }: Part): boolean => /^(?:[78]bit|binary)?$/i.test(encoding ?? "") && /^(?:(?:us-)?ascii|utf-8|iso-8859-\d+|windows-125\d)$/i.test(paramOctets(params, "charset") ?? "us-ascii");

/** One line a field, and an empty one. */
function headerText(header: Header): string {
  const lines = header.fields.filter((f) => f.name !== "").map((f) => `${f.name}: ${oneLine(decodeWords(fieldValue(header, f)))}\n`);
  return `${lines.join("")}\n`;
}

const oneLine = (line: string): string => line.replace(/[\r\n\u0085\u2028\u2029]+/g, " ");
const endsLine = (content: string): string => (content === "" || content.endsWith("\n") ? content : `${content}\n`);
const text = (content: string): Buffer => Buffer.from(normalized(content, "NFC"), "utf8");
