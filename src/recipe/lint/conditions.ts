/** Lines behind "*". Pure. */
import { parseCondition } from "../condition.ts";
import type { Condition, Recipe } from "../tree.ts";
import { patternFindings } from "./patterns.ts";
import { finding, type Finding } from "./rules.ts";

export const conditionFindings = (recipe: Recipe): Finding[] => recipe.conditions.flatMap(ofCondition);

/** What stands behind weight, "!" and "VAR ??". */
const body = (text: string): string => {
  let rest = text.trim().replace(/^[-+.\d]+\^[-+.\d]+[ \t]*/, "");
  for (let before = ""; before !== rest; ) {
    before = rest;
    rest = rest.replace(/^(?:!|[A-Za-z_]\w*[ \t]*\?\?)[ \t]*/, "");
  }
  return rest;
};

function ofCondition(condition: Condition): Finding[] {
  const { text, line, test } = condition;
  const found: Finding[] = [];
  const written = body(text);
  // Behind a weight it is the idiom for a constant.
  if (written === "") return condition.weight !== undefined ? [] : [finding("empty-condition", line, "an empty condition always matches")];
  const comment = /[ \t]#+([ \t].*|$)/.exec(written);
  if (comment !== null && test.kind !== "program") found.push(finding("comment-on-condition", line, `"${comment[0].trim()}" is no comment here: it is part of the condition`));
  if (test.kind === "size" && !/\d/.test(written)) return [...found, finding("size-without-number", line, `what begins with "${test.than}" is a size, here of 0 octets, and no pattern`)];
  if (test.kind === "size" && test.rest !== "") found.push(finding("size-unit", line, `"${test.rest}" is passed over (Skipped "${test.rest}"): the size is ${String(test.octets)} octets`));
  if (test.kind === "expanded") {
    // Variables stand for something that can not go wrong here.
    const constant = test.text.map((part) => (part.kind === "text" ? part.text : "x")).join("");
    const expanded = parseCondition(constant, line, condition);
    return [...found, ...(expanded.test.kind === "regex" ? patternFindings(expanded.test.pattern, condition) : [])];
  }
  if (test.kind !== "regex") return found;
  if (/^"[^"]*"$|^'[^']*'$/.test(written)) found.push(finding("quoted-condition", line, "the quotes are searched for too"));
  const variable = /(?:^|[^\\])(\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_]\w*\}|\\[A-Za-z_]\w*))/.exec(written)?.[1];
  if (variable !== undefined && isName(variable)) found.push(finding("variable-in-condition", line, `"${variable}" is not expanded: "$" is a line end, and "${variable.slice(1)}" is searched for behind it`));
  // "\<" in front of a ">" is meant as it is: the beginning of a tag.
  if (/^\\[/.*+?()[\]|^$\\]|^\\<(?!.*[^\\]>)/.test(written)) found.push(finding("leading-backslash", line, `the backslash at the beginning is taken away: "${written.slice(0, 2)}" is "${written.slice(1, 2)}"`));
  return [...found, ...patternFindings(test.pattern, condition)];
}

/** Names are written in capitals; "$foo" may well be a line end and the beginning of the next line. */
const isName = (variable: string): boolean => /^\$[{\\]|^\$[A-Z_][A-Z0-9_]*$/.test(variable);
