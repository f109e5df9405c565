/** From a message as it came to the octets an mbox gets. Pure. */
import { crc32 } from "node:zlib";
import { fromLines, hasFromLine, quoted } from "../../message/from-lines.ts";
import { Octets } from "../../message/octets.ts";
import { lfOctets } from "../incoming.ts";
import type { NewMessage } from "../mailbox.ts";
import { formatFromLine } from "./from-line.ts";
import { formatMetadata, metadataFields, pseudoBase, type Base, type State } from "./metadata.ts";

const emptyLine = Buffer.from("\n\n");

/** Where the header ends: after its last line, before the empty line. LF line ends. */
export function headerEnd(octets: Octets): number {
  if (octets.at(0) === 0x0a) return 0;
  const at = octets.indexOf(emptyLine);
  return at < 0 ? octets.length : at + 1;
}

/** Envelope sender, Return-Path, or MAILER-DAEMON. */
function senderOf(message: NewMessage, header: string): string {
  if (message.sender !== undefined) return message.sender;
  return /^Return-Path:[ \t]*<([^>\r\n]*)>/im.exec(header)?.[1] ?? "";
}

export interface MboxText {
  /** Octets that the file gets, and what they are; a piece is good until the next. */
  readonly length: number;
  pieces(): Iterable<Buffer>;
  /** What is read back, with LF; undefined for what is not in memory. */
  readonly shown: (() => Buffer) | undefined;
  /** CRC-32 of the header that is read back. */
  readonly print: number;
  /** Of the `From ` line, ms since the epoch. */
  readonly date: number;
}

const newline = Buffer.from("\n");
const lengthOf = (pieces: readonly Buffer[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0);

/**
 * `From ` line, header without metadata of strangers, our metadata, body, an empty line. Lines of text that begin with "From " get a ">" before
 * them (mboxo), all of them and in headers too: who divides a file at every such line, as some programs do, then finds the same
 * messages as who looks for a date in it. There is no Content-Length to bring out of step.
 *
 * @param uid  0 when it is not known yet
 * @param base for the first message of a file
 */
export function mboxText(message: NewMessage, uid: number, state: State, base: Base | undefined, now: number): MboxText {
  const octets = lfOctets(message);
  const end = headerEnd(octets);
  const head = octets.subarray(0, end).toBuffer();
  const text = head.toString("latin1");
  const date = Math.floor((message.internalDate ?? now) / 1000) * 1000;
  const header: Buffer[] = [];
  // A header line that looks like a separator would be one, so it is quoted too.
  const add = (lines: Buffer): void => {
    const some = Octets.of(lines);
    if (hasFromLine(some)) header.push(...quoted(some, fromLines(some)));
    else header.push(lines);
  };
  let from = 0;
  for (const field of metadataFields(text)) {
    add(head.subarray(from, field.start));
    from = field.end;
  }
  add(head.subarray(from));
  if (end > 0 && head.at(-1) !== 0x0a) header.push(newline);
  const rest = octets.subarray(Math.min(end + 1, octets.length));
  const ending = rest.length > 0 && rest.at(rest.length - 1) !== 0x0a ? [newline] : [];
  const front = [Buffer.from(formatFromLine(senderOf(message, text), date), "latin1"), ...header, Buffer.from(formatMetadata({ uid, state, base }), "latin1"), newline];
  const quotes = fromLines(rest).reduce((count) => count + 1, 0);
  const body = (): Iterable<Buffer> => (quotes === 0 ? rest.pieces() : quoted(rest, fromLines(rest)));
  return {
    length: lengthOf(front) + rest.length + quotes + ending.length + 1,
    pieces: function* () {
      yield* front;
      yield* body();
      yield* ending;
      yield newline;
    },
    shown: octets.memory === undefined ? undefined : () => Buffer.concat([...header, newline, ...body(), ...ending]),
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
