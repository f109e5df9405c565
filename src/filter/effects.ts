/**
 * What an rc file wants done, one request at a time. `RuleRun` (run.ts) decides and yields these; whoever drives it does them,
 * or says what would be done, and answers. So rules have no files, processes or clock of their own.
 */

/** Starts a program with `input` on its standard input and waits for its end. */
export interface RunEffect {
  readonly kind: "run";
  readonly purpose: "condition" | "output" | "filter" | "capture" | "pipe" | "forward" | "trap";
  /** latin1 text standing for octets, as everywhere in rules. */
  readonly argv: readonly string[];
  readonly input: readonly Buffer[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Seconds; 0 is no limit. */
  readonly timeout: number;
  readonly umask: number;
  /** Where its standard error goes, and its standard output when nobody reads that: as `file` of a log effect. */
  readonly log: string;
}

export interface RunAnswer {
  readonly started: boolean;
  /** Exit status; 128 and the number for a signal or time-out. */
  readonly status: number;
  readonly output: Buffer;
  /** The program did not take all its input. */
  readonly inputLeft: boolean;
}

export interface DeliverEffect {
  readonly kind: "deliver";
  /** Absolute. "dir/" Maildir, "dir/." MH, else a directory if it is one, else an mbox file. More than one only for directories. */
  readonly folders: readonly string[];
  /** `From ` line with LF, "" when the message part has none. */
  readonly fromLine: string;
  /** Without `From ` line, LF line ends. */
  readonly octets: Buffer;
  /** Lock file to hold meanwhile, for an mbox; "" for none. */
  readonly lock: string;
  readonly raw: boolean;
  readonly prefix: string;
  /** IMAP flags and keywords of the new message, by an extension; else none. */
  readonly flags: readonly string[];
}

export type DeliverAnswer = { readonly ok: true; readonly names: readonly string[]; readonly octets: number } | { readonly ok: false; readonly why: string };

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
  /** Text for the LOGFILE, or "" where none is named. */
  | { readonly kind: "log"; readonly file: string; readonly text: string };

export type Answer = RunAnswer | DeliverAnswer | Buffer | boolean | undefined;

/** A computation that asks for effects and is given their answers. */
export type Asking<T> = Generator<Effect, T, Answer>;

const notStarted: RunAnswer = { started: false, status: 127, output: Buffer.alloc(0), inputLeft: true };

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
