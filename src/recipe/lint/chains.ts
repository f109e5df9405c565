/** Recipes that can never be tried, or never be reached. procmailrc(5), flags A a E e. Pure. */
import type { Recipe } from "../tree.ts";
import { finding, type Finding } from "./rules.ts";
import { after, recipeBefore, type Place } from "./walk.ts";

export function chainFindings(place: Place<Recipe>): Finding[] {
  const { statement: recipe, inside } = place;
  const { flags, line } = recipe;
  const found: Finding[] = [];
  const conflict = flags.has("e") ? [...flags].find((f) => f === "E" || f === "a") : undefined;
  if (conflict !== undefined) found.push(finding("conflicting-flags", line, `e together with ${conflict}: the ${conflict} is suppressed`));
  const previous = recipeBefore(place);
  const next = after(place);
  // A block begins with what was so before it, so its first recipe has one before it too.
  const chained = [...flags].filter((f) => "AaEe".includes(f));
  const first = chained[0];
  if (previous === undefined && inside.length === 0) {
    if (first !== undefined && first !== "E") found.push(finding("never-matches", line, `${first} looks at the recipe before, and there is none: this one is never tried`));
    if (first === "E") found.push(finding("no-recipe-before", line, "E looks at the recipe before, and there is none: E means nothing here"));
  }
  if (previous !== undefined && flags.has("E") && always(previous)) found.push(finding("never-matches", line, "E: the recipe before has no conditions and always matches, so this one is never tried"));
  if (previous !== undefined && flags.has("e") && !flags.has("E") && previous.action.kind === "block") found.push(finding("never-matches", line, "e: a block never fails, so this one is never tried"));
  if (next !== undefined && endsAll(recipe) && !(next.kind === "recipe" && next.flags.has("e"))) found.push(finding("unreachable", next.line, `reached only when the delivery in line ${String(line)} fails, as that has no conditions`));
  return found;
}

/** Matches every mail that comes to it. */
const always = ({ conditions, flags }: Recipe): boolean => conditions.length === 0 && !["A", "a", "E", "e"].some((f) => flags.has(f as "A"));

/** With w or W a program may well say no. */
function endsAll(recipe: Recipe): boolean {
  const { action, flags } = recipe;
  if (!always(recipe) || flags.has("c")) return false;
  if (action.kind === "pipe") return action.capture === undefined && !flags.has("f") && !flags.has("w") && !flags.has("W") && recipe.lock === undefined;
  return action.kind === "folder" || action.kind === "forward";
}
