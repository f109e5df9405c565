/** What a run of rules works on and has set so far; how it says things, and starts programs. */
import { Octets } from "../message/octets.ts";
import { readExpansion } from "../recipe/expansion.ts";
import type { ConditionScope } from "./conditions.ts";
import { lock, run, type Asking, type LockAnswer, type RunAnswer, type RunEffect } from "./effects.ts";
import { defaults, numeric, type Setting } from "./environment.ts";
import { expandWords, type Words } from "./expand.ts";
import { Extensions } from "./extensions.ts";
import type { Mail } from "./mail.ts";
import { absolute } from "./paths.ts";
import type { Trace } from "./trace.ts";

/** How a program ended, and what messages call it. */
export interface Ran extends RunAnswer {
  readonly name: string;
  /** Its words as LASTFOLDER has them. */
  readonly shown: string;
  /** Its words did not fit into LINEBUF; it was not started. */
  readonly tooLong: boolean;
}

/** LINEBUF is at least this. */
export const leastLine = 128;
/** execve(2) takes no longer "NAME=value" with its NUL (MAX_ARG_STRLEN): no program would start behind a captured text of more. */
const environmentLimit = 128 * 1024 - 2;
/** Octets of LINEBUF that output of a command can not have. */
const lineSlack = 4;

export class RuleState implements ConditionScope {
  readonly setting: Setting;
  readonly pid: number;
  mail: Mail;
  readonly variables: Map<string, string>;
  arguments: readonly string[];
  score = "0";
  /** $? */
  status = 0;
  verbose = false;
  /** LOGABSTRACT: what it was set to last that says something. */
  abstracts: "none" | "last" | "all" = "last";
  /** DELIVERED was true: for good, whatever it is afterwards. */
  pretends = false;
  trace: Trace | undefined;
  extensions = new Extensions();
  /** The current directory. */
  directory: string;
  /** Absolute; "" for none. */
  logFile = "";
  /** LOCKFILE as it was given, and where it is; "" for none. */
  globalLock = { name: "", path: "" };
  /** Of the rc file under way: $_ */
  rcName = "";
  /** What the log abstract tells at the end. */
  last = { folder: "", octets: 0, offset: 0 };

  /** @param pid of $$ */
  constructor(setting: Setting, mail: Mail, pid: number) {
    this.setting = setting;
    this.mail = mail;
    this.pid = pid;
    this.variables = defaults(setting);
    this.arguments = [...setting.arguments];
    this.directory = setting.home;
  }

  /** For a clone. Locks stay with the original. */
  copy(): RuleState {
    const copy = new RuleState(this.setting, this.mail, this.pid);
    copy.variables.clear();
    for (const [name, value] of this.variables) copy.variables.set(name, value);
    const { arguments: given, score, status, verbose, abstracts, pretends, trace, directory, logFile, rcName, last } = this;
    Object.assign(copy, { arguments: given, score, status, verbose, abstracts, pretends, trace, directory, logFile, rcName, last, extensions: this.extensions.copy() });
    return copy;
  }

  get lineBuffer(): number {
    return Math.max(this.number("LINEBUF"), leastLine);
  }

  value(name: string): string | undefined {
    switch (name) {
      case "#":
        return String(this.arguments.length);
      case "$":
        return String(this.pid);
      case "?":
        return String(this.status);
      case "_":
        return this.rcName;
      case "-":
        return this.variables.get("LASTFOLDER") ?? "";
      case "=":
        return this.score;
      default:
        return /^\d$/.test(name) ? (name === "0" ? "procmail" : this.arguments[Number(name) - 1]) : this.variables.get(name);
    }
  }

  number(name: string, base = 10): number {
    return numeric(this.variables, name, base);
  }

  /** A path of an rc file, from the current directory. */
  path(name: string): string {
    return absolute(this.directory, name);
  }

  *set(name: string, value: string): Asking<void> {
    yield* this.tell(`Assigning "${name}=${value}"`);
    this.put(name, value);
  }

  /** A value ends where a NUL is: no program could be given it. */
  put(name: string, value: string): void {
    const nul = value.indexOf("\0");
    this.variables.set(name, nul < 0 ? value : value.slice(0, nul));
  }

  // ---------------------------------------------------------------- messages

  *say(text: string): Asking<void> {
    yield { kind: "log", file: this.logFile, text: `procmail: ${text}\n` };
  }

  /** Under VERBOSE only. */
  *tell(text: string): Asking<void> {
    if (this.verbose) yield* this.say(text);
  }

  /** A line is longer than LINEBUF: what it says is not done. */
  *overflow(): Asking<void> {
    yield* this.say("Exceeded LINEBUF");
    yield* this.set("PROCMAIL_OVERFLOW", "yes");
  }

  // ---------------------------------------------------------------- locks

  /** Takes a lock file. What can not be locked is used without; a lock that somebody keeps is answered "held". */
  *lock(name: string): Asking<LockAnswer> {
    yield* this.tell(`Locking "${name}"`);
    const answer = yield* lock({ kind: "lock", path: this.path(name), sleep: this.number("LOCKSLEEP"), timeout: this.number("LOCKTIMEOUT") });
    if (answer !== "locked") yield* this.say(`Lock failure on "${name}"`);
    return answer;
  }

  *unlock(name: string, path = this.path(name)): Asking<void> {
    yield* this.tell(`Unlocking "${name}"`);
    yield { kind: "unlock", path };
  }

  // ---------------------------------------------------------------- programs

  *output(command: string): Asking<string> {
    const answer = yield* this.command("output", command, this.mail.ended, true);
    const room = this.lineBuffer - lineSlack;
    const text = answer.output.subarray(0, room).toBuffer().toString("latin1");
    if (answer.output.length <= room) return text.replace(/\n+$/, "");
    yield* this.say(`Excessive output quenched from "${answer.name}"`);
    yield* this.set("PROCMAIL_OVERFLOW", "yes");
    return text;
  }

  /** Program text as procmail starts it: by SHELL when a character of SHELLMETAS is there, else directly. */
  *command(purpose: RunEffect["purpose"], text: string, input: Octets, waits: boolean): Asking<Ran> {
    if (this.needsShell(text)) return yield* this.start(purpose, [this.variables.get("SHELL") ?? "/bin/sh", this.variables.get("SHELLFLAGS") ?? "-c", text], { name: text, shown: text }, input, waits);
    const words = yield* this.programWords(text);
    if (words === undefined) {
      yield* this.overflow();
      return { started: false, status: 127, output: Octets.of(Buffer.alloc(0)), inputLeft: true, name: "", shown: "", tooLong: true };
    }
    return yield* this.start(purpose, words.words, { name: words.words[0] ?? "", shown: words.shown }, input, waits);
  }

  needsShell(text: string): boolean {
    const metas = this.variables.get("SHELLMETAS") ?? "";
    return [...metas].some((c) => text.includes(c)) || /^\s*test\s/.test(text);
  }

  programWords(text: string): Asking<Words | undefined> {
    return expandWords(readExpansion(text.replace(/\\\n/g, " "), 0, "line").parts, this, true);
  }

  *start(purpose: RunEffect["purpose"], argv: readonly string[], names: { readonly name: string; readonly shown: string }, input: Octets, waits: boolean): Asking<Ran> {
    yield* this.tell(`Executing "${names.name === names.shown ? names.shown : argv.join(",")}"`);
    const answer = yield* run({
      kind: "run",
      purpose,
      argv,
      name: names.name,
      input,
      env: Object.fromEntries([...this.variables].filter(([name, value]) => name.length + Buffer.byteLength(value) <= environmentLimit)),
      cwd: this.directory,
      timeout: this.number("TIMEOUT"),
      retries: this.number("NORESRETRY"),
      suspend: this.number("SUSPEND"),
      umask: this.number("UMASK", 8),
      waits,
      log: this.logFile,
    });
    this.status = answer.status;
    return { ...answer, ...names, tooLong: false };
  }
}

/** Exit status as messages show it; a signal is negative. */
export const exitShown = ({ status, signal }: RunAnswer): string => String(signal === undefined ? status : -signal);
