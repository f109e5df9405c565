/**
 * Obeys an rc file: procmailrc(5). Decides only; everything that touches the world is an effect (effects.ts).
 *
 * State that procmail keeps per level of blocks: whether the conditions of the last recipe without A or a matched (`last`), whether those
 * of the recipe before did (`previous`); and whether the action before succeeded. A block that ends
 * gives the first two back. A clone (flag c on a block) is a copy of the whole run that goes on by itself.
 *
 * Where procmail loses mail we do not: a forward's exit status always counts, a program that can not be started is a failure
 * also without w, and an rc file that can not be understood is not obeyed in part: the mail goes to DEFAULT.
 */
import { readExpansion } from "../recipe/expansion.ts";
import { parseRc } from "../recipe/parse.ts";
import type { Extension } from "../recipe/extensions.ts";
import type { Rc, Recipe, Statement } from "../recipe/tree.ts";
import { conditionsMatch, type ConditionScope } from "./conditions.ts";
import { asked, deliver, readFile, run, type Asking, type DeliverAnswer, type RunAnswer, type RunEffect } from "./effects.ts";
import { defaults, numeric, truth, type Setting } from "./environment.ts";
import { expandValue, expandWords } from "./expand.ts";
import { Extensions } from "./extensions.ts";
import { abstract } from "./abstract.ts";
import { Mail, withEmptyLine } from "./mail.ts";
import { absolute } from "./paths.ts";
import type { Trace } from "./trace.ts";

/** Rc files within rc files, and rc files read in all by one message. */
const nestingLimit = 100;
const readLimit = 1000;

/** Octets of output that a variable takes. */
const captureLimit = 256 * 1024;

export type Verdict =
  | { readonly kind: "delivered"; /** LASTFOLDER */ readonly folder: string; readonly exit: number | undefined }
  /** HOST did not match: procmailrc(5) lets the mail disappear. */
  | { readonly kind: "discarded" }
  /** Neither DEFAULT nor ORGMAIL took it. */
  | { readonly kind: "undelivered"; readonly why: string };

interface Frame {
  readonly statements: readonly Statement[];
  index: number;
  readonly rcName: string;
  /** What a block gives back at its end; undefined for an rc file. */
  readonly before: { readonly last: boolean; readonly previous: boolean } | undefined;
}

export class RuleRun implements ConditionScope {
  mail: Mail;
  readonly variables: Map<string, string>;
  arguments: string[];
  score = "0";
  trace: Trace | undefined;
  extensions = new Extensions();
  readonly #setting: Setting;
  readonly #pid: number;
  #frames: Frame[] = [];
  #last = false;
  #previous = false;
  #succeeded = false;
  #status = 0;
  #directory: string;
  #logFile = "";
  #globalLock = "";
  #read = 0;
  /** Why the rc file is given up. */
  #broken: string | undefined;

  /** @param pid of $$ */
  constructor(setting: Setting, mail: Mail, pid: number) {
    this.#setting = setting;
    this.mail = mail;
    this.variables = defaults(setting);
    this.arguments = [...setting.arguments];
    this.#pid = pid;
    this.#directory = setting.home;
  }

  /** Obeys the file; `name` is what messages call it. */
  *obey(rc: Rc, name: string): Asking<Verdict> {
    return yield* this.finish(yield* this.rules(rc, name));
  }

  /** Obeys one file, of several perhaps, and nothing behind it: undefined when the mail has found no place. `finish` must follow. */
  *rules(rc: Rc, name: string): Asking<Verdict | undefined> {
    yield* this.#enter(rc, name);
    return yield* this.#statements();
  }

  /** What no rules took goes to DEFAULT or ORGMAIL; then TRAP. */
  *finish(verdict: Verdict | undefined): Asking<Verdict> {
    if (verdict === undefined) this.trace?.({ kind: "fall-back" });
    if (this.#broken !== undefined) yield* this.say(`${this.#broken}: rules are given up`);
    return yield* this.#end(verdict ?? (yield* this.#fallBack()));
  }

  /** An assignment that stands in no file: procmail(1), ARGUMENTS. */
  *assign(name: string, value: string): Asking<void> {
    yield* this.#assign(name, value, 0);
  }

  /** Where relative names begin from now on. Nothing is looked at. */
  startIn(directory: string): void {
    this.#directory = directory;
  }

  // ---------------------------------------------------------------- ConditionScope

  value(name: string): string | undefined {
    switch (name) {
      case "#":
        return String(this.arguments.length);
      case "$":
        return String(this.#pid);
      case "?":
        return String(this.#status);
      case "_":
        return this.#frames.at(-1)?.rcName ?? "";
      case "-":
        return this.variables.get("LASTFOLDER") ?? "";
      case "=":
        return this.score;
      default:
        return /^\d$/.test(name) ? (name === "0" ? "procmail" : this.arguments[Number(name) - 1]) : this.variables.get(name);
    }
  }

  *output(command: string): Asking<string> {
    const { fromLine, octets } = this.mail.parts(true, true);
    const answer = yield* this.command("output", command, [Buffer.from(fromLine, "latin1"), octets]);
    return answer.output.subarray(0, captureLimit).toString("latin1").replace(/\n+$/, "");
  }

  /** Program text as procmail starts it: by SHELL when a character of SHELLMETAS is there, else directly. */
  *command(purpose: RunEffect["purpose"], text: string, input: readonly Buffer[]): Asking<RunAnswer> {
    const metas = this.variables.get("SHELLMETAS") ?? "";
    const needsShell = [...metas].some((c) => text.includes(c)) || /^\s*test\s/.test(text);
    const argv = needsShell ? [this.variables.get("SHELL") ?? "/bin/sh", this.variables.get("SHELLFLAGS") ?? "-c", text] : yield* this.#programWords(text);
    const answer = yield* this.#start(purpose, argv, input);
    this.#status = answer.status;
    return answer;
  }

  *say(text: string): Asking<void> {
    yield { kind: "log", file: this.#logFile, text: `procmail: ${text}\n` };
  }

  get verbose(): boolean {
    return truth(this.variables.get("VERBOSE"), false);
  }

  // ---------------------------------------------------------------- statements

  *#statements(): Asking<Verdict | undefined> {
    let verdict: Verdict | undefined;
    for (let frame = this.#frames.at(-1); frame !== undefined && verdict === undefined && this.#broken === undefined; frame = this.#frames.at(-1)) {
      const statement = frame.statements[frame.index++];
      if (statement === undefined) this.#leave();
      else if (statement.kind === "recipe") verdict = yield* this.#recipe(statement);
      else if (statement.kind === "extension") yield* this.#extend(statement);
      else if (statement.kind === "unset") verdict = yield* this.#assign(statement.name, undefined, statement.line);
      else verdict = yield* this.#assign(statement.name, yield* expandValue(statement.value, this), statement.line);
    }
    return verdict;
  }

  *#enter(rc: Rc, name: string): Asking<void> {
    const fatal = rc.faults.find((f) => f.severity === "fatal");
    for (const fault of rc.faults) yield* this.say(`${name}:${String(fault.line)}: ${fault.text}`);
    if (fatal !== undefined) this.#broken = `${name}:${String(fatal.line)}: ${fatal.text}`;
    else if (this.#frames.length >= nestingLimit) this.#broken = `${name}: rc files are nested too deeply`;
    else this.#frames.push({ statements: rc.statements, index: 0, rcName: name, before: undefined });
    this.trace?.({ kind: "rc", name, entered: true });
  }

  #leave(): void {
    const frame = this.#frames.pop();
    if (frame?.before === undefined) {
      this.trace?.({ kind: "rc", name: frame?.rcName ?? "", entered: false });
      return;
    }
    this.trace?.({ kind: "block-end" });
    this.#last = frame.before.last;
    this.#previous = frame.before.previous;
  }

  /** Ends the rc file under way, with the blocks it is in. */
  #leaveRc(): void {
    let frame = this.#frames.pop();
    while (frame !== undefined && frame.before !== undefined) frame = this.#frames.pop();
    this.trace?.({ kind: "rc", name: frame?.rcName ?? "", entered: false });
  }

  *#assign(name: string, value: string | undefined, line: number): Asking<Verdict | undefined> {
    this.trace?.({ kind: "assign", line, name, value });
    if (this.verbose && value !== undefined) yield* this.say(`Assigning "${name}=${value}"`);
    if (value === undefined) this.variables.delete(name);
    else this.variables.set(name, value);
    switch (name) {
      case "MAILDIR":
        return void (yield* this.#changeDirectory(value ?? ""));
      case "LOGFILE":
        this.#logFile = value === undefined || value === "" ? "" : absolute(this.#directory, value);
        return undefined;
      case "LOG":
        if (value !== undefined) yield { kind: "log", file: this.#logFile, text: value };
        return undefined;
      case "LOCKFILE":
        return void (yield* this.#lockGlobally(value ?? ""));
      case "SHIFT":
        this.arguments = this.arguments.slice(Math.max(numeric(this.variables, "SHIFT"), 0));
        return undefined;
      case "HOST":
        if (value === this.#setting.host) return undefined;
        yield* this.say(`HOST mismatched "${value ?? ""}"`);
        return { kind: "discarded" };
      case "INCLUDERC":
        if (value !== undefined && value !== "") yield* this.#include(value, line);
        return undefined;
      case "SWITCHRC":
        return void (yield* this.#switch(value, line));
      case "DROPPRIVS":
        if (truth(value, false)) yield { kind: "drop-privileges" };
        return undefined;
      default:
        return undefined;
    }
  }

  *#extend(extension: Extension): Asking<void> {
    const { name, how, line } = extension;
    const value = yield* expandValue(extension.value, this);
    const fault = name === "vacation" ? undefined : this.extensions.set(name, how, value);
    this.trace?.({ kind: "extension", line, name, how, value, fault });
    if (fault !== undefined) yield* this.say(`${this.#frames.at(-1)?.rcName ?? ""}:${String(line)}: ${name}: ${fault}`);
  }

  *#changeDirectory(to: string): Asking<void> {
    const directory = absolute(this.#directory, to);
    if (yield* asked({ kind: "directory", path: directory })) {
      this.#directory = directory;
      return;
    }
    yield* this.say(`Couldn't chdir to "${to}"`);
    this.variables.set("MAILDIR", ".");
  }

  *#lockGlobally(path: string): Asking<void> {
    if (this.#globalLock !== "") yield { kind: "unlock", path: this.#globalLock };
    this.#globalLock = path === "" ? "" : absolute(this.#directory, path);
    if (this.#globalLock === "") return;
    if (!(yield* this.#lock(this.#globalLock))) {
      yield* this.say(`Lock failure on "${path}"`);
      this.#globalLock = "";
    }
  }

  #lock(path: string): Asking<boolean> {
    return asked({ kind: "lock", path, sleep: numeric(this.variables, "LOCKSLEEP"), timeout: numeric(this.variables, "LOCKTIMEOUT") });
  }

  *#include(name: string, line: number): Asking<void> {
    const rc = yield* this.#load(name, line);
    if (rc !== undefined) yield* this.#enter(rc, name);
  }

  *#switch(name: string | undefined, line: number): Asking<void> {
    if (name === undefined || name === "" ) return this.#leaveRc();
    const rc = yield* this.#load(name, line);
    if (rc === undefined) return;
    this.#leaveRc();
    yield* this.#enter(rc, name);
  }

  *#load(name: string, line: number): Asking<Rc | undefined> {
    if (++this.#read > readLimit) {
      this.#broken = `${this.#frames.at(-1)?.rcName ?? ""}:${String(line)}: reads rc files without end`;
      return undefined;
    }
    const octets = yield* readFile(absolute(this.#directory, name));
    if (octets !== undefined) return parseRc(octets);
    yield* this.say(`Couldn't read "${name}"`);
    return undefined;
  }

  // ---------------------------------------------------------------- recipes

  *#recipe(recipe: Recipe): Asking<Verdict | undefined> {
    const { flags } = recipe;
    const chained = this.#chained(flags);
    this.trace?.({ kind: "recipe", recipe, chained });
    const matched = chained === undefined && (yield* conditionsMatch(recipe, this));
    if (!flags.has("A") && !flags.has("a")) this.#last = matched;
    this.#previous = flags.has("E") ? this.#previous || matched : matched;
    if (!matched) return undefined;
    const { action } = recipe;
    if (action.kind === "block") return yield* this.#block(recipe, action.statements);
    this.#succeeded = false;
    const verdict = yield* this.#act(recipe, action);
    this.trace?.({ kind: "action", recipe, ok: this.#succeeded, folder: this.#succeeded ? this.variables.get("LASTFOLDER") : undefined });
    return verdict;
  }

  /** The flag that keeps a recipe from being tried. */
  #chained(flags: Recipe["flags"]): "A" | "a" | "E" | "e" | undefined {
    if (flags.has("A") && !this.#last) return "A";
    if (flags.has("a") && !(this.#last && this.#succeeded)) return "a";
    if (flags.has("E") && this.#previous) return "E";
    if (flags.has("e") && !flags.has("E") && !flags.has("a") && !(this.#previous && !this.#succeeded)) return "e";
    return undefined;
  }

  *#act(recipe: Recipe, action: Exclude<Recipe["action"], { readonly kind: "block" }>): Asking<Verdict | undefined> {
    switch (action.kind) {
      case "none":
        return undefined;
      case "pipe":
        return yield* this.#pipe(recipe, action.command, action.capture);
      case "forward":
        return yield* this.#forward(recipe, yield* expandWords(action.addresses, this));
      case "folder":
        return yield* this.#folder(recipe, yield* expandWords(action.folders, this));
    }
  }

  *#block(recipe: Recipe, statements: readonly Statement[]): Asking<Verdict | undefined> {
    const before = { last: this.#last, previous: this.#previous };
    if (recipe.lock !== undefined && !recipe.flags.has("c")) yield* this.say("Extraneous local lockfile ignored");
    if (recipe.flags.has("c")) {
      const clone = this.#clone();
      clone.#frames.push({ statements, index: 0, rcName: this.#frames.at(-1)?.rcName ?? "", before });
      this.trace?.({ kind: "clone", recipe, began: true });
      const verdict = yield* clone.finish(yield* clone.#statements());
      this.trace?.({ kind: "clone", recipe, began: false });
      this.#succeeded = true;
      // Its mail has not arrived: the whole delivery has to be tried again.
      return verdict.kind === "undelivered" ? verdict : undefined;
    }
    this.#succeeded = true;
    this.#frames.push({ statements, index: 0, rcName: this.#frames.at(-1)?.rcName ?? "", before });
    return undefined;
  }

  #clone(): RuleRun {
    const clone = new RuleRun(this.#setting, this.mail, this.#pid);
    clone.variables.clear();
    for (const [name, value] of this.variables) clone.variables.set(name, value);
    clone.arguments = [...this.arguments];
    clone.score = this.score;
    clone.#frames = this.#frames.map((f) => ({ ...f }));
    clone.#last = this.#last;
    clone.#previous = this.#previous;
    clone.#succeeded = this.#succeeded;
    clone.#status = this.#status;
    clone.#directory = this.#directory;
    clone.#logFile = this.#logFile;
    clone.#read = this.#read;
    clone.trace = this.trace;
    clone.extensions = this.extensions.copy();
    return clone;
  }

  /** After a delivering action: done unless it was a copy. */
  *#delivered(recipe: Recipe, folder: string, octets: number): Asking<Verdict | undefined> {
    this.#succeeded = true;
    this.variables.set("LASTFOLDER", folder);
    if (recipe.flags.has("c")) {
      if (/^\s*a/i.test(this.variables.get("LOGABSTRACT") ?? "")) yield* this.#logAbstract(folder, octets);
      return undefined;
    }
    yield* this.#logLast(folder, octets);
    return { kind: "delivered", folder, exit: undefined };
  }

  #chosen(recipe: Recipe): { readonly fromLine: string; readonly octets: Buffer } {
    const header = recipe.flags.has("h");
    const body = recipe.flags.has("b");
    return this.mail.parts(header || !body, body || !header);
  }

  *#folder(recipe: Recipe, words: readonly string[]): Asking<Verdict | undefined> {
    const [first = "", ...others] = words;
    if (first === "") {
      yield* this.say("Missing folder name");
      return undefined;
    }
    const answer = yield* this.#store(recipe, [first, ...others]);
    if (!answer.ok) {
      yield* this.say(`Error while writing to "${words.join(" ")}": ${answer.why}`);
      return undefined;
    }
    return yield* this.#delivered(recipe, answer.names.map((name) => this.#relative(name, first)).join(" "), answer.octets);
  }

  /** The same for a program. */
  #chosenInput(recipe: Recipe): { readonly fromLine: string; readonly octets: Buffer } {
    const chosen = this.#chosen(recipe);
    return recipe.flags.has("r") ? chosen : { fromLine: chosen.fromLine, octets: withEmptyLine(chosen.octets) };
  }

  *#store(recipe: Recipe | undefined, words: readonly string[]): Asking<DeliverAnswer> {
    const { fromLine, octets } = recipe === undefined ? this.mail.parts(true, true) : this.#chosen(recipe);
    const [first = ""] = words;
    if (first === "/dev/null") return { ok: true, names: [first], octets: fromLine.length + octets.length };
    let lock = "";
    if (recipe === undefined) lock = `${first}${this.variables.get("LOCKEXT") ?? ""}`;
    else if (recipe.lock?.name !== undefined) lock = yield* expandValue(recipe.lock.name, this);
    else if (recipe.lock !== undefined) lock = `${first}${this.variables.get("LOCKEXT") ?? ""}`;
    return yield* deliver({
      kind: "deliver",
      folders: words.map((word) => absolute(this.#directory, word)),
      fromLine,
      octets,
      lock: lock === "" ? "" : absolute(this.#directory, lock),
      raw: recipe?.flags.has("r") === true,
      prefix: this.variables.get("MSGPREFIX") ?? "msg.",
      flags: this.extensions.flags,
    });
  }

  /** File names in LASTFOLDER are spelled as the rc file spelled the folder. */
  #relative(name: string, as: string): string {
    const prefix = `${this.#directory}/`;
    return !as.startsWith("/") && name.startsWith(prefix) ? name.slice(prefix.length) : name;
  }

  *#pipe(recipe: Recipe, text: string, capture: string | undefined): Asking<Verdict | undefined> {
    const { flags } = recipe;
    const filter = flags.has("f") && capture === undefined;
    if (text.trim() === "") {
      yield* this.say("There is no standard output to deliver to");
      return undefined;
    }
    const lock = yield* this.#localLock(recipe, text);
    if (lock === undefined) return undefined;
    const { fromLine, octets } = this.#chosenInput(recipe);
    const answer = yield* this.command(filter ? "filter" : capture === undefined ? "pipe" : "capture", text, [Buffer.from(fromLine, "latin1"), octets]);
    if (lock !== "") yield { kind: "unlock", path: lock };
    const waits = flags.has("w") || flags.has("W") || recipe.lock !== undefined;
    const failed = !answer.started || (answer.inputLeft && !flags.has("i")) || (waits && answer.status !== 0);
    if (failed && !(flags.has("W") && answer.started)) yield* this.say(`Program failure (${String(answer.status)}) of "${firstWord(text)}"`);
    if (filter) {
      if (failed) yield* this.say("Rescue of unfiltered data succeeded");
      else this.#filtered(recipe, fromLine, answer.output);
      this.#succeeded = !failed;
      return undefined;
    }
    if (capture !== undefined) {
      if (!failed) {
        const value = answer.output.subarray(0, captureLimit).toString("latin1").replace(/\n$/, "");
        this.#succeeded = true;
        return yield* this.#assign(capture, value, recipe.actionLine);
      }
      return undefined;
    }
    return failed ? undefined : yield* this.#delivered(recipe, text, fromLine.length + octets.length);
  }

  /** What came out of a filter takes the place of what went in. */
  #filtered(recipe: Recipe, fromLine: string, output: Buffer): void {
    const header = recipe.flags.has("h");
    const body = recipe.flags.has("b");
    if (header && !body) this.mail = Mail.fromText(Buffer.concat([output, this.mail.body]));
    else if (body && !header) this.mail = new Mail(this.mail.fromLine, Buffer.concat([this.mail.header, output]));
    else this.mail = Mail.fromText(output);
    // A program that drops the `From ` line does not mean it.
    if (this.mail.fromLine === "" && fromLine !== "") this.mail = new Mail(fromLine, this.mail.parts(true, true).octets);
  }

  *#forward(recipe: Recipe, addresses: readonly string[]): Asking<Verdict | undefined> {
    if (addresses.length === 0) {
      yield* this.say("No recipients to forward to");
      return undefined;
    }
    const lock = yield* this.#localLock(recipe, "");
    if (lock === undefined) return undefined;
    const words = (name: string): string[] => (this.variables.get(name) ?? "").split(/[ \t\n]+/).filter((word) => word !== "");
    const { octets } = this.#chosenInput(recipe);
    const answer = yield* this.#start("forward", [...words("SENDMAIL"), ...words("SENDMAILFLAGS"), ...addresses], [octets]);
    this.#status = answer.status;
    if (lock !== "") yield { kind: "unlock", path: lock };
    if (!answer.started || answer.status !== 0 || answer.inputLeft) {
      yield* this.say(`Program failure (${String(answer.status)}) of "${words("SENDMAIL").join(" ")}"`);
      return undefined;
    }
    return yield* this.#delivered(recipe, `${[...words("SENDMAIL"), ...words("SENDMAILFLAGS"), ...addresses].join(" ")}`, octets.length);
  }

  /** Takes the recipe's lock: its path, "" for none, undefined when it can not be had. */
  *#localLock(recipe: Recipe, text: string): Asking<string | undefined> {
    if (recipe.lock === undefined) return "";
    const named = recipe.lock.name === undefined ? /.*?>>[ \t]*([^\s;|&<>"']+)/s.exec(text)?.[1] : yield* expandValue(recipe.lock.name, this);
    if (named === undefined || named === "") {
      yield* this.say("Couldn't determine implicit lockfile");
      return "";
    }
    const path = absolute(this.#directory, recipe.lock.name === undefined ? `${named}${this.variables.get("LOCKEXT") ?? ""}` : named);
    if (yield* this.#lock(path)) return path;
    yield* this.say(`Lock failure on "${path}"`);
    return undefined;
  }

  *#programWords(text: string): Asking<string[]> {
    // Newlines separate words here; they came from continued lines.
    return yield* expandWords(readExpansion(text.replace(/\\?\n/g, " "), 0, "line").parts, this);
  }

  #start(purpose: RunEffect["purpose"], argv: readonly string[], input: readonly Buffer[]): Asking<RunAnswer> {
    return run({
      kind: "run",
      purpose,
      argv,
      input,
      env: Object.fromEntries(this.variables),
      cwd: this.#directory,
      timeout: numeric(this.variables, "TIMEOUT"),
      umask: numeric(this.variables, "UMASK", 8),
      log: this.#logFile,
    });
  }

  // ---------------------------------------------------------------- the end

  /** Nothing took it: DEFAULT, then ORGMAIL. */
  *#fallBack(): Asking<Verdict> {
    let why = "no DEFAULT";
    const tried = new Set<string>();
    for (const name of ["DEFAULT", "ORGMAIL"]) {
      const folder = this.variables.get(name) ?? "";
      if (folder === "" || tried.has(folder)) continue;
      tried.add(folder);
      const answer = yield* this.#store(undefined, [folder]);
      if (answer.ok) {
        const names = answer.names.map((n) => this.#relative(n, folder)).join(" ");
        this.variables.set("LASTFOLDER", names);
        yield* this.#logLast(names, answer.octets);
        return { kind: "delivered", folder: names, exit: undefined };
      }
      why = answer.why;
      yield* this.say(`Error while writing to "${folder}": ${answer.why}`);
    }
    return { kind: "undelivered", why };
  }

  /** TRAP and EXITCODE. */
  *#end(verdict: Verdict): Asking<Verdict> {
    if (this.#globalLock !== "") yield { kind: "unlock", path: this.#globalLock };
    const trap = this.variables.get("TRAP") ?? "";
    const code = this.variables.get("EXITCODE");
    let exit = code === undefined || !/^\s*\d/.test(code) ? undefined : Number.parseInt(code, 10);
    if (trap !== "") {
      if (code === undefined) this.variables.set("EXITCODE", verdict.kind === "undelivered" ? "73" : "0");
      const { fromLine, octets } = this.mail.parts(true, true);
      const answer = yield* this.command("trap", trap, [Buffer.from(fromLine, "latin1"), withEmptyLine(octets)]);
      if (code === "") exit = answer.status;
    }
    return verdict.kind === "delivered" ? { ...verdict, exit: exit === 0 ? undefined : exit } : verdict;
  }

  *#logLast(folder: string, octets: number): Asking<void> {
    if (truth(this.variables.get("LOGABSTRACT"), true)) yield* this.#logAbstract(folder, octets);
  }

  *#logAbstract(folder: string, octets: number): Asking<void> {
    if (this.#logFile !== "") yield { kind: "log", file: this.#logFile, text: abstract(this.mail, folder, octets) };
  }
}

const firstWord = (text: string): string => text.trim().split(/\s+/, 1)[0] ?? "";
