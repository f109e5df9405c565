/**
 * What the full-text index knows of a message: the same strings that SEARCH (RFC 3501 §6.4.4) compares with, from the same functions of
 * message/text.ts, so that what the index rules out is never what reading the message would find.
 */
import { createHash } from "node:crypto";
import { mimeLimits, scanMime } from "../../message/mime.ts";
import { innerHeaders, isSearched, leaves, searchable, searchableLine, searchablePart } from "../../message/text.ts";

/** Header fields of the message and of its parts, name and value; and the text of its text parts. */
export interface IndexedText {
  readonly header: string;
  readonly body: string;
}

/** UTF-16 units of one message that are indexed. A message with more of them is not, and stays a candidate of every search. */
export const textLimit = 4 << 20;
/** Octets of a header or a part behind which there may be as much text; more are not even decoded. */
const octetLimit = 4 * textLimit;

/**
 * The texts of a message, or undefined when there is more than `textLimit` of it, or half of a surrogate pair in it, which UTF-8 does not have.
 *
 * @param octets  as SEARCH reads them: with CRLF, without NUL
 */
export function indexedText(octets: Buffer): IndexedText | undefined {
  const message = scanMime(octets, 0, octets.length, { ...mimeLimits, lines: "none" });
  const header: string[] = [];
  const body: string[] = [];
  let room = textLimit;
  const add = (to: string[], text: string): void => {
    room -= text.length;
    if (room >= 0) to.push(text);
  };
  for (const one of [message.header, ...innerHeaders(message)]) {
    if (room < 0 || one.bodyStart - one.start > octetLimit) return undefined;
    for (const field of one.fields) add(header, searchableLine(one, field));
  }
  for (const leaf of leaves(message)) {
    if (room < 0 || (isSearched(leaf) && leaf.bodyEnd - leaf.bodyStart > octetLimit)) return undefined;
    const text = searchablePart(octets, leaf);
    if (text !== undefined) add(body, text);
  }
  if (room < 0) return undefined;
  const texts = { header: header.join("\n"), body: body.join("\n") };
  return texts.header.isWellFormed() && texts.body.isWellFormed() ? texts : undefined;
}

/** Characters that have cases, compositions or compatible forms, and a message with some of everything. */
const sampleText = Array.from({ length: 0x3000 }, (_, point) => String.fromCharCode(point)).join("") + "\uac01\ufb03\uff21\u{1d400}\u{10428}\u{1e943}";
const sampleMessage = Buffer.from(
  "From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.org>\r\nSubject: one\r\n\ttwo\r\nnonsense\r\nX-Octets: \xe4\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
    "--b\r\nContent-Type: text/html; charset=iso-8859-5\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=E4=\r\nx</b>\r\n" +
    "--b\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n/v8A5A==\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nStatus:\r\n\t2.0.0\r\n--b\r\nContent-Transfer-Encoding: x-none\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject:inner\r\n\r\nGr\xfc\xdfe\r\n--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n",
  "latin1",
);

let made: string | undefined;

/** Says what text is made of messages here: another Unicode, or another way to read a message, gives another version, and the index must be made anew. Takes some ms once. */
export const textVersion = (): string => (made ??= versionOfSample());

const versionOfSample = (): string => createHash("sha256").update(searchable(sampleText)).update(JSON.stringify(indexedText(sampleMessage))).digest("hex").slice(0, 16);
