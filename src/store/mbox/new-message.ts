/** From a message as it came to the octets an mbox gets. Pure. */
import { crc32 } from "node:zlib";
import { toLf } from "../../message/line-ends.ts";
import type { NewMessage } from "../mailbox.ts";
import { formatFromLine } from "./from-line.ts";
import { formatMetadata, metadataFields, pseudoBase, type Base, type State } from "./metadata.ts";

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

export interface MboxText {
  /** What the file gets. */
  readonly octets: Buffer;
  /** What is read back, with LF. */
  readonly shown: () => Buffer;
  /** CRC-32 of the header that is read back. */
  readonly print: number;
  /** Of the `From ` line, ms since the epoch. */
  readonly date: number;
}

/**
 * `From ` line, header without metadata of strangers, our metadata, body, an empty line. Lines of text that begin with "From " get a ">" before
 * them (mboxo), all of them and in headers too: who divides a file at every such line, as some programs do, then finds the same
 * messages as who looks for a date in it. There is no Content-Length to bring out of step.
 *
 * @param uid  0 when it is not known yet
 * @param base for the first message of a file
 */
export function mboxText(message: NewMessage, uid: number, state: State, base: Base | undefined, now: number): MboxText {
  const octets = toLf(message.octets);
  const end = headerEnd(octets);
  const text = octets.toString("latin1", 0, end);
  const date = Math.floor((message.internalDate ?? now) / 1000) * 1000;
  const header: Buffer[] = [];
  let from = 0;
  for (const field of metadataFields(text)) {
    header.push(...quoted(octets.subarray(from, field.start)));
    from = field.end;
  }
  // A header line that looks like a separator would be one, so it is quoted too.
  header.push(...quoted(octets.subarray(from, end)));
  if (end > 0 && octets[end - 1] !== 0x0a) header.push(Buffer.from("\n"));
  const rest = octets.subarray(Math.min(end + 1, octets.length));
  const body = [Buffer.from("\n"), ...quoted(rest), ...(rest.length > 0 && rest.at(-1) !== 0x0a ? [Buffer.from("\n")] : [])];
  return {
    octets: Buffer.concat([Buffer.from(formatFromLine(senderOf(message, text), date), "latin1"), ...header, Buffer.from(formatMetadata({ uid, state, base }), "latin1"), ...body, Buffer.from("\n")]),
    shown: () => Buffer.concat([...header, ...body]),
    print: header.reduce((sum, piece) => crc32(piece, sum), 0),
    date,
  };
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
      `${pseudoBase(base) ?? ""}Status: RO\n\n` +
      "This message holds what mail programs need to know of this mailbox.\nIt is not mail, is not shown by them, and should be left where it is.\n\n",
    "latin1",
  );
}
