/** Mailbox names and patterns, as clients have them (namespace.ts). RFC 3501 §5.1.3 and §9. */
import { decodeMutf7 } from "../syntax/mutf7.ts";
import { listChar } from "./octets.ts";
import { astring, string, type CommandScanner } from "./strings.ts";

/**
 * mailbox = "INBOX" / astring
 *
 * Modified UTF-7 is decoded. Throws SyntaxFault when the name is none.
 */
export function mailbox(s: CommandScanner): string {
  const at = s.position;
  return decoded(s, astring(s), at);
}

/**
 * list-mailbox = 1*list-char / string
 *
 * Decoded as `mailbox`; "%" and "*" stay wildcards.
 */
export function listMailbox(s: CommandScanner): string {
  const at = s.position;
  const next = s.peek();
  return decoded(s, next === 0x22 || next === 0x7b ? string(s) : s.some(listChar, "list-mailbox"), at);
}

function decoded(s: CommandScanner, octets: Buffer, at: number): string {
  const name = decodeMutf7(octets.toString("latin1"));
  if (name === undefined) s.fail("mailbox name is not modified UTF-7", at);
  return name;
}
