/** What happens when the mail has found its place, or none: the log abstract, comsat, TRAP and EXITCODE. */
import { abstract } from "./abstract.ts";
import type { Asking } from "./effects.ts";
import { truth } from "./environment.ts";
import type { RuleState } from "./state.ts";
import type { Verdict } from "./verdict.ts";

/** sysexits.h */
const cannotCreate = 73;
const temporaryFailure = 75;

/** @param verdict undefined: of a copy that was delivered on the way, which comsat hears nothing of */
export function* logDelivery(state: RuleState, verdict: Verdict | undefined): Asking<void> {
  const failed = verdict?.kind === "undelivered" || verdict?.kind === "lost";
  const folder = failed ? fate(state, verdict) : state.last.folder;
  if (verdict?.kind === "delivered") yield* notify(state);
  if (state.abstracts !== "none" && state.logFile !== "") yield { kind: "log", file: state.logFile, text: abstract(state.mail, folder, failed ? 0 : state.last.octets) };
}

function fate(state: RuleState, verdict: Verdict): string {
  if (verdict.kind === "lost") return "**Lost**";
  return (verdict.exit ?? failure(state)) === temporaryFailure ? "**Requeued**" : "**Bounced**";
}

const failure = (state: RuleState): number => (state.setting.requeues === true ? temporaryFailure : cannotCreate);

/** COMSAT: yes, no, or [service]@[host]. */
function* notify(state: RuleState): Asking<void> {
  const wanted = state.variables.get("COMSAT") ?? (state.setting.comsat === true ? "yes" : "no");
  const at = wanted.indexOf("@");
  if (at < 0 && !truth(wanted, true)) return;
  const service = at < 0 || at === 0 ? "biff" : wanted.slice(0, at);
  const host = at < 0 || at === wanted.length - 1 ? "localhost" : wanted.slice(at + 1);
  const { folder, offset } = state.last;
  const first = folder.startsWith("|") || /[\t-\r ]/.test(folder) ? folder : state.path(folder);
  const text = `${state.setting.user}@${String(offset)}:${first}`;
  yield { kind: "comsat", service, host, text };
  yield* state.tell(`Notified comsat: "${text}"`);
}

function exitWanted(state: RuleState): number | undefined {
  const n = state.number("EXITCODE");
  return n > 0 ? n & 255 : undefined;
}

/** The exit status that the rc file wants, undefined for the usual one. */
export function* runTrap(state: RuleState, verdict: Verdict): Asking<number | undefined> {
  const trap = state.variables.get("TRAP") ?? "";
  const code = state.variables.get("EXITCODE");
  const wanted = exitWanted(state);
  if (trap === "") return wanted;
  if (code === undefined) yield* state.set("EXITCODE", verdict.kind === "undelivered" || verdict.kind === "lost" ? String(failure(state)) : "0");
  const answer = yield* state.command("trap", trap, state.mail.ended, true);
  return code === "" ? answer.status : wanted;
}
