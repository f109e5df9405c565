/** Do the conditions of a recipe match? */
import { parseExpanded, withLimit } from "../recipe/condition.ts";
import { expandMacros } from "../recipe/regex/macros.ts";
import { regexOf } from "../recipe/regex/cache.ts";
import type { Regex } from "../recipe/regex/regex.ts";
import { Octets } from "../message/octets.ts";
import type { Condition, Recipe, Weight } from "../recipe/tree.ts";
import { decodedBody, decodedHeader } from "./decoded.ts";
import type { Asking, RunEffect } from "./effects.ts";
import { expandValue, type Scope } from "./expand.ts";
import type { Extensions } from "./extensions.ts";
import { endedByEmptyLine, type Mail } from "./mail.ts";
import { clamp, isHighest, isLowest, regexScore, repeated, shown, sizeScore } from "./score.ts";
import { exitShown, leastLine, type Ran } from "./state.ts";
import type { Trace } from "./trace.ts";

export interface ConditionScope extends Scope {
  readonly mail: Mail;
  readonly variables: ReadonlyMap<string, string>;
  put(name: string, value: string): void;
  /** $= */
  score: string;
  readonly trace: Trace | undefined;
  /** VERBOSE: whoever tells nothing otherwise need not put it into words. */
  readonly verbose: boolean;
  readonly extensions: Extensions;
  command(purpose: RunEffect["purpose"], text: string, input: Octets, waits: boolean): Asking<Ran>;
  say(text: string): Asking<void>;
  /** Under VERBOSE only. */
  tell(text: string): Asking<void>;
  /** Says that a line was longer than LINEBUF. */
  overflow(): Asking<void>;
}

/** Conditions made of the expansion of a condition made of an expansion ... */
const expansionLimit = 20;

/** All must match; with weights the sum must be above 0 too. Sets MATCH and $= on the way, also when a later condition fails. */
export function* conditionsMatch(recipe: Recipe, scope: ConditionScope): Asking<boolean> {
  let score = 0;
  let scored = false;
  let matched = true;
  const exact = recipe.flags.has("D");
  for (const written of recipe.conditions) {
    const condition = isReady(written) ? written : yield* ready(written, scope);
    const weight = condition?.weight;
    if (condition === undefined || weight === undefined) {
      const holds = condition !== undefined && (yield* plain(condition, recipe, scope));
      if (condition !== undefined) scope.trace?.({ kind: "condition", condition, area: areaOf(condition, recipe, scope), exact, holds, weighted: undefined });
      if (holds) continue;
      matched = false;
      break;
    }
    scored = true;
    if (isHighest(score)) continue;
    const { adds, text } = yield* weighted(condition, weight, score, recipe, scope);
    const added = clamp(score + adds) - score;
    score += added;
    if (scope.verbose) yield* scope.tell(`Score: ${column(added)} ${score > 0 && score < 1 ? "     +0" : column(score)} ${quoted(condition, text)}`);
    scope.trace?.({ kind: "condition", condition, area: areaOf(condition, recipe, scope), exact, holds: added !== 0, weighted: { weight, added, score } });
    if (isLowest(score)) break;
  }
  scope.score = shown(score);
  matched &&= !scored || score > 0;
  scope.trace?.({ kind: "matched", recipe, matched, score: scored ? score : undefined });
  return matched;
}

/** Most are as they stand, and fit into any LINEBUF. */
const isReady = ({ test, text }: Condition): boolean => test.kind !== "expanded" && test.kind !== "limit" && text.length <= leastLine;

/** As it is to be looked at: a "$" condition expanded. undefined: longer than LINEBUF, which fails. */
function* ready(written: Condition, scope: ConditionScope): Asking<Condition | undefined> {
  let condition = written;
  let fits = written.text.length <= scope.lineBuffer;
  for (let times = 0; fits && times < expansionLimit; times++) {
    const { test }: Condition = condition;
    if (test.kind !== "expanded" && test.kind !== "limit") break;
    const text = yield* expandValue(test.text, scope);
    if (text === undefined) fits = false;
    else if (test.kind === "limit") condition = withLimit(condition, test.than, text);
    else condition = parseExpanded(condition, text.replace(/\n[ \t]+/g, "\n"));
  }
  if (fits) return condition;
  yield* scope.overflow();
  return undefined;
}

/** As logs show it. */
function quoted(condition: Condition, text = condition.shown): string {
  return `${condition.negated ? "! " : ""}"${condition.test.kind === "regex" ? expandMacros(text).pattern : text}"`;
}

const column = (score: number): string => String(Math.trunc(score)).padStart(7);

function* plain(condition: Condition, recipe: Recipe, scope: ConditionScope): Asking<boolean> {
  const { test, negated } = condition;
  const area = areaOf(condition, recipe, scope);
  let found = false;
  let text = condition.shown;
  switch (test.kind) {
    case "regex": {
      const regex = regexOf(test.pattern, recipe.flags.has("D"));
      if (regex.fault !== undefined) yield* invalid(test.pattern, scope);
      found = regex.test(area);
      if (found && regex.marks) yield* putMatchOf(regex, area, scope);
      break;
    }
    case "program": {
      const ran = yield* program(test.command, area, scope);
      found = ran.status === 0 && ran.started;
      text = ran.shown;
      break;
    }
    case "size": {
      if (test.rest !== "") yield* scope.say(`Skipped "${test.rest}"`);
      const size = condition.area === undefined ? scope.mail.size : area.length;
      found = test.than === "<" ? size < test.octets : size > test.octets;
      break;
    }
    case "expanded":
    case "limit":
      return false;
  }
  if (scope.verbose) yield* scope.tell(`${found !== negated ? "Match" : "No match"} on ${quoted(condition, text)}`);
  return found !== negated;
}

function* program(command: string, area: Octets, scope: ConditionScope): Asking<Ran> {
  const ran = yield* scope.command("condition", command, endedByEmptyLine(area), true);
  if (ran.tooLong) yield* scope.overflow();
  else if (ran.status !== 0) yield* scope.tell(`Non-zero exitcode (${exitShown(ran)}) from "${ran.name}"`);
  return ran;
}

function* invalid(pattern: string, scope: ConditionScope): Asking<void> {
  yield* scope.say(`Invalid regexp "${expandMacros(pattern).pattern}"`);
}

function* putMatchOf(regex: Regex, area: Octets, scope: ConditionScope): Asking<void> {
  const match = regex.matched(area);
  if (match !== undefined) yield* putMatch(match, scope);
}

function* putMatch(match: Buffer, scope: ConditionScope): Asking<void> {
  const text = match.toString("latin1");
  yield* scope.tell('Assigning "MATCH="');
  yield* scope.tell(`Matched "${text}"`);
  scope.put("MATCH", text);
}

function* scored(regex: Regex, area: Octets, weight: Weight, before: number, scope: ConditionScope): Asking<number> {
  const score = regexScore(regex, area, weight, before);
  for (;;) {
    const { done, value } = score.next();
    if (done === true) return value;
    yield* putMatch(value, scope);
  }
}

function* weighted(condition: Condition, weight: Weight, before: number, recipe: Recipe, scope: ConditionScope): Asking<{ readonly adds: number; readonly text: string }> {
  const { test, negated, shown: text } = condition;
  const area = areaOf(condition, recipe, scope);
  switch (test.kind) {
    case "regex": {
      const regex = regexOf(test.pattern, recipe.flags.has("D"));
      if (regex.fault !== undefined) yield* invalid(test.pattern, scope);
      if (negated) {
        const found = regex.test(area);
        if (found && regex.marks) yield* putMatchOf(regex, area, scope);
        return { adds: found ? 0 : weight.w, text };
      }
      return { adds: yield* scored(regex, area, weight, before, scope), text };
    }
    case "program": {
      const { status, shown: words } = yield* program(test.command, area, scope);
      return { adds: negated ? repeated(weight, status, before) : status === 0 ? weight.w : weight.x, text: words };
    }
    case "size": {
      if (test.rest !== "") yield* scope.say(`Skipped "${test.rest}"`);
      const size = condition.area === undefined ? scope.mail.size : area.length;
      return { adds: sizeScore(weight, negated ? (test.than === "<" ? ">" : "<") : test.than, size, test.octets), text };
    }
    case "expanded":
    case "limit":
      return { adds: 0, text };
  }
}

/** What is searched: the header unless flags or "X ??" say otherwise. Only a regular expression ever sees it decoded. */
function areaOf({ area, test }: Condition, { flags }: Recipe, { mail, variables, extensions }: ConditionScope): Octets {
  const decode = test.kind === "regex" ? extensions.decode : undefined;
  const header = (): Octets => (decode?.header === true ? Octets.of(decodedHeader(mail)) : mail.areas.header);
  const body = (): Octets => (decode?.body === true ? decodedBody(mail) : mail.body);
  const both = (): Octets => (decode?.header === true || decode?.body === true ? Octets.join(header(), body()) : mail.areas.both);
  switch (area) {
    case undefined:
      return flags.has("B") ? (flags.has("H") ? both() : body()) : header();
    case "H":
      return header();
    case "B":
      return body();
    case "HB":
    case "BH":
      return both();
    default:
      return Octets.of(Buffer.from(variables.get(area) ?? "", "latin1"));
  }
}
