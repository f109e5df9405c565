import type { Envelope, EnvelopeAddress } from "../message/envelope.ts";
import { lineString } from "./respond.ts";

/**
 * envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP env-bcc SP
 *            env-in-reply-to SP env-message-id ")"
 *
 * RFC 3501 §7.4.2, §9.
 */
export function printEnvelope(e: Envelope): string {
  const { date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId } = e;
  const author = addresses(from);
  // Nearly always the same list.
  const [second, third] = [sender === from ? author : addresses(sender), replyTo === from ? author : addresses(replyTo)];
  return `(${lineString(date)} ${lineString(subject)} ${author} ${second} ${third} ${addresses(to)} ${addresses(cc)} ${addresses(bcc)} ${lineString(inReplyTo)} ${lineString(messageId)})`;
}

/** "(" 1*address ")" / nil */
const addresses = (list: readonly EnvelopeAddress[] | undefined): string => (list === undefined || list.length === 0 ? "NIL" : list.length === 1 && list[0] !== undefined ? `(${address(list[0])})` : `(${list.map(address).join("")})`);

/** address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")" */
const address = (a: EnvelopeAddress): string => `(${lineString(a.name)} ${lineString(a.route)} ${lineString(a.mailbox)} ${lineString(a.host)})`;
