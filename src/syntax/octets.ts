/**
 * Character classes as tables over all 256 octets: `digit[octet] === 1`. The base rules are those of RFC 5234 §B.1;
 * grammars build theirs from them with `octetClass`, `union` and `without`.
 */

/** 256 entries, 1 for a member and 0 otherwise. Never written after it was made. */
export type OctetClass = Uint8Array;

/** A class from single characters (each of a string, all below U+0100) and inclusive ranges [from, to]. */
export function octetClass(...members: readonly (string | readonly [from: number, to: number])[]): OctetClass {
  const table = new Uint8Array(256);
  for (const m of members) {
    if (typeof m === "string") for (const octet of Buffer.from(m, "latin1")) table[octet] = 1;
    else table.fill(1, m[0], m[1] + 1);
  }
  return table;
}

export const union = (...classes: readonly OctetClass[]): OctetClass => Uint8Array.from({ length: 256 }, (_, o) => (classes.some((c) => c[o] === 1) ? 1 : 0));

export const without = (from: OctetClass, ...gone: readonly OctetClass[]): OctetClass =>
  Uint8Array.from({ length: 256 }, (_, o) => (from[o] === 1 && !gone.some((c) => c[o] === 1) ? 1 : 0));

/** ALPHA = %x41-5A / %x61-7A */
export const alpha = octetClass([0x41, 0x5a], [0x61, 0x7a]);
/** DIGIT = %x30-39 */
export const digit = octetClass([0x30, 0x39]);
/** HEXDIG, in both cases: RFC 5234 strings have no case. */
export const hexdig = octetClass([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
/** CTL = %x00-1F / %x7F */
export const ctl = octetClass([0x00, 0x1f], [0x7f, 0x7f]);
/** CHAR = %x01-7F */
export const char = octetClass([0x01, 0x7f]);
/** VCHAR = %x21-7E */
export const vchar = octetClass([0x21, 0x7e]);
/** WSP = SP / HTAB */
export const wsp = octetClass(" \t");
/** Octets above US-ASCII. */
export const eightBit = octetClass([0x80, 0xff]);

/** ftext = %d33-57 / %d59-126: field names. RFC 5322 §3.6.8 */
export const ftext = octetClass([33, 57], [59, 126]);
/** atext. RFC 5322 §3.2.3 */
export const atext = union(alpha, digit, octetClass("!#$%&'*+-/=?^_`{|}~"));
/** token characters: CHAR except SPACE, CTLs and tspecials. RFC 2045 §5.1 */
export const tokenChar = without(vchar, octetClass("()<>@,;:\\\"/[]?="));
/** attribute-char: token characters except "*", "'", "%". RFC 2231 §7 */
export const attributeChar = without(tokenChar, octetClass("*'%"));
