/**
 * i;unicode-casemap, RFC 5051: the order of SORT and THREAD (RFC 5256 §7, RFC 5255 §4.2 I18NLEVEL=1). Two texts compare as the octets of
 * their UTF-8 behind `casemap` do. Pure.
 */

const ascii = /^[\x00-\x7f]*$/;

/** Letters whose one-character title case is not what JavaScript makes of them in upper case, and some beside them. */
const letters = String.raw`\u00df\u0149\u01c4-\u01cc\u01f0-\u01f3\u0390\u03b0\u0587\u10d0-\u10ff\u1e96-\u1e9a\u1f50-\u1fff\ufb00-\ufb17`;
const exceptions = new RegExp(`[${letters}]`);
const pieces = new RegExp(`[${letters}]|[^${letters}]+`, "g");

/** "titlecased canonicalized" text, RFC 5051 §2 (2): each character in its simple title case, then fully decomposed. Never throws. */
export function casemap(text: string): string {
  if (ascii.test(text)) return text.toUpperCase();
  const titled = exceptions.test(text) ? text.replaceAll(pieces, (piece) => (exceptions.test(piece) ? titlecase(piece) : piece.toUpperCase())) : text.toUpperCase();
  return normalized(titled, "NFKD");
}

/** More marks on one letter than any language has. */
const manyMarks = /\p{M}{33}/u;
const fewMarks = /\P{M}*\p{M}{1,32}|\P{M}+/gu;

/**
 * The normalization form of a text. Marks on one letter are put in order, which costs the square of their number: they are taken 32 at a time
 * (Unicode Standard Annex #15 §13 has 30), so that a message that is nothing but marks costs no more than another.
 */
export function normalized(text: string, form: "NFC" | "NFKD"): string {
  if (!manyMarks.test(text)) return text.normalize(form);
  return (text.match(fewMarks) ?? []).map((piece) => piece.normalize(form)).join("");
}

/** The title case of one exception: itself where the full upper case is several characters ("ß" stays). */
function titlecase(c: string): string {
  const point = c.charCodeAt(0);
  // DŽ Dž dž, LJ Lj lj, NJ Nj nj, and DZ Dz dz: the middle one.
  if (point >= 0x1c4 && point <= 0x1cc) return String.fromCharCode(point - ((point - 0x1c4) % 3) + 1);
  if (point >= 0x1f1 && point <= 0x1f3) return "\u01f2";
  // Georgian letters have capitals, which are no title case.
  if (point >= 0x10d0 && point <= 0x10ff) return c;
  // Greek letters with an iota below.
  if (point >= 0x1f80 && point <= 0x1faf) return String.fromCharCode(point | 8);
  if (point === 0x1fb3 || point === 0x1fc3 || point === 0x1ff3) return String.fromCharCode(point + 9);
  const upper = c.toUpperCase();
  return upper.length === 1 ? upper : c;
}
