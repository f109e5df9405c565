/** Variables whose assignment does something at once: procmailrc(5), "Environment". */
import { asked, type Asking } from "./effects.ts";
import { truth } from "./environment.ts";
import type { RuleState } from "./state.ts";

/** What an assignment means for the rc file under way. */
export type Turn =
  | { readonly kind: "mismatch" }
  | { readonly kind: "include"; readonly name: string }
  /** undefined: the file ends here. */
  | { readonly kind: "switch"; readonly name: string | undefined }
  | undefined;

/** The variable has its value already. undefined: it was unset. */
export function* special(state: RuleState, name: string, value: string | undefined): Asking<Turn> {
  switch (name) {
    case "MAILDIR":
      return void (yield* changeDirectory(state, value ?? ""));
    case "LOGFILE":
      if (value !== undefined && value !== "") yield* state.tell(`Opening "${value}"`);
      state.logFile = value === undefined || value === "" ? "" : state.path(value);
      return undefined;
    case "LOG":
      if (value !== undefined) yield { kind: "log", file: state.logFile, text: value };
      return undefined;
    case "VERBOSE":
      state.verbose = truth(value, state.verbose);
      return undefined;
    case "LOGABSTRACT":
      state.abstracts = abstracts(value, state.abstracts);
      return undefined;
    case "COMSAT":
      if (value !== undefined && !value.includes("@") && !truth(value, true)) yield* state.set("COMSAT", "no");
      return undefined;
    case "DELIVERED":
      if (value !== undefined && state.number("DELIVERED") !== 0) state.pretends = true;
      return undefined;
    case "LOCKFILE":
      return void (yield* lockGlobally(state, value ?? ""));
    case "SHIFT":
      if (value !== undefined) state.arguments = state.arguments.slice(Math.max(state.number("SHIFT"), 0));
      return undefined;
    case "HOST":
      if (value === state.setting.host) return undefined;
      yield* state.tell(`HOST mismatched "${state.setting.host}"`);
      return { kind: "mismatch" };
    case "INCLUDERC":
      return value === undefined || value === "" ? undefined : { kind: "include", name: value };
    case "SWITCHRC":
      return { kind: "switch", name: value === "" ? undefined : value };
    case "DROPPRIVS":
      if (!truth(value, false)) return undefined;
      yield* state.tell("Assuming identity of the recipient, VERBOSE=off");
      state.verbose = false;
      yield { kind: "drop-privileges" };
      return undefined;
    default:
      return undefined;
  }
}

/** A number or a word of truth; "all" is 2. Anything else changes nothing. */
function abstracts(value: string | undefined, before: RuleState["abstracts"]): RuleState["abstracts"] {
  if (value === undefined) return before;
  if (/^\s*a/i.test(value) || Number.parseInt(value, 10) > 1) return "all";
  return truth(value, before !== "none") ? (truth(value, false) ? "last" : before) : "none";
}

function* changeDirectory(state: RuleState, to: string): Asking<void> {
  const directory = state.path(to);
  if (to !== "" && (yield* asked({ kind: "directory", path: directory }))) {
    state.directory = directory;
    return;
  }
  yield* state.say(`Couldn't chdir to "${to}"`);
  yield* state.set("MAILDIR", ".");
}

function* lockGlobally(state: RuleState, name: string): Asking<void> {
  yield* unlockGlobally(state);
  if (name !== "" && (yield* state.lock(name)) === "locked") state.globalLock = { name, path: state.path(name) };
}

export function* unlockGlobally(state: RuleState): Asking<void> {
  const { name, path } = state.globalLock;
  if (path === "") return;
  state.globalLock = { name: "", path: "" };
  yield* state.unlock(name, path);
}
