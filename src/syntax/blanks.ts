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

/** Whether the white space in it is single spaces, with none at its ends. As nearly all texts are: to look takes less time than to begin a replacement. */
export function isOneSpaced(text: string): boolean {
  let before = 0x20;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code >= 0x09 && code <= 0x0d) || (code === 0x20 && before === 0x20)) return false;
    before = code;
  }
  return before !== 0x20;
}
