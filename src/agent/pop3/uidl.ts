/**
 * unique-id of UIDL by pop3_uidl_format, in the language of Dovecot's setting of that name, so that a client that came from another server
 * downloads nothing again. RFC 1939 §7: 1 to 70 characters from 0x21 to 0x7E, the same for a message in every session.
 *
 *   %u UID   %v UIDVALIDITY   %f file name (Maildir)   %g the message's id   %m MD5 of its header   %% a percent sign
 *   between "%" and the letter: 08 at least eight characters, zeros in front; 8 at most eight; 3.8 the same from the fourth on; then
 *   X hexadecimal, M MD5 of the value, L lower case, U upper case, R backwards
 *
 * UW ipop3d has %08Xv%08Xu, Cyrus %v.%u or %u, tpop3d %Mf; those of Courier are taken over from its files (store/maildir/adopt.ts).
 */
import { createHash } from "node:crypto";
import { uidlVariable, usesLetter, type UidlLetter } from "../../config/uidl-format.ts";

export interface UidlSource {
  readonly uid: number;
  readonly uidValidity: number;
  /** Lifelong name: the Maildir file, or its id where it was given one. */
  readonly guid: string;
  /** Base name of the Maildir file; elsewhere undefined, and `guid` stands for it. */
  readonly file: string | undefined;
  /** MD5 of the header as Dovecot makes it, hexadecimal; only where `needsHeader`. */
  readonly headerDigest: string;
}

/** Does making unique-ids need the header of each message? In an mbox the id of a message is the MD5 of its header too. */
export const needsHeader = (format: string, isMaildir: boolean): boolean => usesLetter(format, "m") || (!isMaildir && usesLetter(format, "g"));

/**
 * Makes unique-ids by a format, which is read once for all of them. Values that would not fit RFC 1939 (a long file name, 8-bit octets) become a
 * hash of themselves.
 */
export function uidlBy(format: string): (of: UidlSource) => string {
  const pieces: (string | ((of: UidlSource) => string))[] = [];
  let end = 0;
  for (const { 0: whole, 1: zero, 2: offset, 3: width = "", 4: modifiers = "", 5: letter, index } of format.matchAll(uidlVariable)) {
    if (index > end) pieces.push(format.slice(end, index));
    pieces.push(whole === "%%" ? "%" : variable(letter as UidlLetter, [...modifiers], Number(offset ?? 0), width === "" ? undefined : Number(width), zero === "0"));
    end = index + whole.length;
  }
  if (end < format.length) pieces.push(format.slice(end));
  return (of) => {
    let text = "";
    for (const piece of pieces) text += typeof piece === "string" ? piece : piece(of);
    return fit(text);
  };
}

function variable(letter: UidlLetter, modifiers: readonly string[], offset: number, width: number | undefined, filled: boolean): (of: UidlSource) => string {
  return (of) => {
    let value = valueOf(letter, of);
    for (const modifier of modifiers) value = modified(value, modifier);
    const text = String(value).slice(offset);
    if (width === undefined) return text;
    return filled ? text.padStart(width, "0") : text.slice(0, width);
  };
}

function valueOf(letter: UidlLetter, of: UidlSource): string | number {
  switch (letter) {
    case "u":
      return of.uid;
    case "v":
      return of.uidValidity;
    case "f":
      return of.file ?? of.guid;
    case "g":
      return of.guid;
    case "m":
      return of.headerDigest;
  }
}

function modified(value: string | number, modifier: string): string {
  if (modifier === "X" && typeof value === "number") return value.toString(16);
  const text = String(value);
  switch (modifier) {
    case "X":
      return /^\d+$/.test(text) ? BigInt(text).toString(16) : text;
    case "M":
      return md5(text);
    case "L":
      return text.toLowerCase();
    case "U":
      return text.toUpperCase();
    default:
      return [...text].reverse().join("");
  }
}

const md5 = (text: string): string => createHash("md5").update(text, "latin1").digest("hex");

/** As it is where RFC 1939 §7 allows it, else a hash of it. */
export const fit = (text: string): string => (/^[\x21-\x7e]{1,70}$/.test(text) ? text : createHash("sha1").update(text).digest("hex"));
