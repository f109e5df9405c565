/** What FETCH can be asked for. RFC 3501 §6.4.5 and §9. */
import { printSection, section, type Section } from "./section.ts";
import { nzNumber, parenthesised, type CommandScanner } from "./strings.ts";

export type FetchAtt =
  | { readonly item: "ENVELOPE" | "FLAGS" | "INTERNALDATE" | "RFC822" | "RFC822.HEADER" | "RFC822.SIZE" | "RFC822.TEXT" | "BODY" | "BODYSTRUCTURE" | "UID" }
  | { readonly item: "BODY[]"; readonly peek: boolean; readonly section: Section; readonly partial: Partial | undefined };

/** Octets `from` and on, at most `count`. */
interface Partial {
  readonly from: number;
  readonly count: number;
}

/** Items asked for in one FETCH. */
const itemLimit = 1000;

/** Longest first, so that none hides another. */
const plain = ["RFC822.HEADER", "RFC822.SIZE", "RFC822.TEXT", "RFC822", "BODYSTRUCTURE", "INTERNALDATE", "ENVELOPE", "FLAGS", "UID"] as const;

const macros = {
  ALL: ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"],
  FAST: ["FLAGS", "INTERNALDATE", "RFC822.SIZE"],
  FULL: ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"],
} as const;

/** "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")". Macros come back as what they stand for. */
export function fetchAtts(s: CommandScanner): readonly FetchAtt[] {
  for (const [name, items] of Object.entries(macros)) {
    if (s.takeNoCase(name)) return items.map((item) => ({ item }));
  }
  if (s.peek() !== 0x28) return [fetchAtt(s)];
  const atts = parenthesised(s, () => fetchAtt(s), false);
  if (atts.length > itemLimit) s.fail("too many items");
  return atts;
}

/**
 * fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] / "BODY" ["STRUCTURE"] /
 *             "UID" / "BODY" section ["<" number "." nz-number ">"] / "BODY.PEEK" section ["<" number "." nz-number ">"]
 */
export function fetchAtt(s: CommandScanner): FetchAtt {
  for (const item of plain) if (s.takeNoCase(item)) return { item };
  if (!s.takeNoCase("BODY")) s.fail("no such item");
  const peek = s.takeNoCase(".PEEK");
  if (!peek && s.peek() !== 0x5b) return { item: "BODY" };
  const sec = section(s);
  if (!s.take("<")) return { item: "BODY[]", peek, section: sec, partial: undefined };
  const from = s.number();
  s.expect(".");
  const count = nzNumber(s);
  s.expect(">");
  return { item: "BODY[]", peek, section: sec, partial: { from, count } };
}

/** The inverse of `fetchAtt`. Octets as latin1. */
export function printFetchAtt(att: FetchAtt): string {
  if (att.item !== "BODY[]") return att.item;
  const partial = att.partial === undefined ? "" : `<${att.partial.from}.${att.partial.count}>`;
  return `BODY${att.peek ? ".PEEK" : ""}${printSection(att.section)}${partial}`;
}

/** True when fetching it sets \Seen (RFC 3501 §6.4.5). */
export const setsSeen = (att: FetchAtt): boolean => att.item === "RFC822" || att.item === "RFC822.TEXT" || (att.item === "BODY[]" && !att.peek);
