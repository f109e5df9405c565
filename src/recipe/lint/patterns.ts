/** Regular expressions that mean something else than they look like. procmailrc(5), "Extended regular expressions". Pure. */
import { Regex } from "../regex/regex.ts";
import type { Condition } from "../tree.ts";
import { finding, type Finding } from "./rules.ts";

/** A pattern cut into what is outside of sets, with escapes kept together, and the sets. */
interface Piece {
  readonly kind: "text" | "set" | "escape";
  readonly text: string;
}

function* pieces(pattern: string): Generator<Piece> {
  let at = 0;
  while (at < pattern.length) {
    const c = pattern[at];
    let end = at + 1;
    if (c === "\\") {
      end = at + 2;
      yield { kind: "escape", text: pattern.slice(at, end) };
    } else if (c === "[") {
      if (pattern[end] === "^") end++;
      if (pattern[end] === "]") end++;
      const close = pattern.indexOf("]", end);
      end = close < 0 ? pattern.length : close + 1;
      yield { kind: "set", text: pattern.slice(at, end) };
    } else {
      while (end < pattern.length && pattern[end] !== "\\" && pattern[end] !== "[") end++;
      yield { kind: "text", text: pattern.slice(at, end) };
    }
    at = end;
  }
}

const perlEscapes: Readonly<Record<string, string>> = { d: "a digit", w: "a letter", s: "white space", b: "a word's edge", D: "no digit", W: "no letter", S: "no white space", n: "a line end", t: "a tab" };

export function patternFindings(pattern: string, condition: Condition): Finding[] {
  const { line, negated } = condition;
  const found: Finding[] = [];
  const say = (rule: Finding["rule"], text: string): void => void found.push(finding(rule, line, text));
  const list = [...pieces(pattern)];
  const outside = list.map((p) => (p.kind === "text" ? p.text : p.kind === "set" ? "[]" : "\\.")).join("");
  const sets = list.filter((p) => p.kind === "set").map((p) => p.text);

  if (/\$\^(?!\^)/.test(outside)) say("newline-pair", `"$^" needs two line ends, one after the other: an empty line between`);
  if (/\.\*\\\/(?:\.|\[\^)/.test(pattern)) say("star-before-mark", `what is left of \\/ is as short as it can be: ".*" takes nothing that the right side can take, and MATCH begins there`);
  if (negated && list.some((p) => p.text === "\\/")) say("mark-in-negation", "a condition with ! never sets MATCH");
  const bound = /[^({|]\{\d+(?:,\d*)?\}/.exec(outside);
  if (bound !== null) say("bound-is-literal", `"${bound[0].slice(1)}" is no repetition: the braces are searched for as they stand`);
  const named = sets.find((s) => /^\[\^?.*\[:[a-z]+:\]$/.test(s)) ?? (/\[\[:[a-z]+:\]/.exec(pattern)?.[0]);
  if (named !== undefined) say("class-is-literal", `"${named}]" is no class: it is a set of these characters, and a "]" behind it`);
  for (const p of list) {
    const meant = p.kind === "escape" ? perlEscapes[p.text[1] ?? ""] : undefined;
    if (meant !== undefined) say("escape-is-literal", `"${p.text}" is the letter "${p.text[1] ?? ""}", not ${meant}`);
  }
  if (sets.some((s) => !s.endsWith("]") || s === "[]" || s === "[^]")) say("unclosed-set", "a set that is never closed goes on to the end of the pattern");
  else {
    const { fault } = new Regex(pattern);
    if (fault !== undefined) say("invalid-pattern", `Invalid regexp (${fault}): what it then matches is not what stands there`);
  }
  if (sets.some((s) => /[\xc2-\xf4][\x80-\xbf]/.test(s))) say("octets-in-set", "a character that is not ASCII is several octets, and a set takes one of them: it matches halves of other characters too");
  if (/(?:^|[^\\])\^TO(?!_)/.test(pattern)) say("to-without-underscore", `"^TO" also matches in the middle of an address: "^TOuser" finds new.user@example.com; "^TO_user" does not`);
  return found;
}
