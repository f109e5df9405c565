import type { Envelope, EnvelopeAddress } from "../message/envelope.ts";
import { nstring } from "./respond.ts";

/**
 * envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP env-bcc SP
 *            env-in-reply-to SP env-message-id ")"
 *
 * RFC 3501 §7.4.2, §9.
 */
export function printEnvelope(e: Envelope): string {
  const { date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId } = e;
  const lists = [from, sender, replyTo, to, cc, bcc].map(addresses).join(" ");
  return `(${nstring(date)} ${nstring(subject)} ${lists} ${nstring(inReplyTo)} ${nstring(messageId)})`;
}

/** "(" 1*address ")" / nil */
const addresses = (list: readonly EnvelopeAddress[] | undefined): string => (list === undefined || list.length === 0 ? "NIL" : `(${list.map(address).join("")})`);

/** address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")" */
const address = (a: EnvelopeAddress): string => `(${nstring(a.name)} ${nstring(a.route)} ${nstring(a.mailbox)} ${nstring(a.host)})`;
