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

type EnvelopeField = (typeof envelopeFields)[number];

const fieldNames: ReadonlyMap<string, EnvelopeField> = new Map(envelopeFields.map((name) => [name, name]));

/** Never throws. */
export function envelope(header: Header): Envelope {
  const found: { [N in EnvelopeField]?: Field[] } = {};
  for (const f of header.fields) {
    const name = fieldNames.get(f.key);
    if (name !== undefined) (found[name] ??= []).push(f);
  }
  const text = (name: EnvelopeField): string | undefined => {
    // Of several the last counts, as in Dovecot 2.3.
    const f = found[name]?.at(-1);
    return f === undefined ? undefined : octetText(header, f);
  };
  const addresses = (name: EnvelopeField): EnvelopeAddress[] | undefined => {
    // Several To: fields are one list to the reader of the message.
    const all: EnvelopeAddress[] = [];
    for (const f of found[name] ?? []) {
      if (all.length >= mostAddresses) break;
      for (const a of parseAddresses(octetText(header, f), mostAddresses)) all.push(...flat(a));
    }
    return all.length === 0 ? undefined : all.slice(0, mostAddresses);
  };
  const from = addresses("from");
  return {
    date: text("date"),
    // Folding with tabs, or folding twice, shows as one space, as Dovecot 2.3 has it.
    subject: oneSpaced(text("subject")),
    from,
    sender: addresses("sender") ?? from,
    replyTo: addresses("reply-to") ?? from,
    to: addresses("to"),
    cc: addresses("cc"),
    bcc: addresses("bcc"),
    inReplyTo: text("in-reply-to"),
    messageId: text("message-id"),
  };
}

/** What Dovecot 2.3 says for the part of an address that is missing; NIL would read as a group. */
const missingMailbox = "MISSING_MAILBOX";
const missingDomain = "MISSING_DOMAIN";
const brokenDomain = "SYNTAX_ERROR";

function flat(a: Address): EnvelopeAddress[] {
  if (a.kind === "mailbox") {
    if (a.broken !== undefined) return [{ name: oneSpaced(a.broken.name), route: undefined, mailbox: a.broken.local === "" ? missingMailbox : a.broken.local, host: a.broken.angle ? brokenDomain : missingDomain }];
    return [{ name: oneSpaced(a.name), route: a.route, mailbox: a.local === "" && a.emptyLocal !== true ? missingMailbox : a.local, host: a.domain === "" ? missingDomain : a.domain }];
  }
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
