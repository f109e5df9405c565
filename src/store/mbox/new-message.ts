/** From a message as it came to the octets an mbox gets. Pure. */
import { toLf } from "../../message/line-ends.ts";
import type { NewMessage } from "../mailbox.ts";
import { formatFromLine } from "./from-line.ts";
import { formatBase, formatMetadata, metadataFields, type Base, type State } from "./metadata.ts";

/** Where the header ends: after its last line, before the empty line. LF line ends. */
export function headerEnd(octets: Buffer): number {
  if (octets[0] === 0x0a) return 0;
  const at = octets.indexOf("\n\n", 0, "latin1");
  return at < 0 ? octets.length : at + 1;
}

/** Envelope sender, Return-Path, or MAILER-DAEMON. */
function senderOf(message: NewMessage, header: string): string {
  if (message.sender !== undefined) return message.sender;
  return /^Return-Path:[ \t]*<([^>\r\n]*)>/im.exec(header)?.[1] ?? "";
}

/** A line of the body that begins with "From " gets a ">" before it, as Postfix and procmail do; readers show it so. */
function quoted(body: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  const mark = Buffer.from(">");
  for (let at = body.indexOf("From ", 0, "latin1"); at >= 0; at = body.indexOf("From ", at + 5, "latin1")) {
    if (at > 0 && body[at - 1] !== 0x0a) continue;
    parts.push(body.subarray(from, at), mark);
    from = at;
  }
  parts.push(body.subarray(from));
  return parts;
}

/**
 * `From ` line, header without metadata of strangers, our metadata, body with `From ` quoted, an empty line.
 *
 * @param uid  0 when it is not known yet
 * @param base for the first message of a file
 */
export function mboxText(message: NewMessage, uid: number, state: State, base: Base | undefined, now: number): Buffer {
  const octets = toLf(message.octets);
  const end = headerEnd(octets);
  const header = octets.toString("latin1", 0, end);
  const parts: Buffer[] = [Buffer.from(formatFromLine(senderOf(message, header), message.internalDate ?? now), "latin1")];
  let from = 0;
  for (const field of metadataFields(header)) {
    parts.push(...quoted(octets.subarray(from, field.start)));
    from = field.end;
  }
  // A header line that looks like a separator would be one, so it is quoted too.
  parts.push(...quoted(octets.subarray(from, end)));
  if (end > 0 && octets[end - 1] !== 0x0a) parts.push(Buffer.from("\n"));
  parts.push(Buffer.from(`${base === undefined ? "" : formatBase("X-IMAPbase", base)}${formatMetadata(uid, state)}\n`, "latin1"));
  const body = octets.subarray(Math.min(end + 1, octets.length));
  parts.push(...quoted(body));
  parts.push(Buffer.from(body.length > 0 && body.at(-1) !== 0x0a ? "\n\n" : "\n"));
  return Buffer.concat(parts);
}

/**
 * The message that is none: it keeps UIDVALIDITY, the last UID and the keywords of a mailbox without messages, in the form UW-IMAP
 * gave it and Dovecot knows.
 */
export function pseudoMessage(base: Base, host: string, now: number): Buffer {
  const date = new Date(now).toUTCString().replace("GMT", "+0000");
  return Buffer.from(
    `${formatFromLine("MAILER-DAEMON", now)}Date: ${date}\nFrom: Mail System Internal Data <MAILER-DAEMON@${host}>\n` +
      `Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nMessage-ID: <${Math.floor(now / 1000)}@${host}>\n` +
      `${formatBase("X-IMAP", base)}Status: RO\n\n` +
      "This message holds what mail programs need to know of this mailbox.\nIt is not mail, is not shown by them, and should be left where it is.\n\n",
    "latin1",
  );
}
