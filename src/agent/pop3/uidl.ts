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

/** Values that would not fit RFC 1939 (a long file name, 8-bit octets) become a hash of themselves. */
export function uidl(format: string, of: UidlSource): string {
  return fit(
    format.replaceAll(uidlVariable, (whole, zero: string, offset: string | undefined, width: string, modifiers: string, letter: UidlLetter) => {
      if (whole === "%%") return "%";
      const text = [...modifiers].reduce(modified, valueOf(letter, of)).slice(Number(offset ?? 0));
      if (width === "") return text;
      return zero === "" ? text.slice(0, Number(width)) : text.padStart(Number(width), "0");
    }),
  );
}

function valueOf(letter: UidlLetter, of: UidlSource): string {
  switch (letter) {
    case "u":
      return String(of.uid);
    case "v":
      return String(of.uidValidity);
    case "f":
      return of.file ?? of.guid;
    case "g":
      return of.guid;
    case "m":
      return of.headerDigest;
  }
}

function modified(text: string, modifier: string): string {
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
