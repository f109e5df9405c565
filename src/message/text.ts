/**
 * The text of a message as a reader sees it: transfer encodings (RFC 2045 §6.7, §6.8), charsets, encoded words (RFC 2047), the values
 * of RFC 2231. For SEARCH; always on copies, and never throws: what can not be decoded is read as it stands.
 */
import { isAscii } from "node:buffer";
import { parseAddresses, type Address } from "./address.ts";
import { casemap } from "./casemap.ts";
import { decoderOf } from "./charset.ts";
import { param, paramOctets, unpercent } from "./content.ts";
import { octetText, type Field, type Header } from "./header.ts";
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

/** RFC 2045 §6.7: soft line breaks go, also one whose line end went with the delimiter behind it (not in `word`s); "=XX" is an octet, other "=" stay (rule: robust). Trailing white space stays: SEARCH does not mind. */
export function quotedPrintable(octets: Buffer, word = false): Buffer {
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
    if (octets[end] === 0x0a || (end === octets.length && !word)) from = end + 1;
    else if (octets[end] === 0x0d && octets[end + 1] === 0x0a) from = end + 2;
    else {
      out[to++] = 0x3d;
      from = at + 1;
    }
  }
  if (from < octets.length) to += octets.copy(out, to, from);
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
  encoding.toUpperCase() === "B" ? Buffer.from(text, "base64") : quotedPrintable(Buffer.from(text.replaceAll("_", " "), "latin1"), true);

/**
 * The value of a field as SEARCH compares it, with the white space at its ends but for the blank behind the colon, and unfolded: a tab
 * that begins a line counts as a space, so that "one two" is found wherever a mailer folded it, as in Dovecot 2.3.
 */
function foldedValue({ octets }: Header, f: Field): Buffer {
  const from = afterColon(octets, f);
  const to = Math.max(from, lineEnd(octets, f.end));
  if (!f.folded) return octets.subarray(from, to);
  const text = octets.toString("latin1", from, to);
  return Buffer.from(text.replaceAll(/\r?\n[ \t]/g, " ").replaceAll(/\r?\n/g, ""), "latin1");
}

/** Where the value begins: behind the colon and one blank, if there is one. */
const afterColon = (octets: Buffer, f: Field): number =>
  f.valueStart > f.start && f.valueStart < f.end && (octets[f.valueStart] === 0x20 || octets[f.valueStart] === 0x09) ? f.valueStart + 1 : f.valueStart;

/** Before the LF or CRLF that ends there. */
function lineEnd(octets: Buffer, end: number): number {
  if (octets[end - 1] !== 0x0a) return end;
  return octets[end - 2] === 0x0d ? end - 2 : end - 1;
}

const searchableOctets = (octets: Buffer): string => (isAscii(octets) && !octets.includes("=?") ? octets.toString("latin1").toUpperCase() : searchable(decodeWords(octets)));

/** The value of a field, as SEARCH HEADER compares it. */
export const searchableField = (header: Header, field: Field): string => searchableOctets(foldedValue(header, field));

/** As SEARCH SUBJECT does: white space in it is one space each, and none in front, as in Dovecot 2.3. */
export const searchableSubject = (header: Header, field: Field): string =>
  searchableOctets(Buffer.from(foldedValue(header, field).toString("latin1").replaceAll(/[ \t]+/g, " ").replace(/^ /, ""), "latin1"));

/**
 * As SEARCH FROM, TO, CC and BCC do: the addresses of "the envelope structure's" field (RFC 3501 §6.4.4), written one way however they
 * stand in the message: `"Two Words" <local@domain>, ...` with quotes where a name is more than an atom, as in Dovecot 2.3.
 */
export const searchableAddresses = (header: Header, field: Field): string =>
  searchableOctets(Buffer.from(parseAddresses(octetText(header, field), mostAddresses).map(writtenAddress).join(", "), "latin1"));

/** Addresses of one field that are compared. */
const mostAddresses = 10_000;

const atomOnly = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff]*$/;
const dotAtomOnly = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff.]+$/;
const quoted = (text: string): string => `"${text.replaceAll(/["\\']/g, "\\$&")}"`;

/** Encoded words can not stand in quotes (RFC 2047 §5 (3)). */
const writtenPhrase = (name: string): string => (name.includes("=?") || atomOnly.test(name) ? name : quoted(name));

function writtenAddress(a: Address): string {
  if (a.kind === "group") return `${a.name === "" ? '""' : writtenPhrase(a.name)}:${a.members.map((m) => ` ${writtenAddress(m)}`).join(",")};`;
  const name = a.name === undefined ? "" : writtenPhrase(oneSpaced(a.name));
  if (a.local === "" && a.domain === "" && a.route === undefined) return name;
  const local = dotAtomOnly.test(a.local) ? a.local : quoted(a.local);
  return `${name}${name === "" ? "" : " "}<${a.route === undefined ? "" : `${a.route}:`}${local}${a.domain === "" ? "" : `@${a.domain}`}>`;
}

const oneSpaced = (text: string): string => text.replaceAll(/[ \t\r\n]+/g, " ");

/** A field with its name as it stands there, as SEARCH TEXT sees it. Nothing combines across the colon. */
export const searchableLine = (header: Header, field: Field): string =>
  searchable(decodeCharset(header.octets.subarray(field.start, afterColon(header.octets, field)), undefined)) + searchableField(header, field);

/**
 * The text of one leaf part, or undefined when it is not text/*.
 *
 * @param octets  the buffer the part was scanned from
 */
export function partText(octets: Buffer, part: Part): string | undefined {
  if (part.type.toLowerCase() !== "text") return undefined;
  return decodeCharset(decodeTransfer(octets.subarray(part.bodyStart, part.bodyEnd), part.encoding), paramOctets(part.params, "charset"));
}

/**
 * As `searchable(partText(...))` has it, or undefined for a part that SEARCH BODY does not look at: it looks at text/* and at what is of
 * message/* but no message (delivery reports, for one), as Dovecot 2.3 does, and not behind an encoding nobody knows (RFC 2045 §6.4).
 */
export function searchablePart(octets: Buffer, part: Part): string | undefined {
  if (!isSearched(part)) return undefined;
  const text = decodeTransfer(octets.subarray(part.bodyStart, part.bodyEnd), part.encoding);
  const charset = paramOctets(part.params, "charset");
  return isAscii(text) && (charset === undefined || holdsAscii.test(charset)) ? text.toString("latin1").toUpperCase() : searchable(decodeCharset(text, charset));
}

/** Whether `searchablePart` finds text in this leaf. */
export const isSearched = ({ type, encoding }: Part): boolean => /^(?:text|message)$/i.test(type) && (encoding === undefined || /^(?:[78]bit|binary|base64|quoted-printable)$/i.test(encoding));

/** Charsets in which octets of US-ASCII are what they are there. Others (ISO-2022-JP, UTF-7, UTF-16) write all their text with them. */
const holdsAscii = /^(?:(?:us-)?ascii|utf-8|iso-8859-\d{1,2}|windows-125\d)$/i;

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
  const octets = Buffer.from(unpercent(escaped), "latin1");
  return decodeCharset(octets, m?.[1] === "" ? undefined : m?.[1]);
}
