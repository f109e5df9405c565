/** `# posthorn: vacation = FILE`: answers the mail under way, if it is one to be answered, once in a period. posthorn-rc(5). */
import { Octets } from "../message/octets.ts";
import { asked, readFile, type Asking } from "./effects.ts";
import type { RuleState } from "./state.ts";
import { fromField, vacationAnswer } from "./vacation.ts";

/** Who was answered, in $HOME. */
const record = ".posthorn-vacation";
const day = 86_400;

/** @returns what was done, or why nothing; never makes the rules fail */
export function* vacate(state: RuleState, file: string): Asking<string> {
  if (file === "") return "off";
  const { extensions, variables, setting } = state;
  const message = yield* readFile(state.path(file));
  if (message === undefined) return yield* said(state, `cannot read "${file}"`);
  if (extensions.from !== "" && fromField(extensions.from) === undefined) return yield* said(state, `vacation_from: "${extensions.from}" is no address`);
  const answer = vacationAnswer(state.mail, { message, own: ownAddresses(state), from: utf8(extensions.from), subject: utf8(extensions.subject) });
  if (answer.kind === "silent") return yield* quiet(state, `no answer: ${answer.why}`);
  const path = `${variables.get("HOME") ?? setting.home}/${record}`;
  if (!(yield* asked({ kind: "once", path, key: answer.key, seconds: extensions.days * day }))) return yield* quiet(state, `no answer: ${answer.to} has had one`);
  const words = (name: string): string[] => (variables.get(name) ?? "").split(/[ \t\n]+/).filter((word) => word !== "");
  const program = [...words("SENDMAIL"), ...words("SENDMAILFLAGS")];
  const status = state.status;
  // The null sender: a bounce of the answer goes nowhere. RFC 3834 §3.3.
  const ran = yield* state.start("reply", [...program, "-f", "<>", "--", answer.to], { name: program[0] ?? "", shown: [...program, answer.to].join(" ") }, Octets.of(answer.octets), true);
  state.status = status;
  if (ran.started && ran.status === 0 && !ran.inputLeft) {
    yield* said(state, `answered ${answer.to}`);
    return `an answer to ${answer.to}`;
  }
  yield { kind: "forget", path, key: answer.key };
  return yield* said(state, `"${program[0] ?? ""}" could not send the answer to ${answer.to} (status ${String(ran.status)})`);
}

/** What she is known by here, and what she says is hers. */
function ownAddresses({ variables, extensions, setting }: RuleState): string[] {
  const given = [variables.get("RECIPIENT"), variables.get("ORIGINAL_RECIPIENT"), `${setting.user}@${setting.host}`];
  return [...given.flatMap((one) => (one === undefined || !one.includes("@") ? [] : [one.toLowerCase()])), ...extensions.addresses];
}

function* said(state: RuleState, text: string): Asking<string> {
  yield* state.say(`vacation: ${text}`);
  return text;
}

function* quiet(state: RuleState, text: string): Asking<string> {
  yield* state.tell(`vacation: ${text}`);
  return text;
}

/** Variables hold octets as latin1. */
const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");
