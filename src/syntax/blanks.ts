/**
 * White space of strings that hold one octet per character. `trim` and `\s` are of no use there: to them 0xA0 is a blank, which is the last
 * octet of "à" and others in UTF-8.
 */

const isBlank = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d);

/** Without blanks, tabs and line ends at its end. */
export function endTrimmed(text: string): string {
  let to = text.length;
  while (to > 0 && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(0, to);
}

/** The same, and at its start. */
export function trimmed(text: string): string {
  let from = 0;
  while (from < text.length && isBlank(text.charCodeAt(from))) from++;
  return endTrimmed(text.slice(from));
}
