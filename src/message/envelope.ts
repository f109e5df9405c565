/**
 * ENVELOPE of IMAP. RFC 3501 §7.4.2. Values are as in the header, unfolded, encoded words untouched, one character per octet: write
 * them with "latin1".
 */
import { isOneSpaced } from "../syntax/blanks.ts";
import { parseAddresses, type Address } from "./address.ts";
import { octetText, type Field, type Header } from "./header.ts";

/**
 * address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"; undefined is NIL. A host that is undefined marks the
 * start of a group (mailbox is its name) or its end (mailbox undefined too).
 */
export interface EnvelopeAddress {
  readonly name: string | undefined;
  readonly route: string | undefined;
  readonly mailbox: string | undefined;
  readonly host: string | undefined;
}

/** Undefined is NIL. */
export interface Envelope {
  readonly date: string | undefined;
  readonly subject: string | undefined;
  readonly from: readonly EnvelopeAddress[] | undefined;
  /** Where the field is missing or empty: as `from` (RFC 3501 §7.4.2), and so for `replyTo`. */
  readonly sender: readonly EnvelopeAddress[] | undefined;
  readonly replyTo: readonly EnvelopeAddress[] | undefined;
  readonly to: readonly EnvelopeAddress[] | undefined;
  readonly cc: readonly EnvelopeAddress[] | undefined;
  readonly bcc: readonly EnvelopeAddress[] | undefined;
  readonly inReplyTo: string | undefined;
  readonly messageId: string | undefined;
}

/** The fields an envelope is made from, lower case. */
export const envelopeFields = ["date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"] as const;

/** Longest list of addresses told; nobody reads more, and each costs many times its octets. */
const mostAddresses = 10_000;

const places: ReadonlyMap<string, number> = new Map(envelopeFields.map((name, place) => [name, place]));
/** `envelopeFields` by place. */
const at = { date: 0, subject: 1, from: 2, sender: 3, replyTo: 4, to: 5, cc: 6, bcc: 7, inReplyTo: 8, messageId: 9 } as const;

/** Never throws. */
export function envelope(header: Header): Envelope {
  // Of several the last counts, as in Dovecot 2.3.
  const last: (Field | undefined)[] = [undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined];
  let repeated = false;
  for (const f of header.fields) {
    const place = places.get(f.key);
    if (place === undefined) continue;
    repeated ||= last[place] !== undefined;
    last[place] = f;
  }
  const from = addresses(header, last[at.from], repeated);
  return {
    date: text(header, last[at.date]),
    // Folding with tabs, or folding twice, shows as one space, as Dovecot 2.3 has it.
    subject: oneSpaced(text(header, last[at.subject])),
    from,
    sender: addresses(header, last[at.sender], repeated) ?? from,
    replyTo: addresses(header, last[at.replyTo], repeated) ?? from,
    to: addresses(header, last[at.to], repeated),
    cc: addresses(header, last[at.cc], repeated),
    bcc: addresses(header, last[at.bcc], repeated),
    inReplyTo: text(header, last[at.inReplyTo]),
    messageId: text(header, last[at.messageId]),
  };
}

const text = (header: Header, f: Field | undefined): string | undefined => (f === undefined ? undefined : octetText(header, f));

/** Several To: fields are one list to the reader of the message. @param repeated there may be more fields of the name of `last` */
function addresses(header: Header, last: Field | undefined, repeated: boolean): EnvelopeAddress[] | undefined {
  if (last === undefined) return undefined;
  const all: EnvelopeAddress[] = [];
  if (!repeated) addAddresses(header, last, all);
  else for (const f of header.fields) if (f.key === last.key && all.length < mostAddresses) addAddresses(header, f, all);
  if (all.length > mostAddresses) all.length = mostAddresses;
  return all.length === 0 ? undefined : all;
}

function addAddresses(header: Header, f: Field, all: EnvelopeAddress[]): void {
  for (const a of parseAddresses(octetText(header, f), mostAddresses)) {
    if (a.kind === "mailbox") all.push(single(a));
    else all.push(...flat(a));
  }
}

/** What Dovecot 2.3 says for the part of an address that is missing; NIL would read as a group. */
const missingMailbox = "MISSING_MAILBOX";
const missingDomain = "MISSING_DOMAIN";
const brokenDomain = "SYNTAX_ERROR";

function single(a: Extract<Address, { kind: "mailbox" }>): EnvelopeAddress {
  if (a.broken !== undefined) return { name: oneSpaced(a.broken.name), route: undefined, mailbox: a.broken.local === "" ? missingMailbox : a.broken.local, host: a.broken.angle ? brokenDomain : missingDomain };
  return { name: oneSpaced(a.name), route: a.route, mailbox: a.local === "" && a.emptyLocal !== true ? missingMailbox : a.local, host: a.domain === "" ? missingDomain : a.domain };
}

function flat(a: Address): EnvelopeAddress[] {
  if (a.kind === "mailbox") return [single(a)];
  return [
    { name: undefined, route: undefined, mailbox: a.name, host: undefined },
    ...a.members.flatMap(flat),
    { name: undefined, route: undefined, mailbox: undefined, host: undefined },
  ];
}

/** White space shows as one space, and at the ends not at all, as Dovecot has it. */
function oneSpaced(value: string | undefined): string | undefined {
  return value === undefined || isOneSpaced(value) ? value : value.replaceAll(/[ \t\r\n]+/g, " ").replaceAll(/^ | $/g, "");
}
