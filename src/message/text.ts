/**
 * The text of a message as a reader sees it: transfer encodings (RFC 2045 §6.7, §6.8), charsets, encoded words (RFC 2047), the values
 * of RFC 2231. For SEARCH; always on copies, and never throws: what can not be decoded is read as it stands.
 */
import { isAscii } from "node:buffer";
import { casemap } from "./casemap.ts";
import { decoderOf } from "./charset.ts";
import { param } from "./content.ts";
import { fieldValue, type Field, type Header } from "./header.ts";
import type { Part } from "./mime.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });
const windows1252 = new TextDecoder("windows-1252");

/** Whether text in this charset can be read; SEARCH CHARSET answers BADCHARSET where not (RFC 3501 §6.4.4). */
export const knownCharset = (charset: string): boolean => decoderOf(charset) !== undefined;

/**
 * Octets of a charset to text. US-ASCII, none and unknown ones: UTF-8 where it is valid, else windows-1252, because 8-bit octets under
 * those labels are one of the two.
 */
export function decodeCharset(octets: Buffer, charset: string | undefined): string {
  if (charset !== undefined && !/^(?:us-)?ascii$/i.test(charset)) {
    const decode = decoderOf(charset);
    if (decode !== undefined) return decode(octets);
  }
  try {
    return utf8.decode(octets);
  } catch {
    return windows1252.decode(octets);
  }
}

/** The octets behind a Content-Transfer-Encoding: base64 and quoted-printable are decoded, all others are as they are. */
export function decodeTransfer(octets: Buffer, encoding: string | undefined): Buffer {
  const name = encoding?.toLowerCase();
  if (name === "base64") return Buffer.from(octets.toString("latin1"), "base64");
  if (name === "quoted-printable") return quotedPrintable(octets);
  return octets;
}

const hexValue = (octet: number | undefined): number => {
  if (octet === undefined) return -1;
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const upper = octet & 0xdf;
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x37 : -1;
};

/** RFC 2045 §6.7: soft line breaks go, "=XX" is an octet, other "=" stay (rule: robust). Trailing white space stays: SEARCH does not mind. */
export function quotedPrintable(octets: Buffer): Buffer {
  let at = octets.indexOf(0x3d);
  if (at < 0) return octets;
  const out = Buffer.allocUnsafe(octets.length);
  let from = 0;
  let to = 0;
  for (; at >= 0; at = octets.indexOf(0x3d, from)) {
    to += octets.copy(out, to, from, at);
    const high = hexValue(octets[at + 1]);
    const low = hexValue(octets[at + 2]);
    if (high >= 0 && low >= 0) {
      out[to++] = high * 16 + low;
      from = at + 3;
      continue;
    }
    let end = at + 1;
    while (octets[end] === 0x20 || octets[end] === 0x09) end++;
    if (octets[end] === 0x0a) from = end + 1;
    else if (octets[end] === 0x0d && octets[end + 1] === 0x0a) from = end + 2;
    else {
      out[to++] = 0x3d;
      from = at + 1;
    }
  }
  to += octets.copy(out, to, from);
  return out.subarray(0, to);
}

/** encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?=". RFC 2047 §2, RFC 2231 §5; encoded-text may hold spaces as some mailers write it. */
const encodedWord = /=\?([^?\s*]{1,75})(?:\*[^?\s]{0,75})?\?([BbQq])\?([^?]*)\?=/g;

/**
 * A field value as text: encoded words decoded, white space between two of them dropped (RFC 2047 §6.2), other octets as UTF-8 or
 * windows-1252. Words of the same charset that stand together are decoded together: some mailers cut characters in two.
 *
 * @param value  unfolded octets
 */
export function decodeWords(value: Buffer): string {
  if (!value.includes("=?")) return decodeCharset(value, undefined);
  const text = value.toString("latin1");
  let out = "";
  let from = 0;
  let pending: { charset: string; octets: Buffer[] } | undefined;
  const flush = (): void => {
    if (pending !== undefined) out += decodeCharset(Buffer.concat(pending.octets), pending.charset);
    pending = undefined;
  };
  for (const m of text.matchAll(encodedWord)) {
    const between = text.slice(from, m.index);
    if (pending === undefined || !/^[ \t\r\n]*$/.test(between)) {
      flush();
      out += decodeCharset(Buffer.from(between, "latin1"), undefined);
    }
    const charset = (m[1] ?? "").toLowerCase();
    const octets = wordOctets(m[2] ?? "", m[3] ?? "");
    if (pending !== undefined && pending.charset !== charset) flush();
    if (pending === undefined) pending = { charset, octets: [octets] };
    else pending.octets.push(octets);
    from = m.index + m[0].length;
  }
  flush();
  return out + decodeCharset(Buffer.from(text.slice(from), "latin1"), undefined);
}

const wordOctets = (encoding: string, text: string): Buffer =>
  encoding.toUpperCase() === "B" ? Buffer.from(text, "base64") : quotedPrintable(Buffer.from(text.replaceAll("_", " "), "latin1"));

/** The value of a field as SEARCH sees it. */
export const fieldText = (header: Header, field: Field): string => decodeWords(fieldValue(header, field));

/** `searchable(fieldText(...))`. */
export function searchableField(header: Header, field: Field): string {
  const value = fieldValue(header, field);
  return isAscii(value) && !value.includes("=?") ? value.toString("latin1").toUpperCase() : searchable(decodeWords(value));
}

/** A field with its name, as SEARCH TEXT sees it: `searchable` of "Name: value", in which nothing combines across the colon and the space. */
export const searchableLine = (header: Header, field: Field): string => `${searchable(field.name)}: ${searchableField(header, field)}`;

/**
 * The text of one leaf part, or undefined when it is neither text nor a message's own text: SEARCH BODY looks at text/* only, as
 * Dovecot does.
 *
 * @param octets  the buffer the part was scanned from
 */
export function partText(octets: Buffer, part: Part): string | undefined {
  const text = textOctets(octets, part);
  return text === undefined ? undefined : decodeCharset(text, param(part.params, "charset"));
}

/** `searchable(partText(...))`. */
export function searchablePart(octets: Buffer, part: Part): string | undefined {
  const text = textOctets(octets, part);
  if (text === undefined) return undefined;
  const charset = param(part.params, "charset");
  return isAscii(text) && (charset === undefined || holdsAscii.test(charset)) ? text.toString("latin1").toUpperCase() : searchable(decodeCharset(text, charset));
}

/** Charsets in which octets of US-ASCII are what they are there. Others (ISO-2022-JP, UTF-7, UTF-16) write all their text with them. */
const holdsAscii = /^(?:(?:us-)?ascii|utf-8|iso-8859-\d{1,2}|windows-125\d)$/i;

function textOctets(octets: Buffer, part: Part): Buffer | undefined {
  return part.type.toLowerCase() === "text" ? decodeTransfer(octets.subarray(part.bodyStart, part.bodyEnd), part.encoding) : undefined;
}

/** Leaf parts of a message in order, those of messages inside it too. Iterative: depth is the sender's choice. */
export function leaves(message: Part): Part[] {
  const found: Part[] = [];
  const waiting: Part[] = [message];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part.message !== undefined) waiting.push(part.message);
    else if (part.parts.length > 0) waiting.push(...part.parts.toReversed());
    else found.push(part);
  }
  return found;
}

/** Headers of the parts below the message itself, in order: SEARCH TEXT looks at them. */
export const innerHeaders = (message: Part): Header[] => innerParts(message).map(({ header }) => header);

/** The parts below the message itself, in the order of their headers. */
export function innerParts(message: Part): Part[] {
  const found: Part[] = [];
  const waiting: Part[] = [message];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part !== message) found.push(part);
    if (part.message !== undefined) waiting.push(part.message);
    waiting.push(...part.parts.toReversed());
  }
  return found;
}

/** What a search compares: as `casemap` has it (RFC 5255 §4.2: substrings by i;unicode-casemap), so "É" finds "e\u0301" and "é", and "e" finds all three. */
export const searchable = casemap;

/** A parameter's value as text: RFC 2231 §4 charset'language'percent-text, or encoded words, which mailers use there too. */
export function paramText(params: Part["params"], name: string): string | undefined {
  const extended = param(params, `${name}*`);
  if (extended === undefined) {
    const plain = param(params, name);
    return plain === undefined ? undefined : decodeWords(Buffer.from(plain, "latin1"));
  }
  const m = /^([^']*)'[^']*'(.*)$/s.exec(extended);
  const escaped = m?.[2] ?? extended;
  const octets = Buffer.from(escaped.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), "latin1");
  return decodeCharset(octets, m?.[1] === "" ? undefined : m?.[1]);
}
