/** Flags and keywords. RFC 3501 §2.3.2 and §9. */
import type { Scanner } from "../syntax/scanner.ts";
import { atom, parenthesised } from "./strings.ts";

const system: ReadonlyMap<string, string> = new Map(["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"].map((f) => [f.toLowerCase(), f]));

/**
 * flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
 *
 * System flags get their one spelling. \Recent and flag-extensions are SyntaxFaults: none can be stored.
 */
export function flag(s: Scanner): string {
  const at = s.position;
  if (!s.take("\\")) return atom(s);
  const name = `\\${atom(s)}`;
  const known = system.get(name.toLowerCase());
  if (known === undefined) s.fail(`${name} can not be set`, at);
  return known;
}

/** flag-list = "(" [flag *(SP flag)] ")" */
export const flagList = (s: Scanner): readonly string[] => parenthesised(s, () => flag(s), true);
