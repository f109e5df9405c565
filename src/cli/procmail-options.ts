/** The command line of procmail(1). Pure. */
import type { Assignment } from "../mda/obey-all.ts";

export interface ProcmailOptions {
  /** What is done. A recipient with -d; an rc file and its arguments with -m. */
  readonly mode:
    | { readonly kind: "version" }
    | { readonly kind: "help" }
    | { readonly kind: "lmtp" }
    | { readonly kind: "deliver"; readonly recipients: readonly string[] }
    | { readonly kind: "filter"; readonly assignments: readonly Assignment[]; readonly rc: string | undefined; readonly arguments: readonly string[] }
    | { readonly kind: "own"; readonly assignments: readonly Assignment[]; readonly rcs: readonly string[] };
  /** -a: $1, $2 and so on. */
  readonly arguments: readonly string[];
  /** -f, -r: "-" is the sender there is, with a new time. */
  readonly sender: string | undefined;
  /** -o */
  readonly override: boolean;
  /** -p */
  readonly preserve: boolean;
  /** -t */
  readonly soft: boolean;
  /** -Y: Content-Length is not looked at. */
  readonly berkeley: boolean;
  /** What is wrong with it, for standard error; procmail goes on. */
  readonly complaints: readonly string[];
}

export const usage = `Usage: procmail [-vptoY] [-f fromwhom] [parameter=value | rcfile] ...
   Or: procmail [-toY] [-f fromwhom] [-a argument] ... -d recipient ...
   Or: procmail [-ptY] [-f fromwhom] -m [parameter=value] ... rcfile [arg] ...
   Or: procmail [-toY] [-a argument] ... -z
`;

/** Options end at the first word without "-", at "-" and "--", and behind -d. Never throws. */
export function procmailOptions(words: readonly string[]): ProcmailOptions {
  const given = new Set<string>();
  const argumentsGiven: string[] = [];
  const complaints: string[] = [];
  let sender: string | undefined;
  let unknown = "";
  let recipients: string[] | undefined;
  let at = 0;
  options: for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-")) break;
    if (word === "-" || word === "--") {
      at++;
      break;
    }
    for (let i = 1; i < word.length; i++) {
      const letter = word.charAt(i);
      const rest = word.slice(i + 1);
      if (letter === "d") {
        recipients = [...(rest === "" ? [] : [rest]), ...words.slice(at + 1)];
        at = words.length;
        break options;
      }
      if (letter === "f" || letter === "r" || letter === "a") {
        const value = rest === "" ? words[++at] : rest;
        if (value === undefined) complaints.push(letter === "a" ? "procmail: Missing argument\n" : "procmail: Missing name\n");
        else if (letter === "a") argumentsGiven.push(value);
        else sender = value;
        continue options;
      }
      if (!"vhzmptoYy".includes(letter)) {
        unknown = word.slice(i);
        break;
      }
      given.add(letter);
      if (letter === "v" || letter === "h") break options;
    }
  }
  if (unknown !== "") complaints.push(`procmail: Unrecognised options: "${unknown}"\n${usage}Processing continued\n`);
  if (recipients?.length === 0) {
    complaints.push("procmail: Missing recipient\n");
    recipients = undefined;
  }
  const conflict = (recipients !== undefined && (given.has("p") || given.has("m"))) || (given.has("m") && argumentsGiven.length > 0 && recipients === undefined);
  if (conflict) complaints.push(`procmail: Conflicting options\n${usage}`);
  return {
    mode: modeOf(given, recipients, words.slice(at)),
    arguments: argumentsGiven,
    sender,
    override: given.has("o"),
    preserve: given.has("p") && recipients === undefined,
    soft: given.has("t"),
    berkeley: given.has("Y") || given.has("y"),
    complaints,
  };
}

function modeOf(given: ReadonlySet<string>, recipients: readonly string[] | undefined, rest: readonly string[]): ProcmailOptions["mode"] {
  if (given.has("v")) return { kind: "version" };
  if (given.has("h")) return { kind: "help" };
  if (given.has("z")) return { kind: "lmtp" };
  if (recipients !== undefined) return { kind: "deliver", recipients };
  if (!given.has("m")) {
    return { kind: "own", assignments: rest.map(assignment).filter((a) => a !== undefined), rcs: rest.filter((word) => assignment(word) === undefined) };
  }
  // Behind the rc file all are arguments, also those with "=".
  const rcAt = rest.findIndex((word) => assignment(word) === undefined);
  const before = rcAt < 0 ? rest : rest.slice(0, rcAt);
  return { kind: "filter", assignments: before.map(assignment).filter((a) => a !== undefined), rc: rcAt < 0 ? undefined : rest[rcAt], arguments: rcAt < 0 ? [] : rest.slice(rcAt + 1) };
}

function assignment(word: string): Assignment | undefined {
  const equals = word.indexOf("=");
  return equals < 0 ? undefined : { name: word.slice(0, equals), value: word.slice(equals + 1) };
}
