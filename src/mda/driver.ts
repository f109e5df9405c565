/**
 * Does what rules decide: drives a RuleRun (filter/run.ts) and answers its effects with files, locks and processes. The user's
 * agent and the command procmail(1) use it alike; what they differ in is their Seat.
 */
import { closeSync, lstatSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout } from "node:timers/promises";
import type { Answer, Asking, DeliverAnswer, DeliverEffect, Effect, LockAnswer, RunAnswer, RunEffect } from "../filter/effects.ts";
import { endsEmpty } from "../filter/mail.ts";
import type { Verdict } from "../filter/run.ts";
import type { Patience } from "../store/dotlock.ts";
import type { Octets } from "../message/octets.ts";
import { StoreFault } from "../store/mailbox.ts";
import { forgetLooks, look } from "../sys/turn.ts";
import type { CommandEnd } from "./command.ts";
import { notifyComsat } from "./comsat.ts";
import { deliverFiles, folderKind, type FolderKind, type FolderMessage } from "./folder-file.ts";
import { appendLog, openLog } from "./log-file.ts";
import { deliverMbox } from "./mbox-file.ts";
import { Gathering, type Measure } from "./gathering.ts";
import { forget, once } from "./once.ts";
import { hold } from "./path-locks.ts";
import { prepared, runnable, type Start } from "./program.ts";
import { includedRc } from "./rc-file.ts";

/** Where rules run. Texts that stand for octets are latin1 in rules, and UTF-8 here. */
export interface Seat {
  /** ms since the epoch. */
  readonly arrived: number;
  /** Of this process. */
  readonly umask: number;
  /** For dotlocks; LOCKSLEEP and LOCKTIMEOUT can make it shorter. */
  readonly patience: Patience;
  /** ms a command may run whatever TIMEOUT says; 0 is no limit. */
  readonly timeLimit: number;
  /** Octets of output of filters and captures; more is no result. */
  readonly outputLimit: number;
  /** How much of such output is in memory; the usual where it is left out. */
  readonly measure?: Measure;
  /** Octets an mbox may grow to; 0 is no limit. */
  readonly mailboxLimit: number;
  /** -Y: Content-Length fields are not believed. */
  readonly berkeley: boolean;
  /** See CommandRequest. */
  readonly insteadOfRoot: string | undefined;
  /** Delivers to the folder of the user's own store that the path names; undefined when it names none. Rejects as a store does. */
  toStore(path: string, message: FolderMessage): Promise<"maildir" | "mailbox" | undefined>;
  /** The text for the rules of a delivery that failed. */
  failed(fault: unknown, where: string): string;
  /** From here on with the rights of the recipient. Throws when they can not be taken: nothing may be done then. */
  dropPrivileges(): void;
  /** True: nothing else goes on in this process. */
  readonly alone?: boolean;
  /** Where commands' errors go that have no LOGFILE; undefined: said as lines. */
  readonly errors?: number;
  /** A system mailbox in a directory where this process can make no lock file: the kernel's lock must do. */
  bypassesLock?(path: string): boolean;
  /** Has that lock file made by who may; undefined: nobody does. Rejects with StoreFault "in-use". */
  lockFor?(path: string, lock: string): Promise<(() => void) | undefined>;
  /** Before each effect, with the paths it touches: the place to give up rights in time. */
  before?(paths: readonly string[]): void;
  /** Standard output, where there is one: the folder "|". Has written all when it returns true. */
  toOutput?(octets: Octets): boolean;
  /** One line for which there is no LOGFILE. */
  say(line: string): void;
}

/** Why `drive` was left half way. Nothing is under way any more, and no lock is held. */
export class Interrupted extends Error {}

export class Driver {
  readonly #seat: Seat;
  #interrupted = false;
  /** Of the command that runs. */
  #command: AbortController | undefined;
  readonly #held = new Map<string, () => void>();
  /** Output of commands, which the mail may be part of. */
  readonly #outputs: Gathering[] = [];
  /** What the last delivery that succeeded was, as logs tell it. */
  success = "";

  constructor(seat: Seat) {
    this.#seat = seat;
  }

  /** Ends the command under way, and what would come behind the step under way: a folder gets all of the message or nothing. */
  interrupt(): void {
    this.#interrupted = true;
    this.timeOut();
  }

  /** Ends the command under way as its time limit would. */
  timeOut(): void {
    this.#command?.abort();
  }

  /** Rejects with Interrupted, or on bugs. All locks are free when it settles. */
  async drive(decisions: Asking<Verdict>): Promise<Verdict> {
    try {
      let step = decisions.next();
      while (step.done !== true) {
        if (this.#interrupted) throw new Interrupted();
        this.#seat.before?.(pathsOf(step.value));
        const answer = await this.#answer(step.value);
        if (step.value.kind !== "directory") forgetLooks();
        if (this.#interrupted && step.value.kind !== "deliver") throw new Interrupted();
        step = decisions.next(answer);
      }
      return step.value;
    } finally {
      for (const release of this.#held.values()) release();
      for (const output of this.#outputs) output.close();
    }
  }

  async #answer(effect: Effect): Promise<Answer> {
    switch (effect.kind) {
      case "run":
        return this.#run(effect);
      case "deliver":
        return this.#deliver(effect);
      case "lock":
        return this.#lock(effect);
      case "unlock":
        this.#held.get(effect.path)?.();
        this.#held.delete(effect.path);
        return undefined;
      case "read":
        return includedRc(utf8(effect.path));
      case "directory":
        return look(utf8(effect.path))?.isDirectory() === true;
      case "once":
        return this.#once(effect);
      case "forget":
        await forget(utf8(effect.path), effect.key).catch((fault: unknown) => this.#note("", String(fault)));
        return undefined;
      case "drop-privileges":
        this.#seat.dropPrivileges();
        return undefined;
      case "stdout":
        return this.#seat.toOutput?.(effect.octets) === true;
      case "comsat":
        notifyComsat(effect);
        return undefined;
      case "log":
        this.#log(effect.file, Buffer.from(effect.text, "latin1"));
        return undefined;
    }
  }

  /** What can not be remembered is not done. */
  async #once({ path, key, seconds }: Extract<Effect, { readonly kind: "once" }>): Promise<boolean> {
    try {
      return await once(utf8(path), key, seconds, Math.floor(Date.now() / 1000));
    } catch (fault) {
      this.#note("", `${utf8(path)}: ${fault instanceof Error ? fault.message : String(fault)}`);
      return false;
    }
  }

  async #run(effect: RunEffect): Promise<RunAnswer> {
    const { timeLimit, outputLimit, measure } = this.#seat;
    const reads = effect.purpose === "filter" || effect.purpose === "capture" || effect.purpose === "output";
    // Loaded when it is needed: a command that is started for each message must start quickly.
    const { notStarted, runCommand } = await import("./command.ts");
    const log = this.#logDescriptor(effect);
    const output = new Gathering(reads ? outputLimit : 64 * 1024, measure);
    this.#outputs.push(output);
    this.#command = new AbortController();
    try {
      const end = await this.#tried(effect, notStarted, (started) =>
        runCommand({
          ...started,
          cwd: utf8(effect.cwd),
          input: effect.input,
          timeLimit: Math.min(effect.timeout === 0 ? Infinity : effect.timeout * 1000, timeLimit === 0 ? 0x7fffffff : timeLimit),
          output,
          errors: log === undefined ? "apart" : { fd: log },
          ...(reads ? {} : { unread: effect.purpose === "trap" ? ("errors" as const) : ("nowhere" as const) }),
          waits: effect.waits,
          stop: this.#command?.signal,
          insteadOfRoot: this.#seat.insteadOfRoot,
        }),
      );
      this.#tell(effect, end, reads);
      this.#succeeded(effect, end);
      return answerOf(effect, end, reads);
    } finally {
      this.#command = undefined;
      if (log !== undefined && log > 2) closeSync(log);
    }
  }

  /** Again and again as long as there are no processes, memory or descriptors to be had: NORESRETRY, SUSPEND. Never longer than a command may run. */
  async #tried(effect: RunEffect, notStarted: (fault: unknown) => CommandEnd, start: (wanted: Start) => Promise<CommandEnd>): Promise<CommandEnd> {
    const until = this.#seat.timeLimit === 0 ? Infinity : performance.now() + this.#seat.timeLimit;
    for (let tries = 0; ; tries++) {
      const end = await this.#started(effect, notStarted, start);
      const again = end.kind === "not-started" && end.temporary && (effect.retries < 0 || tries < effect.retries) && performance.now() < until;
      if (!again) return end;
      await pause(Math.max(effect.suspend, 0) * 1000, this.#command?.signal);
      if (this.#command?.signal.aborted === true) return end;
    }
  }

  /** A process that does nothing else takes the umask for the moment of the start; in another a shell on the way does. */
  async #started({ argv, env, umask, cwd }: RunEffect, notStarted: (fault: unknown) => CommandEnd, start: (wanted: Start) => Promise<CommandEnd>): Promise<CommandEnd> {
    const words = runnable(argv, utf8(env.PATH ?? ""), utf8(cwd));
    if (words === undefined) return notStarted(new Error("no such program"));
    const { alone, umask: own } = this.#seat;
    if (umask === own) return start(prepared(words, env, undefined));
    if (alone !== true) return start(prepared(words, env, umask));
    process.umask(umask);
    try {
      return start(prepared(words, env, undefined));
    } finally {
      process.umask(own);
    }
  }

  /** Commands write to the LOGFILE themselves; undefined where there is none, or it can not be had. */
  #logDescriptor(effect: RunEffect): number | undefined {
    if (effect.log === "") return this.#seat.errors;
    try {
      return openLog(utf8(effect.log), 0o666 & ~effect.umask);
    } catch {
      return undefined;
    }
  }

  #succeeded(effect: RunEffect, end: CommandEnd): void {
    const argv = effect.argv.map(utf8);
    const status = end.kind === "exit" ? end.status : -1;
    if (effect.purpose === "pipe") this.success = `delivered to command: ${argv.at(-1) ?? ""}${status === 0 ? "" : " (its status is not looked at)"}`;
    if (effect.purpose === "forward" && status === 0) this.success = `forwarded as ${argv.slice(1).filter((word) => !word.startsWith("-")).join(", ")}`;
  }

  /** What a command said where there is no LOGFILE, and how it failed. */
  #tell(effect: RunEffect, end: CommandEnd, reads: boolean): void {
    if (end.errors.length > 0) this.#log(effect.log, end.errors);
    const name = utf8(effect.name);
    if (end.kind === "not-started") this.#note(effect.log, end.temporary ? `Failed forking "${name}"` : `Failed to execute "${name}": ${end.why}`);
    if (end.kind === "timeout" && !this.#interrupted) this.#note(effect.log, `Timeout, terminating "${name}"`);
    if (end.excess && reads) this.#note(effect.log, `Excessive output quenched from "${name}"`);
  }

  async #deliver(effect: DeliverEffect): Promise<DeliverAnswer> {
    const paths = effect.folders.map(utf8);
    const [named = "", ...others] = paths;
    // A file is written to as one, though its name asks for a directory.
    const bare = named.replace(/\/\.?$/, "");
    const first = bare !== named && look(bare)?.isFile() === true ? bare : named;
    try {
      if (folderKind(first) !== undefined) return await this.#toDirectories(paths, effect);
      const done = await this.#toMbox(first, effect);
      // procmail takes further folders only behind a directory.
      return { ok: true, ...done, names: [latin1(first), ...others.map(() => "")] };
    } catch (fault) {
      return { ok: false, why: this.#seat.failed(fault, paths.join(" ")) };
    }
  }

  #message(effect: DeliverEffect): FolderMessage {
    return { octets: effect.octets, fromLine: effect.fromLine, arrived: this.#seat.arrived, flags: effect.flags };
  }

  async #toMbox(path: string, effect: DeliverEffect): Promise<{ readonly octets: number; readonly offset?: number; readonly unlocked?: boolean }> {
    const { umask: ownUmask, patience, mailboxLimit, berkeley } = this.#seat;
    const message = { ...this.#message(effect), fromLine: effect.postmark };
    const kind = effect.raw ? undefined : await this.#seat.toStore(path, message);
    if (kind !== undefined) {
      this.success = `delivered to ${kind}`;
      return { octets: effect.postmark.length + effect.octets.length };
    }
    const wanted = this.#held.has(effect.lock) ? "" : utf8(effect.lock);
    const bypasses = wanted !== "" && this.#seat.bypassesLock?.(path) === true;
    const release = bypasses ? await this.#seat.lockFor?.(path, wanted) : undefined;
    try {
      const done = await deliverMbox(path, message, { umask: effect.umask, ownUmask, patience, sizeLimit: mailboxLimit, lock: bypasses ? "" : wanted, raw: effect.raw, berkeley });
      this.success = `delivered to file: ${path}`;
      return done;
    } finally {
      release?.();
    }
  }

  /** Folders of the user's store get the message through it, the others links to one file. */
  async #toDirectories(paths: readonly string[], effect: DeliverEffect): Promise<DeliverAnswer> {
    const message = this.#message(effect);
    const names = new Map<string, string>();
    const files: { readonly path: string; readonly kind: FolderKind }[] = [];
    for (const [i, path] of paths.entries()) {
      const kind = folderKind(path) ?? (i > 0 && absent(path) ? "directory" : undefined);
      if (kind === undefined) continue;
      const stored = effect.raw || kind === "directory" ? undefined : await this.#seat.toStore(path, message);
      if (stored === undefined) files.push({ path, kind });
      else names.set(path, path);
      this.success = `delivered to ${stored ?? (kind === "maildir" ? "maildir" : "mailbox")}`;
    }
    if (files.length > 0) {
      const made = await deliverFiles(files, message, { umask: effect.umask, ownUmask: this.#seat.umask, prefix: effect.prefix, raw: effect.raw });
      for (const [i, { path }] of files.entries()) names.set(path, made[i] ?? path);
    }
    // What the first folder holds, all hold.
    const bare = effect.octets.length;
    const octets = folderKind(paths[0] ?? "") === "maildir" ? bare : bare + effect.fromLine.length + (effect.raw || endsEmpty(effect.octets) ? 0 : 1);
    return { ok: true, names: paths.map((path) => latin1(names.get(path) ?? "")), octets };
  }

  async #lock({ path, sleep, timeout }: Extract<Effect, { readonly kind: "lock" }>): Promise<LockAnswer> {
    const { attempts, delay } = this.#seat.patience;
    const patience = { attempts, delay: Math.max(Math.min(sleep * 1000, delay), 1), stale: timeout === 0 ? 0x7fffffff : Math.max(timeout * 1000, 2000) };
    if (this.#held.has(path)) return "locked";
    try {
      this.#held.set(path, await hold(utf8(path), patience));
      return "locked";
    } catch (fault) {
      this.#note("", `lock ${path}: ${fault instanceof Error ? fault.message : String(fault)}`);
      return fault instanceof StoreFault && fault.kind === "in-use" ? "held" : "impossible";
    }
  }

  #note(file: string, text: string): void {
    this.#log(file, Buffer.from(`procmail: ${text}\n`));
  }

  /** To the user's LOGFILE; what goes nowhere is said where the rules run. */
  #log(file: string, octets: Buffer): void {
    if (file !== "") {
      try {
        appendLog(utf8(file), octets);
        return;
      } catch (fault) {
        this.#seat.say(`cannot write LOGFILE ${utf8(file)}: ${fault instanceof Error ? fault.message : String(fault)}`);
      }
    }
    for (const line of octets.toString("latin1").split("\n").slice(0, 20)) if (line !== "") this.#seat.say(line);
  }
}

/** Octets kept as latin1, as the text that Node wants for paths, arguments and environment. */
const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");

function answerOf(effect: RunEffect, end: CommandEnd, reads: boolean): RunAnswer {
  const signal = end.kind === "timeout" ? constants.signals.SIGTERM : end.kind === "signal" ? signalNumber(end.signal) : undefined;
  const status = end.kind === "exit" ? end.status : 128 + (signal ?? -1);
  // Output that was cut is no result: the original must stay.
  return { started: end.kind !== "not-started", ...(signal === undefined ? {} : { signal }), status: end.excess && reads && status === 0 ? 1 : status, output: end.output, inputLeft: end.inputLeft || (end.excess && effect.purpose === "filter") };
}

/** What an effect touches. */
function pathsOf(effect: Effect): readonly string[] {
  switch (effect.kind) {
    case "run":
      return [effect.cwd, ...(effect.log === "" ? [] : [effect.log])].map(utf8);
    case "deliver":
      return [...effect.folders, ...(effect.lock === "" ? [] : [effect.lock])].map(utf8);
    case "lock":
    case "unlock":
    case "read":
    case "directory":
    case "once":
    case "forget":
      return [utf8(effect.path)];
    case "log":
      return effect.file === "" ? [] : [utf8(effect.file)];
    case "drop-privileges":
    case "stdout":
    case "comsat":
      return [];
  }
}

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

/** Resolves after `ms`, or when it is aborted. */
const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> => setTimeout(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);

const absent = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) === undefined;

const signalNumber = (name: string): number | undefined => Object.entries(constants.signals).find(([known]) => known === name)?.[1];
