/**
 * Obeys an rc file: procmailrc(5). Decides only; everything that touches the world is an effect (effects.ts).
 *
 * State that procmail keeps per level of blocks: whether the conditions of the last recipe without A or a matched (`last`), whether those
 * of the recipe before did (`previous`); and whether the action before succeeded. A block that ends
 * gives the first two back. A clone (flag c on a block) is a copy of the whole run that goes on by itself.
 *
 * Where procmail loses mail we do not; each such difference stands in procmailrc(5), "DIFFERENCES".
 */
import type { Extension } from "../recipe/extensions.ts";
import { parseRc } from "../recipe/parse.ts";
import { readStart } from "../recipe/start.ts";
import { extraneous } from "../recipe/suppressed.ts";
import type { Action, Expansion, Rc, Recipe, Statement } from "../recipe/tree.ts";
import { conditionsMatch } from "./conditions.ts";
import { readFile, type Asking } from "./effects.ts";
import type { Setting } from "./environment.ts";
import { logDelivery, runTrap } from "./end.ts";
import { expandValue, expandWords } from "./expand.ts";
import { toDefault, toFolders, type Done } from "./folder.ts";
import type { Mail } from "./mail.ts";
import { held, localLock, toAddresses, toProgram, type PipeResult } from "./pipe.ts";
import { special, unlockGlobally, type Turn } from "./special.ts";
import { vacate } from "./vacate.ts";
import { RuleState } from "./state.ts";
import type { Trace } from "./trace.ts";
import type { Verdict } from "./verdict.ts";

export type { Verdict } from "./verdict.ts";

/** Rc files within rc files, and rc files read in all by one message. */
const nestingLimit = 100;
const readLimit = 1000;

interface Frame {
  readonly statements: readonly Statement[];
  index: number;
  readonly rcName: string;
  /** What a block gives back at its end; undefined for an rc file. */
  readonly before: { readonly last: boolean; readonly previous: boolean } | undefined;
}

export class RuleRun {
  readonly state: RuleState;
  #frames: Frame[] = [];
  #last = false;
  #previous = false;
  #succeeded = false;
  #read = 0;
  /** Why the rc file is given up. */
  #broken: string | undefined;

  /** @param pid of $$  @param state of a clone */
  constructor(setting: Setting, mail: Mail, pid: number, state = new RuleState(setting, mail, pid)) {
    this.state = state;
  }

  get mail(): Mail {
    return this.state.mail;
  }

  get variables(): ReadonlyMap<string, string> {
    return this.state.variables;
  }

  set trace(trace: Trace | undefined) {
    this.state.trace = trace;
  }

  /** Obeys the file; `name` is what messages call it. */
  *obey(rc: Rc, name: string): Asking<Verdict> {
    return yield* this.finish(yield* this.rules(rc, name));
  }

  /** Obeys one file, of several perhaps, and nothing behind it: undefined when the mail has found no place. `finish` must follow. */
  *rules(rc: Rc, name: string): Asking<Verdict | undefined> {
    yield* this.#enter(rc, name);
    const verdict = yield* this.#statements();
    // HOST leaves a file, and all that it is in, half way.
    this.#frames = [];
    return verdict;
  }

  /** What no rules took goes to DEFAULT or ORGMAIL; then TRAP. */
  *finish(verdict: Verdict | undefined): Asking<Verdict> {
    if (verdict === undefined) this.state.trace?.({ kind: "fall-back" });
    if (this.#broken !== undefined) yield* this.state.say(`${this.#broken}: rules are given up`);
    let found = verdict;
    if (found === undefined) {
      const done = yield* toDefault(this.state);
      if (done !== undefined) yield* this.#note(done, false);
      if (done !== undefined) found = { kind: "delivered", folder: done.folder, exit: undefined };
      else found = this.state.pretends ? { kind: "lost", exit: undefined } : undelivered("neither DEFAULT nor ORGMAIL took it");
    }
    yield* logDelivery(this.state, found);
    const exit = yield* runTrap(this.state, found);
    yield* unlockGlobally(this.state);
    return { ...found, exit: this.state.pretends && found.kind !== "undelivered" ? undefined : exit };
  }

  /** An assignment that stands in no file: procmail(1), ARGUMENTS. */
  *assign(name: string, value: string): Asking<void> {
    yield* this.#assign(name, value, 0);
  }

  /** Where relative names begin from now on. Nothing is looked at. */
  startIn(directory: string): void {
    this.state.directory = directory;
  }

  #goOnLike(original: RuleRun, frame: Frame): void {
    this.#frames = [...original.#frames.map((f) => ({ ...f })), frame];
    this.#last = original.#last;
    this.#previous = original.#previous;
    this.#succeeded = original.#succeeded;
    this.#read = original.#read;
  }

  // ---------------------------------------------------------------- statements

  *#statements(): Asking<Verdict | undefined> {
    let verdict: Verdict | undefined;
    for (let frame = this.#frames.at(-1); frame !== undefined && verdict === undefined && this.#broken === undefined; frame = this.#frames.at(-1)) {
      this.state.rcName = frame.rcName;
      const statement = frame.statements[frame.index++];
      verdict = statement === undefined ? this.#leave() : yield* this.#statement(statement);
    }
    this.state.rcName = this.#frames.at(-1)?.rcName ?? "";
    return verdict;
  }

  *#statement(statement: Statement): Asking<Verdict | undefined> {
    switch (statement.kind) {
      case "recipe":
        return yield* this.#recipe(statement);
      case "extension":
        return void (yield* this.#extend(statement));
      case "unset":
        return yield* this.#assign(statement.name, undefined, statement.line);
      case "assign": {
        const value = yield* expandValue(statement.value, this.state);
        if (value === undefined) return void (yield* this.state.overflow());
        return yield* this.#assign(statement.name, value, statement.line);
      }
      case "fault":
        return void (yield* this.state.say(statement.ours === true ? `${this.state.rcName}:${String(statement.line)}: ${statement.text}` : statement.text));
    }
  }

  *#enter(rc: Rc, name: string): Asking<void> {
    const fatal = rc.faults.find((f) => f.severity === "fatal");
    if (fatal !== undefined) this.#broken = `${name}:${String(fatal.line)}: ${fatal.text}`;
    else if (this.#frames.length >= nestingLimit) this.#broken = `${name}: rc files are nested too deeply`;
    else this.#frames.push({ statements: rc.statements, index: 0, rcName: name, before: undefined });
    this.state.trace?.({ kind: "rc", name, entered: true });
  }

  #leave(): undefined {
    const frame = this.#frames.pop();
    if (frame?.before === undefined) {
      this.state.trace?.({ kind: "rc", name: frame?.rcName ?? "", entered: false });
      return;
    }
    this.state.trace?.({ kind: "block-end" });
    this.#last = frame.before.last;
    this.#previous = frame.before.previous;
  }

  /** Ends the rc file under way, with the blocks it is in. */
  #leaveRc(): void {
    let frame = this.#frames.pop();
    while (frame !== undefined && frame.before !== undefined) frame = this.#frames.pop();
    this.state.trace?.({ kind: "rc", name: frame?.rcName ?? "", entered: false });
  }

  *#assign(name: string, value: string | undefined, line: number): Asking<Verdict | undefined> {
    this.state.trace?.({ kind: "assign", line, name, value });
    if (value !== undefined) yield* this.state.set(name, value);
    else {
      yield* this.state.tell(`Assigning "${name}"`);
      this.state.variables.delete(name);
    }
    return yield* this.#turn(yield* special(this.state, name, value), line);
  }

  *#turn(turn: Turn, line: number): Asking<Verdict | undefined> {
    switch (turn?.kind) {
      case undefined:
        return undefined;
      case "mismatch":
        return { kind: "discarded", exit: undefined };
      case "include": {
        const rc = yield* this.#load(turn.name, line);
        if (rc !== undefined) yield* this.#enter(rc, this.state.path(turn.name));
        return undefined;
      }
      case "switch": {
        const rc = turn.name === undefined ? undefined : yield* this.#load(turn.name, line);
        if (turn.name !== undefined && rc === undefined) return undefined;
        this.#leaveRc();
        if (rc !== undefined) yield* this.#enter(rc, this.state.path(turn.name ?? ""));
        return undefined;
      }
    }
  }

  *#load(name: string, line: number): Asking<Rc | undefined> {
    if (++this.#read > readLimit) {
      this.#broken = `${this.state.rcName}:${String(line)}: reads rc files without end`;
      return undefined;
    }
    const octets = name === "/dev/null" ? Buffer.alloc(0) : yield* readFile(this.state.path(name));
    if (octets !== undefined) return parseRc(octets);
    yield* this.state.say(`Couldn't read "${name}"`);
    return undefined;
  }

  *#extend(extension: Extension): Asking<void> {
    const { name, how, line } = extension;
    const value = (yield* expandValue(extension.value, this.state)) ?? "";
    if (name === "vacation") {
      const done = yield* vacate(this.state, value);
      this.state.trace?.({ kind: "extension", line, name, how, value, said: done });
      return;
    }
    const fault = this.state.extensions.set(name, how, value);
    this.state.trace?.({ kind: "extension", line, name, how, value, said: fault });
    if (fault !== undefined) yield* this.state.say(`${this.state.rcName}:${String(line)}: ${name}: ${fault}`);
  }

  // ---------------------------------------------------------------- recipes

  *#recipe(written: Recipe): Asking<Verdict | undefined> {
    const recipe = written.start === undefined ? written : yield* this.#started(written, written.start);
    if (recipe === undefined) return undefined;
    const { flags } = recipe;
    const chained = this.#chained(flags);
    if (chained !== undefined) this.state.score = "0";
    if (flags.has("e")) yield* this.#suppressed(recipe);
    this.state.trace?.({ kind: "recipe", recipe, chained });
    const matched = chained === undefined && (yield* conditionsMatch(recipe, this.state)) && recipe.action.kind !== "none";
    for (const what of extraneous(recipe)) yield* this.state.say(`Extraneous ${what} ignored`);
    if (!flags.has("A") && !flags.has("a")) this.#last = matched;
    this.#previous = flags.has("E") && !flags.has("e") ? this.#previous || matched : matched;
    if (recipe.actionFault !== undefined) yield* this.state.say(recipe.actionFault.text);
    const { action } = recipe;
    if (!matched) return action.kind === "block" ? void (yield* this.#skip(action.statements)) : undefined;
    if (action.kind === "block") return yield* this.#block(recipe, action.statements);
    this.#succeeded = false;
    const verdict = yield* this.#act(recipe, action);
    this.state.trace?.({ kind: "action", recipe, ok: this.#succeeded, folder: this.#succeeded ? this.state.variables.get("LASTFOLDER") : undefined });
    return verdict;
  }

  /** With the flags and the lock that its expanded first line names; undefined: that is longer than LINEBUF, and the file is done with. */
  *#started(recipe: Recipe, start: Expansion): Asking<Recipe | undefined> {
    const words = yield* expandWords(start, this.state, false);
    if (words === undefined) {
      yield* this.state.overflow();
      return void this.#leaveRc();
    }
    const { flags, lock, skipped } = readStart(words.words);
    if (skipped !== undefined) yield* this.state.say(`Skipped "${skipped}"`);
    return { ...recipe, flags, lock };
  }

  *#suppressed({ flags }: Recipe): Asking<void> {
    if (flags.has("e") && flags.has("E")) yield* this.state.say("Conflicting else-if-flag suppressed");
    if (flags.has("e") && flags.has("a")) yield* this.state.say("Conflicting also-if-succeeded-flag suppressed");
  }

  /** procmail reads through a block that it does not enter, or leaves to a clone, and says what is wrong in it. */
  *#skip(statements: readonly Statement[]): Asking<void> {
    for (const statement of statements) {
      if (statement.kind === "fault" && statement.text !== "Missing closing brace") yield* this.#statement(statement);
      if (statement.kind !== "recipe") continue;
      yield* this.#suppressed(statement);
      for (const what of extraneous(statement)) yield* this.state.say(`Extraneous ${what} ignored`);
      if (statement.action.kind === "block") yield* this.#skip(statement.action.statements);
    }
  }

  /** The flag that keeps a recipe from being tried. "e" suppresses E and a. */
  #chained(flags: Recipe["flags"]): "A" | "a" | "E" | "e" | undefined {
    if (flags.has("A") && !this.#last) return "A";
    if (flags.has("e")) return this.#previous && !this.#succeeded ? undefined : "e";
    if (flags.has("a") && !(this.#last && this.#succeeded)) return "a";
    return flags.has("E") && this.#previous ? "E" : undefined;
  }

  *#act(recipe: Recipe, action: Exclude<Action, { readonly kind: "block" }>): Asking<Verdict | undefined> {
    const { flags } = recipe;
    switch (action.kind) {
      case "none":
        return undefined;
      case "pipe": {
        if (flags.has("c") && (flags.has("f") || action.capture !== undefined)) yield* this.state.say("Extraneous copy-flag ignored");
        if (action.command.length > this.state.lineBuffer) return void (yield* this.state.overflow());
        return yield* this.#result(recipe, yield* toProgram(this.state, recipe, action.command, action.capture), action.capture);
      }
      case "forward":
      case "folder": {
        if (recipe.actionFault?.open === true) return undefined;
        const words = yield* expandWords(action.kind === "forward" ? action.addresses : action.folders, this.state, action.kind === "forward");
        if (words === undefined) return void (yield* this.state.overflow());
        return yield* this.#result(recipe, action.kind === "forward" ? yield* toAddresses(this.state, recipe, words) : yield* toFolders(this.state, recipe, words.words), undefined);
      }
    }
  }

  *#result(recipe: Recipe, result: PipeResult, capture: string | undefined): Asking<Verdict | undefined> {
    if (result === held) return undelivered("a lock of the rc file is kept by another program");
    this.#succeeded = result !== undefined;
    if (result === undefined || result === "filtered") return undefined;
    if ("captured" in result) {
      const name = capture ?? "";
      this.state.trace?.({ kind: "assign", line: recipe.actionLine, name, value: result.captured });
      this.state.put(name, result.captured);
      return yield* this.#turn(yield* special(this.state, name, result.captured), recipe.actionLine);
    }
    yield* this.#note(result, recipe.flags.has("c"));
    return recipe.flags.has("c") ? undefined : { kind: "delivered", folder: result.folder, exit: undefined };
  }

  /** A copy is told of at once where LOGABSTRACT says so; the rest at the end. */
  *#note(done: Done, copy: boolean): Asking<void> {
    this.state.last = { ...this.state.last, folder: done.folder, octets: done.octets };
    if (copy && this.state.abstracts === "all") yield* logDelivery(this.state, undefined);
  }

  *#block(recipe: Recipe, statements: readonly Statement[]): Asking<Verdict | undefined> {
    const frame: Frame = { statements, index: 0, rcName: this.state.rcName, before: { last: this.#last, previous: this.#previous } };
    this.#succeeded = true;
    if (recipe.flags.has("c")) return yield* this.#clone(recipe, frame);
    this.#frames.push(frame);
    return undefined;
  }

  /** Goes on by itself to its own end, before the original does. */
  *#clone(recipe: Recipe, frame: Frame): Asking<Verdict | undefined> {
    const lock = yield* localLock(this.state, recipe, "");
    if (lock === held) return undelivered("a lock of the rc file is kept by another program");
    yield* this.state.tell(`Forking "procmail"`);
    const clone = new RuleRun(this.state.setting, this.state.mail, this.state.pid, this.state.copy());
    clone.#goOnLike(this, frame);
    this.state.trace?.({ kind: "clone", recipe, began: true });
    const verdict = yield* clone.finish(yield* clone.#statements());
    this.state.trace?.({ kind: "clone", recipe, began: false });
    if (lock !== "") yield* this.state.unlock(lock);
    yield* this.#skip(frame.statements);
    // Its mail has not arrived: the whole delivery has to be tried again.
    return verdict.kind === "undelivered" ? verdict : undefined;
  }
}

const undelivered = (why: string): Verdict => ({ kind: "undelivered", why, exit: undefined });
