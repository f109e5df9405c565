/** Mailbox names and patterns, as clients have them (namespace.ts). RFC 3501 §5.1.3 and §9. */
import { decodeMutf7 } from "../syntax/mutf7.ts";
import { listChar } from "./octets.ts";
import { astring, string, type CommandScanner } from "./strings.ts";

/**
 * mailbox = "INBOX" / astring
 *
 * Modified UTF-7 is decoded. What is none is `noName`: the syntax of the command is right, so that it is refused rather than not understood.
 */
export const mailbox = (s: CommandScanner): string => decoded(astring(s));

/**
 * list-mailbox = 1*list-char / string
 *
 * Decoded as `mailbox`; "%" and "*" stay wildcards.
 */
export function listMailbox(s: CommandScanner): string {
  const next = s.peek();
  return decoded(next === 0x22 || next === 0x7b ? string(s) : s.some(listChar, "list-mailbox"));
}

/** Stands for what is no modified UTF-7; no mailbox has it, and it is in no other name (RFC 3501 §9 CHAR). */
export const noName = "\0";

const decoded = (octets: Buffer): string => decodeMutf7(octets.toString("latin1")) ?? noName;
