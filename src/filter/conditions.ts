/** Do the conditions of a recipe match? */
import { parseExpanded } from "../recipe/condition.ts";
import { Regex } from "../recipe/regex/regex.ts";
import type { Condition, Recipe } from "../recipe/tree.ts";
import { decodedBody, decodedHeader } from "./decoded.ts";
import type { Asking, RunAnswer, RunEffect } from "./effects.ts";
import { expandValue, type Scope } from "./expand.ts";
import type { Extensions } from "./extensions.ts";
import { withEmptyLine, type Mail } from "./mail.ts";
import { clamp, isHighest, isLowest, regexScore, repeated, shown, sizeScore } from "./score.ts";
import type { Trace } from "./trace.ts";

export interface ConditionScope extends Scope {
  readonly mail: Mail;
  readonly variables: Map<string, string>;
  /** $= */
  score: string;
  readonly verbose: boolean;
  readonly trace: Trace | undefined;
  readonly extensions: Extensions;
  command(purpose: RunEffect["purpose"], text: string, input: readonly Buffer[]): Asking<RunAnswer>;
  say(text: string): Asking<void>;
}

/** Conditions made of the expansion of a condition made of an expansion ... */
const expansionLimit = 20;

/** All must match; with weights the sum must be above 0 too. Sets MATCH and $= on the way, also when a later condition fails. */
export function* conditionsMatch(recipe: Recipe, scope: ConditionScope): Asking<boolean> {
  let score = 0;
  let scored = false;
  let matched = true;
  for (const written of recipe.conditions) {
    let condition = written;
    for (let times = 0; condition.test.kind === "expanded" && times < expansionLimit; times++) {
      condition = parseExpanded(condition, yield* expandValue(condition.test.text, scope));
    }
    const { weight } = condition;
    if (weight === undefined) {
      const holds = yield* plain(condition, recipe, scope);
      scope.trace?.({ kind: "condition", condition, area: areaOf(condition, recipe, scope), exact: recipe.flags.has("D"), holds, weighted: undefined });
      if (holds) continue;
      matched = false;
      break;
    }
    scored = true;
    if (isHighest(score)) continue;
    const added = yield* weighted(condition, recipe, scope);
    score = clamp(score + added);
    scope.trace?.({ kind: "condition", condition, area: areaOf(condition, recipe, scope), exact: recipe.flags.has("D"), holds: added !== 0, weighted: { weight, added, score } });
    if (isLowest(score)) break;
  }
  scope.score = shown(score);
  if (scored && scope.verbose) yield* scope.say(`Score: ${shown(score)}`);
  matched &&= !scored || score > 0;
  scope.trace?.({ kind: "matched", recipe, matched, score: scored ? score : undefined });
  return matched;
}

function* plain(condition: Condition, recipe: Recipe, scope: ConditionScope): Asking<boolean> {
  const { test, negated } = condition;
  const area = areaOf(condition, recipe, scope);
  let found = false;
  switch (test.kind) {
    case "regex": {
      const regex = regexOf(test.pattern, recipe.flags.has("D"));
      if (regex.fault !== undefined) yield* scope.say(`Invalid regexp "${test.pattern}" (${regex.fault})`);
      found = searched(regex, area, scope);
      break;
    }
    case "program":
      found = (yield* scope.command("condition", test.command, [withEmptyLine(area)])).status === 0;
      break;
    case "size": {
      if (test.rest !== "") yield* scope.say(`Skipped "${test.rest}"`);
      const size = condition.area === undefined ? scope.mail.size : area.length;
      found = test.than === "<" ? size < test.octets : size > test.octets;
      break;
    }
    case "expanded":
      return false;
  }
  if (scope.verbose) yield* scope.say(`${found !== negated ? "Match" : "No match"} on ${negated ? "! " : ""}"${test.kind === "regex" ? test.pattern : condition.text.trim()}"`);
  return found !== negated;
}

function searched(regex: Regex, area: Buffer, scope: ConditionScope): boolean {
  if (!regex.test(area)) return false;
  if (regex.marks) {
    const match = regex.matched(area);
    if (match !== undefined) scope.variables.set("MATCH", match.toString("latin1"));
  }
  return true;
}

function* weighted(condition: Condition, recipe: Recipe, scope: ConditionScope): Asking<number> {
  const { test, negated, weight = { w: 0, x: 0 } } = condition;
  const area = areaOf(condition, recipe, scope);
  switch (test.kind) {
    case "regex": {
      const regex = regexOf(test.pattern, recipe.flags.has("D"));
      if (regex.fault !== undefined) yield* scope.say(`Invalid regexp "${test.pattern}" (${regex.fault})`);
      if (negated) return regex.test(area) ? 0 : weight.w;
      searched(regex, area, scope);
      return regexScore(regex, area, weight);
    }
    case "program": {
      const { status } = yield* scope.command("condition", test.command, [withEmptyLine(area)]);
      return negated ? repeated(weight, status) : status === 0 ? weight.w : weight.x;
    }
    case "size": {
      const size = condition.area === undefined ? scope.mail.size : area.length;
      return sizeScore(weight, negated ? (test.than === "<" ? ">" : "<") : test.than, size, test.octets);
    }
    case "expanded":
      return 0;
  }
}

/** What is searched: the header unless flags or "X ??" say otherwise. Only a regular expression ever sees it decoded. */
function areaOf({ area, test }: Condition, { flags }: Recipe, { mail, variables, extensions }: ConditionScope): Buffer {
  const decode = test.kind === "regex" ? extensions.decode : undefined;
  const header = (): Buffer => (decode?.header === true ? decodedHeader(mail) : mail.unfolded);
  const body = (): Buffer => (decode?.body === true ? decodedBody(mail) : mail.body);
  switch (area) {
    case undefined:
      return flags.has("B") ? (flags.has("H") ? Buffer.concat([header(), body()]) : body()) : header();
    case "H":
      return header();
    case "B":
      return body();
    case "HB":
    case "BH":
      return Buffer.concat([header(), body()]);
    default:
      return Buffer.from(variables.get(area) ?? "", "latin1");
  }
}

/** Automata are kept from one message to the next. */
const regexes = new Map<string, Regex>();
const regexLimit = 200;

function regexOf(pattern: string, exact: boolean): Regex {
  const key = `${exact ? "D" : "i"}${pattern}`;
  let regex = regexes.get(key);
  if (regex === undefined) {
    regex = new Regex(pattern, exact);
    const [oldest] = regexes.keys();
    if (regexes.size >= regexLimit && oldest !== undefined) regexes.delete(oldest);
  } else {
    regexes.delete(key);
  }
  regexes.set(key, regex);
  return regex;
}
