/**
 * unique-id of UIDL by pop3_uidl_format, in the language of Dovecot's setting of that name. RFC 1939 §7: 1 to 70 characters from
 * 0x21 to 0x7E, the same for a message in every session.
 *
 *   %u UID   %v UIDVALIDITY   %f, %g file name (store's lifelong name)   %% a percent sign
 *   between "%" and the letter: X hexadecimal, and a width; "08X" is eight digits with zeros in front
 */
import { createHash } from "node:crypto";

export interface UidlSource {
  readonly uid: number;
  readonly uidValidity: number;
  readonly guid: string;
}

const variable = /%(?:%|(0?)(\d{0,2})(X?)([uvfg]))/g;

/** What is wrong with a format, or undefined: something in it must differ from message to message. */
export function uidlFormatFault(format: string): string | undefined {
  const rest = format.replaceAll(variable, "");
  if (rest.includes("%")) return `"${rest.slice(rest.indexOf("%"), rest.indexOf("%") + 4)}" is not %u, %v, %f or %g`;
  if (!/%0?\d{0,2}X?[ufg]/.test(format.replaceAll("%%", ""))) return "needs %u, %f or %g: unique-ids would be equal";
  return undefined;
}

/** Values that would not fit RFC 1939 (a long file name, 8-bit octets) become a hash of themselves. */
export function uidl(format: string, of: UidlSource): string {
  const text = format.replaceAll(variable, (whole, zero: string, width: string, hex: string, letter: string) => {
    if (whole === "%%") return "%";
    const value = letter === "u" ? of.uid : letter === "v" ? of.uidValidity : of.guid;
    const shown = hex !== "" && typeof value === "number" ? value.toString(16) : String(value);
    return shown.padStart(Number(width), zero === "" ? " " : "0");
  });
  return /^[\x21-\x7e]{1,70}$/.test(text) ? text : createHash("sha1").update(text).digest("hex");
}
