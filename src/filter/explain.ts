/**
 * What an rc file would do with a mail: obeys it without doing anything. Commands are not run, but taken to end as the caller says; folders
 * are looked at, not written. The run is the one that delivers (run.ts); only the answers to its effects differ.
 */
import { Octets } from "../message/octets.ts";
import type { Rc, Recipe, Test } from "../recipe/tree.ts";
import { excerpt, type Excerpt } from "./explain-excerpt.ts";
import type { Answer, Asking, DeliverAnswer, DeliverEffect, Effect, RunAnswer, RunEffect } from "./effects.ts";
import { obeyGlobal } from "./global.ts";
import type { Setting } from "./environment.ts";
import { endedByEmptyLine, type Mail } from "./mail.ts";
import { RuleRun, type Verdict } from "./run.ts";
import type { TraceEvent } from "./trace.ts";

export type FolderKind = "Maildir" | "MH" | "directory" | "mbox";

/** What can be seen of the world without changing it. Paths are absolute, octets as latin1. Nothing throws. */
export interface World {
  rcFile(path: string): Buffer | undefined;
  isDirectory(path: string): boolean;
  isThere(path: string): boolean;
  /** Why a mail could not be put there, as far as can be seen beforehand. */
  refusal(path: string, kind: FolderKind | "lock"): string | undefined;
  /** How a command is to be taken to end; undefined: status 0, and no output, or for a filter its input. */
  command(text: string): { readonly status: number; readonly output: Buffer | undefined } | undefined;
}

/** Texts stand for octets as latin1. */
export type Doing =
  | { readonly kind: "command"; readonly purpose: RunEffect["purpose"]; readonly command: string; readonly status: number; readonly output: string | undefined; /** By the caller, not by default. */ readonly given: boolean; /** Of an answer, what would be sent. */ readonly input: string | undefined }
  | { readonly kind: "folder"; readonly path: string; readonly as: FolderKind; readonly octets: number; readonly lock: string; readonly flags: readonly string[]; readonly fault: string | undefined }
  | { readonly kind: "lock"; readonly path: string; readonly fault: string | undefined }
  /** Would be noted, had it not been before; whether it was is not looked at. */
  | { readonly kind: "once"; readonly path: string; readonly key: string; readonly seconds: number }
  | { readonly kind: "read"; readonly path: string; readonly found: boolean }
  | { readonly kind: "directory"; readonly path: string; readonly found: boolean }
  | { readonly kind: "log"; readonly file: string; readonly text: string };

export interface ConditionStep {
  readonly line: number;
  readonly text: string;
  /** What "$" made of it. */
  readonly became: string | undefined;
  readonly test: Test["kind"];
  readonly negated: boolean;
  readonly holds: boolean;
  readonly found: Excerpt | undefined;
  /** MATCH, when this condition set it. */
  readonly match: string | undefined;
  /** Octets that a size test has seen. */
  readonly size: number | undefined;
  readonly weighted: { readonly added: number; readonly score: number } | undefined;
  readonly doing: readonly Doing[];
}

interface Placed {
  readonly file: string;
  readonly line: number;
  /** Blocks and included files around it. */
  readonly depth: number;
  readonly doing: Doing[];
}

export interface RecipeStep extends Placed {
  readonly kind: "recipe";
  readonly flags: string;
  readonly lock: boolean;
  /** The flag that kept its conditions from being looked at. */
  readonly chained: "A" | "a" | "E" | "e" | undefined;
  readonly conditions: ConditionStep[];
  matched: boolean;
  score: number | undefined;
  readonly action: { readonly kind: Recipe["action"]["kind"]; readonly line: number; readonly text: string };
  /** undefined: not tried, or a block. */
  ok: boolean | undefined;
  /** Where the mail would then be, as LASTFOLDER has it. */
  folder: string | undefined;
  copy: boolean;
}

export type Step =
  | (Placed & { readonly kind: "rc"; readonly entered: boolean })
  | (Placed & { readonly kind: "assign"; readonly name: string; readonly value: string | undefined })
  | (Placed & { readonly kind: "extension"; readonly name: string; readonly how: string; readonly value: string; readonly said: string | undefined })
  | (Placed & { readonly kind: "clone"; readonly began: boolean })
  | RecipeStep
  /** Behind the last statement: DEFAULT and ORGMAIL, TRAP. */
  | (Placed & { readonly kind: "end" });

export interface Explanation {
  readonly steps: readonly Step[];
  readonly verdict: Verdict;
  /** The recipe that ended the delivery. */
  readonly winner: { readonly file: string; readonly line: number } | undefined;
}

/** An rc file, and what messages call it. */
export interface NamedRc {
  readonly rc: Rc;
  readonly name: string;
}

/** @param name of the rc file in messages  @param pid for $$  @param global what is obeyed before: /etc/procmailrc */
export function explain(rc: Rc, name: string, mail: Mail, setting: Setting, world: World, assignments: readonly (readonly [string, string])[], pid: number, global?: NamedRc): Explanation {
  return new Explaining(new RuleRun(setting, mail, pid), world).whole({ rc, name }, assignments, global);
}

class Explaining {
  readonly #run: RuleRun;
  readonly #world: World;
  readonly #steps: Step[] = [];
  /** Under way, with the depth around each. */
  #files: { readonly name: string; readonly depth: number }[] = [];
  #depth = 0;
  /** What was asked for since the last step, and belongs to the next. */
  #pending: Doing[] = [];
  /** Of the step that takes what is asked for now. */
  #current: Doing[] | undefined;
  /** Recipes whose end is to come. */
  #recipes = new Map<Recipe, RecipeStep>();
  /** Where the runs that wait for a clone are. */
  readonly #before: { readonly files: readonly { readonly name: string; readonly depth: number }[]; readonly depth: number }[] = [];
  #winner: Explanation["winner"];

  constructor(run: RuleRun, world: World) {
    this.#run = run;
    this.#world = world;
  }

  whole({ rc, name }: NamedRc, assignments: readonly (readonly [string, string])[], global: NamedRc | undefined): Explanation {
    const run = this.#run;
    run.trace = (event) => this.#listen(event);
    const left = (): void => {
      this.#files = [];
      this.#depth = 0;
    };
    const decisions = (function* (): Asking<Verdict> {
      for (const [variable, value] of assignments) yield* run.assign(variable, value);
      if (global !== undefined) {
        const verdict = yield* obeyGlobal(run, global.rc, global.name);
        if (verdict !== undefined) return yield* run.finish(verdict);
        left();
      }
      return yield* run.obey(rc, name);
    })();
    let step = decisions.next();
    while (step.done !== true) step = decisions.next(this.#answer(step.value));
    if (this.#pending.length > 0) this.#add({ kind: "end", line: 0 });
    return { steps: this.#steps, verdict: step.value, winner: this.#winner };
  }

  // ---------------------------------------------------------------- events

  #add<S extends { readonly kind: Step["kind"]; readonly line: number }>(step: S): S & Placed {
    const placed = { ...step, file: this.#files.at(-1)?.name ?? "", depth: this.#depth, doing: this.#pending };
    this.#pending = [];
    this.#current = placed.doing;
    this.#steps.push(placed as unknown as Step);
    return placed;
  }

  #listen(event: TraceEvent): void {
    switch (event.kind) {
      case "rc":
        return this.#rc(event.name, event.entered);
      case "assign":
        return void this.#add(event);
      case "extension":
        return void this.#add(event);
      case "recipe":
        return this.#recipe(event.recipe, event.chained);
      case "condition":
        return this.#condition(event);
      case "matched":
        return this.#matched(event.recipe, event.matched, event.score);
      case "action":
        return this.#action(event.recipe, event.ok, event.folder);
      case "block-end":
        this.#depth--;
        this.#current = undefined;
        return;
      case "fall-back":
        this.#current = undefined;
        return;
      case "clone":
        return this.#clone(event.recipe, event.began);
    }
  }

  #rc(name: string, entered: boolean): void {
    if (entered) {
      this.#files.push({ name, depth: this.#depth });
      this.#add({ kind: "rc", line: 0, entered });
      if (this.#files.length > 1) this.#depth++;
    } else {
      this.#depth = this.#files.at(-1)?.depth ?? 0;
      this.#add({ kind: "rc", line: 0, entered });
      this.#files.pop();
    }
    this.#current = undefined;
  }

  #recipe(recipe: Recipe, chained: RecipeStep["chained"]): void {
    const { line, flags, action, actionLine, actionText } = recipe;
    const step = this.#add({
      kind: "recipe" as const,
      line,
      flags: [...flags].join(""),
      lock: recipe.lock !== undefined,
      chained,
      conditions: [],
      matched: false,
      score: undefined,
      action: { kind: action.kind, line: actionLine, text: actionText },
      ok: undefined,
      folder: undefined,
      copy: flags.has("c"),
    });
    if (chained === undefined) this.#recipes.set(recipe, step);
    // What conditions ask for is theirs.
    this.#current = undefined;
  }

  #condition({ condition, area, exact, holds, weighted }: Extract<TraceEvent, { readonly kind: "condition" }>): void {
    const [recipe, step] = [...this.#recipes].at(-1) ?? [];
    if (recipe === undefined || step === undefined) return;
    const { test, negated, text, line } = condition;
    const written = recipe.conditions.find((c) => c.line === line) ?? condition;
    const regex = test.kind === "regex";
    // Of a negated condition it is the failure that has a text to show.
    const matched = regex && (weighted === undefined ? holds !== negated : (weighted.added !== 0) !== negated);
    const match = matched && /\\\//.test(test.pattern) ? this.#run.variables.get("MATCH") : undefined;
    step.conditions.push({
      line,
      text: written.text,
      became: written.test.kind === "expanded" ? becameOf(text) : undefined,
      test: test.kind,
      negated,
      holds,
      found: matched ? excerpt(test.pattern, exact, area, condition, recipe, this.#run.mail) : undefined,
      match,
      size: test.kind === "size" ? (condition.area === undefined ? this.#run.mail.size : area.length) : undefined,
      weighted: weighted === undefined ? undefined : { added: weighted.added, score: weighted.score },
      doing: this.#pending,
    });
    this.#pending = [];
  }

  #matched(recipe: Recipe, matched: boolean, score: number | undefined): void {
    const step = this.#recipes.get(recipe);
    if (step === undefined) return;
    step.matched = matched;
    step.score = score;
    step.doing.push(...this.#pending);
    this.#pending = [];
    if (!matched || recipe.action.kind === "block") this.#recipes.delete(recipe);
    if (!matched) return;
    if (recipe.action.kind === "block") this.#depth++;
    this.#current = step.doing;
  }

  #action(recipe: Recipe, ok: boolean, folder: string | undefined): void {
    const step = this.#recipes.get(recipe);
    this.#recipes.delete(recipe);
    this.#current = undefined;
    if (step === undefined) return;
    step.ok = ok;
    const delivers = recipe.action.kind !== "pipe" || (recipe.action.capture === undefined && !recipe.flags.has("f"));
    if (!ok || !delivers) return;
    step.folder = folder;
    if (!step.copy) this.#winner = { file: step.file, line: step.line };
  }

  #clone(recipe: Recipe, began: boolean): void {
    if (began) {
      this.#before.push({ files: [...this.#files], depth: this.#depth - 1 });
      this.#add({ kind: "clone", line: recipe.line, began });
      this.#current = undefined;
      return;
    }
    if (this.#pending.length > 0) this.#add({ kind: "end", line: 0 });
    const before = this.#before.pop();
    this.#files = [...(before?.files ?? [])];
    this.#depth = before?.depth ?? 0;
    this.#add({ kind: "clone", line: recipe.line, began });
    // What won in the clone was the clone's mail.
    this.#winner = undefined;
    this.#current = undefined;
  }

  // ---------------------------------------------------------------- effects

  #note(doing: Doing): void {
    // Backquotes come before the assignment they are for.
    if (doing.kind === "command" && doing.purpose === "output" && !this.#recipePending()) this.#current = undefined;
    (this.#current ?? this.#pending).push(doing);
  }

  #recipePending(): boolean {
    const last = this.#steps.at(-1);
    return last?.kind === "recipe" && last.doing === this.#current;
  }

  #answer(effect: Effect): Answer {
    switch (effect.kind) {
      case "run":
        return this.#command(effect);
      case "deliver":
        return this.#deliver(effect);
      case "lock": {
        const fault = this.#world.refusal(effect.path, "lock");
        this.#note({ kind: "lock", path: effect.path, fault });
        return fault === undefined ? "locked" : "impossible";
      }
      case "once":
        this.#note({ kind: "once", path: effect.path, key: effect.key, seconds: effect.seconds });
        return true;
      case "forget":
      case "unlock":
      case "drop-privileges":
      case "comsat":
        return undefined;
      case "stdout":
        return true;
      case "read": {
        const octets = this.#world.rcFile(effect.path);
        this.#note({ kind: "read", path: effect.path, found: octets !== undefined });
        return octets;
      }
      case "directory": {
        const found = this.#world.isDirectory(effect.path);
        this.#note({ kind: "directory", path: effect.path, found });
        return found;
      }
      case "log":
        this.#note({ kind: "log", file: effect.file, text: effect.text });
        return undefined;
    }
  }

  #command({ argv, purpose, input, env }: RunEffect): RunAnswer {
    const shell = env.SHELL ?? "/bin/sh";
    const command = argv.length === 3 && argv[0] === shell ? (argv[2] ?? "") : argv.join(" ");
    const given = this.#world.command(command);
    const reads = purpose === "filter" || purpose === "capture" || purpose === "output";
    const output = given?.output === undefined ? (purpose === "filter" ? input : Octets.of(Buffer.alloc(0))) : Octets.of(given.output);
    const status = given?.status ?? 0;
    this.#note({ kind: "command", purpose, command, status, output: reads && (given?.output !== undefined || purpose !== "filter") ? output.toBuffer().toString("latin1") : undefined, given: given !== undefined, input: purpose === "reply" ? input.toBuffer().toString("latin1") : undefined });
    return { started: true, status, output, inputLeft: false };
  }

  #deliver(effect: DeliverEffect): DeliverAnswer {
    const { folders, lock, flags } = effect;
    const names: string[] = [];
    let octets = 0;
    let first: FolderKind | undefined;
    for (const path of folders) {
      const as = this.#kindOf(path, first !== undefined);
      // Only directories can have the mail together.
      if (first === "mbox" || as === undefined) {
        names.push("");
        continue;
      }
      first ??= as;
      const fault = this.#world.refusal(path, as);
      const size = written(effect, as);
      if (names.length === 0) octets = size;
      this.#note({ kind: "folder", path, as, octets: size, lock: as === "mbox" ? lock : "", flags, fault });
      if (fault !== undefined) return { ok: false, why: fault };
      names.push(path);
    }
    return { ok: true, names, octets };
  }

  /** A further folder that is not there becomes a directory; one that is a file is undefined. */
  #kindOf(path: string, further: boolean): FolderKind | undefined {
    if (path.endsWith("/.")) return "MH";
    if (path.endsWith("/")) return "Maildir";
    if (this.#world.isDirectory(path)) return "directory";
    return !further ? "mbox" : this.#world.isThere(path) ? undefined : "directory";
  }
}

/** Octets that a folder would grow by: a Maildir has the mail alone, others the `From ` line and an empty line, an mbox quotes too. */
function written({ fromLine, octets, raw }: DeliverEffect, as: FolderKind): number {
  if (as === "Maildir") return octets.length;
  if (raw) return fromLine.length + octets.length;
  const quotes = as === "mbox" ? (octets.toBuffer().toString("latin1").match(/^From /gm)?.length ?? 0) : 0;
  return fromLine.length + endedByEmptyLine(octets).length + quotes;
}

/** Of a "$" condition the text it has become, without what was read in front of the "$". */
const becameOf = (text: string): string => text.trim();
