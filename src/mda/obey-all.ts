/** One message for one person, as procmail goes about it: assignments, /etc/procmailrc, rc files, DEFAULT. Files are asked for through `open`. */
import type { Asking } from "../filter/effects.ts";
import { expandValue } from "../filter/expand.ts";
import { obeyGlobal } from "../filter/global.ts";
import type { RuleRun, Verdict } from "../filter/run.ts";
import { readExpansion } from "../recipe/expansion.ts";
import type { RcFile } from "./rc-file.ts";

/** From the command line; the value is expanded as in an rc file. */
export interface Assignment {
  readonly name: string;
  readonly value: string;
}

export interface Plan {
  readonly assignments: readonly Assignment[];
  /** The administrator's rc file, which comes first; "" for none. */
  readonly global: string;
  /** The first that is there counts; the next only when HOST in it does not match. */
  readonly rcs: readonly RcName[];
  readonly home: string;
  /** -m: whoever it belongs to. */
  readonly anybodys: boolean;
}

export interface RcName {
  /** As messages and $_ have it. */
  readonly name: string;
  readonly path: string;
  /** Value of MAILDIR when it is obeyed. */
  readonly directory: string;
  /** It may well not be there. */
  readonly optional: boolean;
}

export type OpenRc = (path: string, whose: "root" | "user" | "anybody") => RcFile;

export function* obeyAll(run: RuleRun, plan: Plan, open: OpenRc): Asking<Verdict> {
  const { state } = run;
  for (const { name, value } of plan.assignments) yield* run.assign(name, (yield* expandValue(readExpansion(value, 0, "line").parts, state)) ?? "");
  if (plan.global !== "") {
    const verdict = yield* globally(run, plan, open);
    if (verdict !== undefined) return yield* run.finish(verdict);
  }
  let told = false;
  let discarded: Verdict | undefined;
  for (const rc of plan.rcs) {
    const found = rc.path === "/dev/null" ? { kind: "rc" as const, path: rc.path, rc: { statements: [], faults: [] } } : open(rc.path, plan.anybodys ? "anybody" : "user");
    if (found.kind === "suspicious" && !plan.anybodys) yield* state.say(`Suspicious rcfile "${rc.name}"`);
    if (found.kind !== "rc") {
      if (found.kind !== "none" || (!rc.optional && !told)) yield* state.say(`Couldn't read "${rc.name}"`);
      told = true;
      discarded = undefined;
      continue;
    }
    if (!state.variables.has("MAILDIR")) yield* startAt(run, rc, plan.home);
    yield* state.tell(`Rcfile: "${rc.name}"`);
    const verdict = yield* run.rules(found.rc, rc.name);
    if (verdict?.kind !== "discarded") return yield* run.finish(verdict);
    discarded = verdict;
  }
  return yield* run.finish(discarded);
}

function* globally(run: RuleRun, plan: Plan, open: OpenRc): Asking<Verdict | undefined> {
  const found = open(plan.global, "root");
  if (found.kind === "rc") return yield* obeyGlobal(run, found.rc, plan.global);
  if (found.kind !== "none") yield* run.state.say(`Couldn't read "${plan.global}"`);
  return undefined;
}

function* startAt(run: RuleRun, rc: RcName, home: string): Asking<void> {
  const { state } = run;
  state.variables.set("MAILDIR", rc.directory);
  if (rc.directory !== ".") run.startIn(home);
  yield* state.tell(`Assigning "MAILDIR=${rc.directory}"`);
}
