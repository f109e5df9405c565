/** POP3 command lines. RFC 1939 §3: a keyword in any case, and arguments that one space separates. Pure. */

/** Longest command line, octets without CRLF. RFC 2449 §4 has clients keep within 255 with it; some are long-winded. */
export const lineLimit = 510;

export interface CommandLine {
  /** Upper case; "" when the line has none. */
  readonly keyword: string;
  /** Everything behind the first space, as it stands: a password may begin or end with spaces. Undefined without a space. */
  readonly argument: Buffer | undefined;
}

/** Never throws: what is no command has a keyword that no table knows. */
export function commandLine(line: Buffer): CommandLine {
  const space = line.indexOf(0x20);
  const keyword = space < 0 ? line : line.subarray(0, space);
  return { keyword: keyword.toString("latin1").toUpperCase(), argument: space < 0 ? undefined : line.subarray(space + 1) };
}

/** Arguments that are words, separated by one or more spaces; none when there is no argument. */
export function words(argument: Buffer | undefined): readonly string[] {
  return argument === undefined ? [] : argument.toString("latin1").split(" ").filter((w) => w !== "");
}

/** A message-number or a count of lines: digits only, at most 4,294,967,295. Undefined for anything else. */
export function number(word: string | undefined): number | undefined {
  if (word === undefined || !/^\d{1,10}$/.test(word)) return undefined;
  const value = Number(word);
  return value <= 0xffffffff ? value : undefined;
}
