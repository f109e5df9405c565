/** Strings, atoms and numbers of RFC 3501 §9, and the scanner that knows where literals are. */
import { Scanner } from "../syntax/scanner.ts";
import type { CommandFrame } from "./framer.ts";
import { astringChar, atomChar, quotedCharIn, tagChar } from "./octets.ts";

/** A scanner over a framed command: the text with literal headers in it, and the literals in order. */
export class CommandScanner extends Scanner {
  readonly #literals: readonly Buffer[];
  #taken = 0;

  constructor(frame: Pick<CommandFrame, "text" | "literals">) {
    super(frame.text);
    this.#literals = frame.literals;
  }

  /** The literal whose header was just taken. */
  nextLiteral(): Buffer {
    const octets = this.#literals[this.#taken++];
    if (octets === undefined) this.fail("literal expected");
    return octets;
  }
}

/** SP */
export const sp = (s: Scanner): void => s.expect(0x20);

/** tag = 1*<any ASTRING-CHAR except "+">. At most 200 octets here, as it is repeated. */
export function tag(s: Scanner): string {
  const found = s.some(tagChar, "tag");
  if (found.length > 200) s.fail("tag too long", 0);
  return found.toString("latin1");
}

/** atom = 1*ATOM-CHAR */
export const atom = (s: Scanner): string => s.some(atomChar, "atom").toString("latin1");

/** nz-number = digit-nz *DIGIT; leading zeros are taken too. */
export function nzNumber(s: Scanner): number {
  const at = s.position;
  const n = s.number();
  if (n === 0) s.fail("number may not be 0", at);
  return n;
}

/** quoted = DQUOTE *QUOTED-CHAR DQUOTE. Takes 8-bit octets as well, never NUL, CR or LF. */
export function quoted(s: Scanner): Buffer {
  s.expect(0x22);
  const first = s.run(quotedCharIn);
  if (s.take(0x22)) return first;
  const parts = [first];
  while (!s.take(0x22)) {
    if (!s.take(0x5c)) s.fail("quoted string does not end");
    if (s.peek() !== 0x22 && s.peek() !== 0x5c) s.fail("only \\ and \" can be escaped");
    parts.push(s.bytes(1), s.run(quotedCharIn));
  }
  return Buffer.concat(parts);
}

/** literal = "{" number ["+"] "}" CRLF *CHAR8. RFC 3501 §9, RFC 7888 §8. May hold NUL; `string` refuses it. */
export function literal(s: CommandScanner): Buffer {
  s.expect("{");
  s.number(Number.MAX_SAFE_INTEGER);
  s.take("+");
  s.expect("}\r\n");
  return s.nextLiteral();
}

/** string = quoted / literal */
export function string(s: CommandScanner): Buffer {
  if (s.peek() === 0x22) return quoted(s);
  if (s.peek() !== 0x7b) s.fail("string expected");
  const at = s.position;
  const octets = literal(s);
  if (octets.includes(0)) s.fail("NUL in a literal", at);
  return octets;
}

/** nstring = string / nil */
export const nstring = (s: CommandScanner): Buffer | undefined => (s.takeNoCase("NIL") ? undefined : string(s));

/** astring = 1*ASTRING-CHAR / string */
export function astring(s: CommandScanner): Buffer {
  const next = s.peek();
  return next === 0x22 || next === 0x7b ? string(s) : s.some(astringChar, "astring");
}

/** "(" item *(SP item) ")", or "()" when `empty` allows. */
export function parenthesised<T>(s: Scanner, item: () => T, empty: boolean): T[] {
  s.expect("(");
  const items: T[] = [];
  if (empty && s.take(")")) return items;
  do items.push(item());
  while (s.take(" "));
  s.expect(")");
  return items;
}
