/** What SORT and THREAD compare of a message besides its dates and sizes. RFC 5256 §3, RFC 5957 §3. Pure, never throws. */
import { baseSubject } from "./base-subject.ts";
import { casemap } from "./casemap.ts";
import { parseDate, type ZonedDate } from "./date.ts";
import type { Envelope, EnvelopeAddress } from "./envelope.ts";
import { firstField, octetText, valueOf, type Header } from "./header.ts";
import { decodeCharset, decodeWords } from "./text.ts";

/** Texts are as `casemap` makes them, "" where there is none. */
export interface SortKeys {
  readonly subject: string;
  /** addr-mailbox of the first address. */
  readonly from: string;
  readonly to: string;
  readonly cc: string;
  /** Its name, else all of the address. */
  readonly displayFrom: string;
  readonly displayTo: string;
}

export interface Sorted {
  readonly keys: SortKeys;
  /** The subject says that it is a reply or forward. */
  readonly reply: boolean;
  /** RFC 5256 §2.2; undefined when there is none or it can not be read. */
  readonly sent: ZonedDate | undefined;
}

/** @param envelope  of this header */
export function sorted(header: Header, { from, to, cc }: Envelope): Sorted {
  const subject = firstField(header, "subject");
  const { base, reply } = baseSubject(subject === undefined ? "" : text(octetText(header, subject)));
  const date = valueOf(header, "date");
  return {
    keys: { subject: casemap(base), from: mailboxOf(from), to: mailboxOf(to), cc: mailboxOf(cc), displayFrom: displayOf(from), displayTo: displayOf(to) },
    reply,
    sent: date === undefined ? undefined : parseDate(date),
  };
}

const ascii = /^[\x00-\x7f]*$/;

type List = readonly EnvelopeAddress[] | undefined;

/** Has no encoded word, and needs no decoding. */
const isPlain = (octets: string): boolean => ascii.test(octets) && !octets.includes("=?");

/** Octets of the header as text. */
const text = (octets: string): string => (isPlain(octets) ? octets : decodeWords(Buffer.from(octets, "latin1")));

/** What `mapped` made of names that are not plain: a mailbox has mail of the same few hundred people. */
const names = new Map<string, string>();
const mostNames = 1000;
/** Longer names are not kept. */
const longestName = 200;

/** `casemap` of octets of the header. */
function mapped(octets: string): string {
  if (isPlain(octets)) return octets.toUpperCase();
  const known = names.get(octets);
  if (known !== undefined) return known;
  const made = casemap(text(octets));
  if (octets.length > longestName) return made;
  if (names.size >= mostNames) names.clear();
  names.set(octets, made);
  return made;
}

/** A mailbox or host: no encoded words are in it, whatever it looks like (RFC 2047 §5). */
const mappedAddress = (octets: string): string => (ascii.test(octets) ? octets.toUpperCase() : casemap(decodeCharset(Buffer.from(octets, "latin1"), undefined)));

const mailboxOf = (list: List): string => mappedAddress(list?.[0]?.mailbox ?? "");

/** RFC 5957 §3 */
function displayOf(list: List): string {
  const first = list?.[0];
  if (first === undefined) return "";
  const name = first.name === undefined ? "" : mapped(first.name);
  if (name !== "") return name;
  return mappedAddress(first.host === undefined ? (first.mailbox ?? "") : `${first.mailbox ?? ""}@${first.host}`);
}
