/** Actions that start a program: pipes, filters, captures, forwards. */
import { Octets } from "../message/octets.ts";
import { readExpansion } from "../recipe/expansion.ts";
import type { Recipe } from "../recipe/tree.ts";
import type { Asking } from "./effects.ts";
import { expandValue, type Words } from "./expand.ts";
import { toOutput, type Done } from "./folder.ts";
import { endedByEmptyLine } from "./mail.ts";
import { exitShown, type Ran, type RuleState } from "./state.ts";

/** Octets of output that a variable takes. */
const captureLimit = 1 << 20;

/** A recipe whose lock somebody keeps: what it says must not be done, and the mail waits. */
export const held = Symbol("held");

/** "filtered" and a captured text go on behind the recipe; undefined: it failed, and why has been said. */
export type PipeResult = Done | { readonly captured: string } | "filtered" | typeof held | undefined;

export function* toProgram(state: RuleState, recipe: Recipe, text: string, capture: string | undefined): Asking<PipeResult> {
  const { flags } = recipe;
  const input = inputFor(state, recipe);
  if (text.trim() === "" && capture === undefined) return yield* toOutput(state, "|", state.mail.chosen(flags), flags.has("r"));
  const filter = flags.has("f") && capture === undefined;
  const lock = yield* localLock(state, recipe, text);
  if (lock === held) return held;
  if (capture !== undefined) yield* state.tell(`Assigning "${capture}="`);
  const ran = yield* state.command(filter ? "filter" : capture === undefined ? "pipe" : "capture", text, input, filter || capture !== undefined || waits(recipe));
  const ok = !ran.tooLong && (yield* succeeded(state, recipe, ran));
  let result: PipeResult;
  if (filter) result = yield* filtered(state, recipe, ran, ok);
  else if (capture !== undefined) result = yield* captured(state, recipe, capture, ran, ok);
  else if (!ran.tooLong) {
    yield* state.set("LASTFOLDER", ran.shown);
    state.last = { ...state.last, folder: ran.shown, octets: input.length };
    result = ok ? { folder: ran.shown, octets: input.length } : undefined;
  }
  if (lock !== "") yield* state.unlock(lock);
  return result;
}

/** "!": SENDMAIL with its flags and the words. Its exit status always counts: a forward that failed is not a delivery. */
export function* toAddresses(state: RuleState, recipe: Recipe, addresses: Words): Asking<Done | typeof held | undefined> {
  if (addresses.words.length === 0) {
    yield* state.say("No recipients to forward to");
    return undefined;
  }
  const words = (name: string): string[] => (state.variables.get(name) ?? "").split(/[ \t\n]+/).filter((word) => word !== "");
  const program = [...words("SENDMAIL"), ...words("SENDMAILFLAGS")];
  const lock = yield* localLock(state, recipe, program[0] ?? "");
  if (lock === held) return held;
  const input = messageFor(state, recipe);
  const shown = [...program, addresses.shown].join(" ");
  const ran = yield* state.start("forward", [...program, ...addresses.words], { name: program[0] ?? "", shown }, input, true);
  const ok = ran.started && ran.status === 0 && !ran.inputLeft;
  if (!ok) yield* state.say(`Program failure (${exitShown(ran)}) of "${ran.name}"`);
  yield* state.set("LASTFOLDER", shown);
  if (lock !== "") yield* state.unlock(lock);
  return ok ? { folder: shown, octets: input.length } : undefined;
}

/** `From ` line and message, ended by an empty line unless flag r is set. */
function inputFor(state: RuleState, recipe: Recipe): Octets {
  return Octets.join(Buffer.from(state.mail.chosen(recipe.flags).fromLine, "latin1"), messageFor(state, recipe));
}

function messageFor({ mail }: RuleState, { flags }: Recipe): Octets {
  const { octets } = mail.chosen(flags);
  return flags.has("r") ? octets : endedByEmptyLine(octets);
}

/** Flags w and W, and a lock, which must not be let go before. */
const waits = ({ flags, lock }: Recipe): boolean => flags.has("w") || flags.has("W") || lock !== undefined;

/** Says what went wrong. A program that can not be started has failed, whatever the flags. */
function* succeeded(state: RuleState, recipe: Recipe, ran: Ran): Asking<boolean> {
  const { flags } = recipe;
  const left = ran.inputLeft && !flags.has("i");
  const failed = ran.status !== 0 && (waits(recipe) || !ran.started);
  if (left && ran.started) yield* state.say(`Error while writing to "${ran.name}"`);
  if (left && ran.started && flags.has("f")) return false;
  if (failed && (flags.has("w") || !ran.started)) yield* state.say(`Program failure (${exitShown(ran)}) of "${ran.name}"`);
  else if (failed) yield* state.tell(`Non-zero exitcode (${exitShown(ran)}) from "${ran.name}"`);
  return !left && !failed;
}

/** A filter that gave nothing, where a message has at least a header, has failed too. */
function* filtered(state: RuleState, { flags }: Recipe, ran: Ran, ok: boolean): Asking<"filtered" | undefined> {
  const bodyOnly = flags.has("b") && !flags.has("h");
  const lost = ok && ran.output.length === 0 && !bodyOnly && state.mail.octets.length > 0;
  if (lost) yield* state.say(`No output of "${ran.name}"`);
  if (ok && !lost) {
    state.mail = state.mail.filtered(flags, ran.output);
    return "filtered";
  }
  if (!ran.tooLong) yield* rescued(state, flags);
  return undefined;
}

/** Exactly one newline at the end is no part of the value. An old value is kept when it fails. */
function* captured(state: RuleState, { flags }: Recipe, name: string, ran: Ran, ok: boolean): Asking<PipeResult> {
  if (ok) return { captured: ran.output.subarray(0, captureLimit).toBuffer().toString("latin1").replace(/\n$/, "") };
  if (!ran.tooLong && state.variables.has(name)) yield* rescued(state, flags);
  return undefined;
}

/** Flag W keeps it out of the log. */
const rescued = (state: RuleState, flags: Recipe["flags"]): Asking<void> => (flags.has("W") ? state.tell(rescue) : state.say(rescue));

const rescue = "Rescue of unfiltered data succeeded";

/** Takes the recipe's lock: its name, or "" where there is none to let go. */
export function* localLock(state: RuleState, recipe: Recipe, text: string): Asking<string | typeof held> {
  const { lock } = recipe;
  if (lock === undefined) return "";
  let name: string | undefined;
  if (lock.name !== undefined) name = yield* expandValue(lock.name, state);
  else {
    const written = /.*?>>[ \t]*([^\t-\r `'"\\);&|<>#]+)/s.exec(text)?.[1];
    const file = written === undefined ? "" : yield* expandValue(readExpansion(written, 0, "quoted").parts, state);
    if (written === undefined) yield* state.say(`Couldn't determine implicit lockfile from "${state.needsShell(text) ? text : (text.trim().split(/\s+/, 1)[0] ?? "")}"`);
    name = file === undefined ? undefined : `${file}${state.variables.get("LOCKEXT") ?? ""}`;
  }
  if (name === undefined || name === "") return "";
  if (state.path(name) === state.globalLock.path) {
    yield* state.say(`Deadlock attempted on "${name}"`);
    return "";
  }
  const answer = yield* state.lock(name);
  return answer === "held" ? held : answer === "locked" ? name : "";
}
