/** One condition: what stands behind "*". Pure. */
import { readExpansion } from "./expansion.ts";
import type { Condition, Test, Weight } from "./tree.ts";

interface Begun {
  readonly weight: Weight | undefined;
  readonly negated: boolean;
  readonly area: string | undefined;
}

const nothing: Begun = { weight: undefined, negated: false, area: undefined };

const number = "[-+]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][-+]?\\d+)?";
const weighted = new RegExp(`^(${number})[ \\t]*\\^[ \\t]*(${number})`);
const variable = /^([A-Za-z_][A-Za-z0-9_]*)[ \t]*\?\?/;

/**
 * Prefixes in any order: weight, "!", "VAR ??", of which the last of a kind counts, "$"; then "?", "<", ">", or a regular expression, from
 * which one leading backslash is taken. Continuation lines are joined without their indentation.
 *
 * @param begun what was read in front of a "$" whose expansion this text is. Never throws.
 */
export function parseCondition(text: string, line: number, begun: Begun = nothing): Condition {
  let { weight, negated, area } = begun;
  let rest = trimStart(begun === nothing ? blanksOff(joined(text)) : text);
  const made = (test: Test): Condition => ({ line, text, weight, negated, area, shown: rest, test });
  for (;;) {
    const named = variable.exec(rest);
    const w = weighted.exec(rest);
    if (w !== null) {
      weight = { w: limited(Number(w[1])), x: limited(Number(w[2])) };
      rest = trimStart(rest.slice(w[0].length));
    } else if (rest.startsWith("!")) {
      negated = !negated;
      rest = trimStart(rest.slice(1));
    } else if (named?.[1] !== undefined) {
      area = named[1];
      rest = trimStart(rest.slice(named[0].length));
    } else {
      break;
    }
  }
  if (rest.startsWith("$")) return made({ kind: "expanded", text: readExpansion(trimStart(rest.slice(1)), 0, "quoted").parts });
  if (rest.startsWith("?")) {
    rest = rest.slice(1);
    return made({ kind: "program", command: rest });
  }
  if (rest.startsWith("<") || rest.startsWith(">")) {
    const than = rest.startsWith("<") ? "<" : ">";
    const { parts } = readExpansion(rest, 1, "line");
    if (!parts.every((part) => part.kind === "text")) return made({ kind: "limit", than, text: parts });
    const limit = parts.map((part) => part.text).join("");
    rest = `${than}${limit}`;
    return made(sizeTest(than, limit));
  }
  return made({ kind: "regex", pattern: unquoted(rest) });
}

/** The condition that one with a size to expand has become. */
export const withLimit = (condition: Condition, than: "<" | ">", limit: string): Condition => ({ ...condition, shown: `${than}${limit}`, test: sizeTest(than, limit) });

function sizeTest(than: "<" | ">", limit: string): Test {
  const [, octets, rest = ""] = /^[ \t]*([-+]?\d*)[ \t]*(.*)$/s.exec(limit) ?? [];
  return { kind: "size", than, octets: Number(octets), rest };
}

/** The condition that a "$" condition has become. */
export const parseExpanded = (condition: Condition, expanded: string): Condition => parseCondition(expanded, condition.line, condition);

const trimStart = (text: string): string => text.replace(/^[ \t]+/, "");

/** Without blanks and tabs at its end. */
function blanksOff(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(0, end);
}

/** Lines that go on are one, without the indentation; a line of nothing than a backslash is an empty line. */
const joined = (text: string): string => (text.includes("\n") ? text.replace(/(^|\n)[ \t]*\\\n[ \t]*/g, "$1\n").replace(/\\\n[ \t]*/g, "") : text);

/** Without a leading backslash. It also keeps a macro behind it from being replaced (regex/macros.ts). */
function unquoted(pattern: string): string {
  if (!pattern.startsWith("\\")) return pattern;
  return /^\\\^(TO|FROM_)/.test(pattern) ? `(^)${pattern.slice(2)}` : pattern.slice(1);
}

/** procmailsc(5): weights lie between these. */
const limited = (n: number): number => Math.min(Math.max(n, -2147483647), 2147483647);
