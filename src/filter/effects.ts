/**
 * What an rc file wants done, one request at a time. `RuleRun` (run.ts) decides and yields these; whoever drives it does them,
 * or says what would be done, and answers. So rules have no files, processes or clock of their own.
 */
import { Octets } from "../message/octets.ts";

/** Starts a program with `input` on its standard input. */
export interface RunEffect {
  readonly kind: "run";
  readonly purpose: "condition" | "output" | "filter" | "capture" | "pipe" | "forward" | "reply" | "trap";
  /** latin1 text standing for octets, as everywhere in rules. */
  readonly argv: readonly string[];
  /** What messages call it: the text for a shell, or the program. */
  readonly name: string;
  readonly input: Octets;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Seconds; 0 is no limit. */
  readonly timeout: number;
  readonly umask: number;
  /** false: nobody looks at its exit status, and what it does once it has its input need not be waited for. */
  readonly waits: boolean;
  /** How often it is tried again, `suspend` seconds later, where the system has no process or memory left; negative: until it has. */
  readonly retries: number;
  readonly suspend: number;
  /** Where its standard error goes, and its standard output when nobody reads that: as `file` of a log effect. */
  readonly log: string;
}

export interface RunAnswer {
  readonly started: boolean;
  /** Exit status; 128 and the number for a signal or time-out. */
  readonly status: number;
  /** Number of the signal that ended it. */
  readonly signal?: number;
  readonly output: Octets;
  /** The program did not take all its input. */
  readonly inputLeft: boolean;
}

export interface DeliverEffect {
  readonly kind: "deliver";
  /** Absolute. "dir/" Maildir, "dir/." MH, else a directory if it is one, else an mbox file. More than one only for directories. */
  readonly folders: readonly string[];
  /** `From ` line with LF, "" when the message part has none. */
  readonly fromLine: string;
  /** What an mbox gets for it. */
  readonly postmark: string;
  /** Without `From ` line, LF line ends. */
  readonly octets: Octets;
  /** Lock file to hold meanwhile, for an mbox; "" for none. */
  readonly lock: string;
  readonly raw: boolean;
  readonly prefix: string;
  /** Of what is made. Where it lets others execute, an mbox or a directory that took mail gets o+x. */
  readonly umask: number;
  /** IMAP flags and keywords of the new message, by an extension; else none. */
  readonly flags: readonly string[];
}

export type DeliverAnswer =
  | {
      readonly ok: true;
      /** The file in each folder, "" for a folder that is no directory behind one that is: it got nothing. */
      readonly names: readonly string[];
      readonly octets: number;
      /** Where in an mbox the message begins. */
      readonly offset?: number;
      /** The lock file could not be made; the folder's own locks were held. */
      readonly unlocked?: boolean;
    }
  | { readonly ok: false; readonly why: string };

/** "held": somebody else keeps it. "impossible": there is no such directory, or it can not be written. */
export type LockAnswer = "locked" | "held" | "impossible";

export type Effect =
  | RunEffect
  | DeliverEffect
  | { readonly kind: "lock"; readonly path: string; readonly sleep: number; readonly timeout: number }
  | { readonly kind: "unlock"; readonly path: string }
  /** An rc file to include. */
  | { readonly kind: "read"; readonly path: string }
  /** Can this be the current directory? */
  | { readonly kind: "directory"; readonly path: string }
  /** DROPPRIVS: from here on with the rights of the recipient. */
  | { readonly kind: "drop-privileges" }
  /** The end of a command line "|": false where there is no standard output. */
  | { readonly kind: "stdout"; readonly octets: Octets }
  /** comsat(8): tells that mail has come. Nobody waits for it. */
  | { readonly kind: "comsat"; readonly service: string; readonly host: string; readonly text: string }
  /** True when this key was not given, or not within these seconds; then it is from now on, for good, before the answer. */
  | { readonly kind: "once"; readonly path: string; readonly key: string; readonly seconds: number }
  /** Takes back what the last "once" has noted. */
  | { readonly kind: "forget"; readonly path: string; readonly key: string }
  /** Text for the LOGFILE, or "" where none is named. */
  | { readonly kind: "log"; readonly file: string; readonly text: string };

export type Answer = RunAnswer | DeliverAnswer | LockAnswer | Buffer | boolean | undefined;

/** A computation that asks for effects and is given their answers. */
export type Asking<T> = Generator<Effect, T, Answer>;

const notStarted: RunAnswer = { started: false, status: 127, output: Octets.of(Buffer.alloc(0)), inputLeft: true };

export function* run(effect: RunEffect): Asking<RunAnswer> {
  const answer = yield effect;
  return typeof answer === "object" && "started" in answer ? answer : notStarted;
}

export function* deliver(effect: DeliverEffect): Asking<DeliverAnswer> {
  const answer = yield effect;
  return typeof answer === "object" && "ok" in answer ? answer : { ok: false, why: "not done" };
}

export function* readFile(path: string): Asking<Buffer | undefined> {
  const answer = yield { kind: "read", path };
  return Buffer.isBuffer(answer) ? answer : undefined;
}

export function* asked(effect: Effect): Asking<boolean> {
  return (yield effect) === true;
}

export function* lock(effect: Extract<Effect, { readonly kind: "lock" }>): Asking<LockAnswer> {
  const answer = yield effect;
  return answer === "held" || answer === "impossible" ? answer : answer === true || answer === "locked" ? "locked" : "impossible";
}
