/** SEARCH keys by chance, about texts that are in the messages and some that are not. RFC 3501 §6.4.4 */
import { decodeWords, leaves, partText } from "../../../src/message/text.ts";
import { fieldValue, type Header } from "../../../src/message/header.ts";
import { scanMime } from "../../../src/message/mime.ts";
import type { Chance } from "../message/chance.ts";

const few = ["the", "re:", "@", "", " ", "=", "=?", "?=", "utf-8", "content-type", "multipart", "text/plain", "\u00e9", "\u00df", "ss", "i", "\u0131", "\ufb01", "\u03a9", "\u304c", "a", "  ", "\u00fc", "<", ">", ":", ": ", "\t", "--", "http", "base64", "charset", "\"", "\\", "(", "*", "%"] as const;
const names = ["Subject", "From", "To", "Cc", "Bcc", "Date", "Message-ID", "message-id", "References", "In-Reply-To", "Received", "Content-Type", "CONTENT-TRANSFER-ENCODING", "X-Mailer", "Reply-To", "Sender", "MIME-Version", "X-None", "List-Id", "Return-Path", "Content-Disposition", "Delivered-To"] as const;
const flags = ["ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN", "NEW", "OLD", "RECENT", "ALL", "KEYWORD work", "UNKEYWORD work", "KEYWORD $Label1", "KEYWORD none", "KEYWORD WORK"] as const;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** Texts that can be looked for in a message: of its octets, its fields and its parts. */
export class Needles {
  readonly #octets: readonly Buffer[];

  constructor(octets: readonly Buffer[]) {
    this.#octets = octets;
  }

  /** Octets as latin1. */
  pick(c: Chance): string {
    const octets = this.#octets[c.below(this.#octets.length)] ?? Buffer.alloc(0);
    switch (c.below(6)) {
      case 0:
        return Buffer.from(c.pick(few)).toString("latin1");
      case 1:
        return slice(octets.toString("latin1"), c).replaceAll(/[\x80-\xff]/g, "");
      case 2: {
        const { header } = scanMime(octets);
        return utf8(slice(fieldOf(header, c), c));
      }
      default: {
        const parts = leaves(scanMime(octets));
        const part = parts[c.below(parts.length)];
        const text = part === undefined ? undefined : partText(octets, part);
        return text === undefined ? "" : utf8(slice(text, c));
      }
    }
  }
}

function fieldOf(header: Header, c: Chance): string {
  const field = header.fields[c.below(header.fields.length)];
  return field === undefined ? "" : decodeWords(fieldValue(header, field));
}

const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

/** A few characters of one line, in either case. */
function slice(text: string, c: Chance): string {
  const from = c.below(text.length);
  const found = text.slice(from, from + 1 + c.below(c.oneIn(4) ? 40 : 9)).replace(/[\r\n\0\ufffd][^]*$/, "").toWellFormed();
  return c.oneIn(4) ? found.toUpperCase() : c.oneIn(4) ? found.toLowerCase() : found;
}

/** astring; 8-bit octets as a literal. */
export const astring = (text: string): string => (/^[\x01-\x09\x0b\x0c\x0e-\x7f]*$/.test(text) ? `"${text.replaceAll(/["\\]/g, "\\$&")}"` : `{${text.length}+}\r\n${text}`);

const day = (c: Chance): string => `${1 + c.below(28)}-${c.pick(months)}-${c.oneIn(3) ? 1995 + c.below(30) : c.pick([2000, 2002, 2003, 2009, 2011, 2018, 2020, 2021])}`;

/** sequence-set; "*" only with numbers that there are, as to Dovecot it is the highest that there could be. */
function set(c: Chance, count: number): string {
  const number = (): string => String(1 + c.below(count + 5));
  const range = (): string => (c.oneIn(6) ? `${1 + c.below(count)}:*` : `${number()}:${number()}`);
  return c.some(1, 3, () => (c.oneIn(2) ? number() : range())).join(",");
}

/** search-key */
export function searchKey(c: Chance, needles: Needles, count: number, depth = 2): string {
  const text = (): string => astring(needles.pick(c));
  switch (c.below(depth > 0 ? 17 : 12)) {
    case 0:
      return `BODY ${text()}`;
    case 1:
    case 2:
      return `TEXT ${text()}`;
    case 3:
      return `BODY ${text()}`;
    case 4:
      return `SUBJECT ${text()}`;
    case 5:
      return `${c.pick(["FROM", "TO", "CC", "BCC"])} ${text()}`;
    case 6:
    case 7:
      return `HEADER ${c.pick(names)} ${c.oneIn(4) ? '""' : text()}`;
    case 8:
      return `${c.pick(["SENTBEFORE", "SENTON", "SENTSINCE"])} ${day(c)}`;
    case 9:
      return `${c.pick(["BEFORE", "ON", "SINCE"])} ${day(c)}`;
    case 10:
      return c.oneIn(2) ? `${c.pick(["LARGER", "SMALLER"])} ${c.below(6000)}` : c.pick(flags);
    case 11:
      return c.oneIn(2) ? set(c, count) : `UID ${set(c, count)}`;
    case 12:
    case 13:
      return `NOT ${searchKey(c, needles, count, depth - 1)}`;
    case 14:
    case 15:
      return `OR ${searchKey(c, needles, count, depth - 1)} ${searchKey(c, needles, count, depth - 1)}`;
    default:
      return `(${c.some(1, 3, () => searchKey(c, needles, count, depth - 1)).join(" ")})`;
  }
}
