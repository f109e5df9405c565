/**
 * i;unicode-casemap, RFC 5051: the order of SORT and THREAD (RFC 5256 §7, RFC 5255 §4.2 I18NLEVEL=1). Two texts compare as the octets of
 * their UTF-8 behind `casemap` do. Pure.
 */

const ascii = /^[\x00-\x7f]*$/;

/** "titlecased canonicalized" text, RFC 5051 §2 (2): each character in its simple title case, then fully decomposed. Never throws. */
export function casemap(text: string): string {
  if (ascii.test(text)) return text.toUpperCase();
  let out = "";
  for (const c of text) out += titlecase(c);
  return out.normalize("NFKD");
}

/**
 * The one-character title case of Unicode, which JavaScript does not have: its upper case but for letters whose title case is another, and for
 * those where the full upper case is several characters ("ß" stays).
 */
function titlecase(c: string): string {
  const point = c.codePointAt(0) ?? 0;
  if (point < 0x80) return c.toUpperCase();
  // DŽ Dž dž, LJ Lj lj, NJ Nj nj, and DZ Dz dz: the middle one.
  if (point >= 0x1c4 && point <= 0x1cc) return String.fromCharCode(point - ((point - 0x1c4) % 3) + 1);
  if (point >= 0x1f1 && point <= 0x1f3) return "\u01f2";
  // Georgian letters have capitals, which are no title case.
  if (point >= 0x10d0 && point <= 0x10ff) return c;
  // Greek letters with an iota below.
  if (point >= 0x1f80 && point <= 0x1faf) return String.fromCharCode(point | 8);
  if (point === 0x1fb3 || point === 0x1fc3 || point === 0x1ff3) return String.fromCharCode(point + 9);
  const upper = c.toUpperCase();
  return upper.length === 1 || (upper.length === 2 && upper.codePointAt(1) !== undefined && (upper.codePointAt(0) ?? 0) > 0xffff) ? upper : c;
}
