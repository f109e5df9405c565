/** Runs one command with a message on its standard input, as the user this process is. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { getpwnam } from "../sys/passwd.ts";
import { makePipe } from "../sys/pipe.ts";

export interface CommandRequest {
  /** Program and arguments; no shell unless they name one. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly input: Buffer | readonly Buffer[];
  /** ms; 0 is no limit. */
  readonly timeLimit: number;
  /** Octets of standard output kept; more are read and thrown away. */
  readonly outputLimit: number;
  /** Where standard error goes: into the same output, or apart (bounded to 16 KiB). */
  readonly errors: "merged" | "apart";
  /**
   * Whom to run it as where this process is uid 0, as local(8) does for root's own mail. undefined: an instance without
   * Unix users, whose files all belong to the one uid it runs as.
   */
  readonly insteadOfRoot: string | undefined;
}

interface Output {
  readonly output: Buffer;
  readonly errors: Buffer;
  /** True when output was thrown away. */
  readonly excess: boolean;
  /** True when the command did not take all of its input. */
  readonly inputLeft: boolean;
}

export type CommandEnd = Output &
  (
    | { readonly kind: "exit"; readonly status: number }
    | { readonly kind: "signal"; readonly signal: string }
    | { readonly kind: "timeout" }
    | { readonly kind: "not-started"; readonly why: string; readonly temporary: boolean }
  );

const errorLimit = 16 * 1024;
/** How long output of a command that ended is waited for, when something it left behind holds the pipe open, ms. */
const drain = 1000;

/** pipe(7): octets a pipe holds. */
const pipeSize = 64 * 1024;

class Collector {
  readonly #chunks: Buffer[] = [];
  readonly #limit: number;
  #length = 0;
  excess = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  take = (chunk: Buffer): void => {
    const kept = chunk.subarray(0, this.#limit - this.#length);
    if (kept.length < chunk.length) this.excess = true;
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.#length += kept.length;
  };

  octets(): Buffer {
    return Buffer.concat(this.#chunks, this.#length);
  }
}

/** It runs in a process group of its own, which is killed whole at the time limit. Never rejects. */
export async function runCommand(request: CommandRequest): Promise<CommandEnd> {
  const [program = "", ...args] = request.insteadOfRoot !== undefined && process.geteuid?.() === 0 ? [...identity(request.insteadOfRoot), ...request.argv] : request.argv;
  const out = new Collector(request.outputLimit);
  const err = request.errors === "merged" ? out : new Collector(errorLimit);
  let inputLeft = false;
  const collected = (): Output => ({ output: out.octets(), errors: request.errors === "merged" ? Buffer.alloc(0) : err.octets(), excess: out.excess, inputLeft });
  const notStarted = (fault: unknown): CommandEnd => {
    const code = fault instanceof Error && "code" in fault ? String(fault.code) : "";
    return { kind: "not-started", why: fault instanceof Error ? fault.message : String(fault), temporary: ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"].includes(code), ...collected() };
  };
  let started: Started;
  try {
    started = start(program, args, request);
  } catch (fault) {
    return notStarted(fault);
  }
  const { child, stdin, stdout, stderr } = started;
  stdout.on("data", out.take);
  stderr.on("data", err.take);
  const chunks: readonly Buffer[] = Buffer.isBuffer(request.input) ? [request.input] : request.input;
  // A command may well not look at its input. What fits into a pipe counts as taken, as it does for any program that writes to one.
  const fits = chunks.reduce((sum, chunk) => sum + chunk.length, 0) <= pipeSize;
  stdin.on("error", () => (inputLeft = !fits));
  const streamsClosed = Promise.all([stdout, stderr].map(closed));
  const ended = new Promise<CommandEnd["kind"] | Error>((resolve) => {
    child.on("error", resolve);
    child.on("exit", () => resolve("exit"));
  });
  let timer: NodeJS.Timeout | undefined;
  let timedOut = false;
  if (request.timeLimit > 0) {
    timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, request.timeLimit);
  }
  if (child.pid !== undefined) {
    for (const chunk of chunks) stdin.write(chunk);
    stdin.end();
  }
  const end = await ended;
  clearTimeout(timer);
  if (end instanceof Error && child.pid === undefined) {
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    return notStarted(end);
  }
  if (!stdin.writableFinished) inputLeft = !fits;
  const patience = setTimeout(() => {
    stdout.destroy();
    stderr.destroy();
  }, drain);
  stdin.destroy();
  await streamsClosed;
  clearTimeout(patience);
  if (timedOut) return { kind: "timeout", ...collected() };
  if (child.signalCode !== null) return { kind: "signal", signal: child.signalCode, ...collected() };
  return { kind: "exit", status: child.exitCode ?? 0, ...collected() };
}

interface Started {
  readonly child: ChildProcess;
  readonly stdin: Socket;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

/** With real pipes: a script may open /dev/stdin. Throws SystemFault, or what spawn throws; no descriptor is left open then. */
function start(program: string, args: readonly string[], { cwd, env }: CommandRequest): Started {
  const made: number[] = [];
  const pipe = (): { readonly read: number; readonly write: number } => {
    const ends = makePipe();
    made.push(ends.read, ends.write);
    return ends;
  };
  try {
    const [input, output, errors] = [pipe(), pipe(), pipe()];
    const child = spawn(program, args, { cwd, env: { ...env }, stdio: [input.read, output.write, errors.write], detached: true });
    for (const theirs of [input.read, output.write, errors.write]) closeSync(theirs);
    made.length = 0;
    const reading = (fd: number): Socket => new Socket({ fd, readable: true, writable: false }).on("error", () => {});
    return { child, stdin: new Socket({ fd: input.write, readable: false, writable: true }), stdout: reading(output.read), stderr: reading(errors.read) };
  } catch (fault) {
    for (const fd of made) closeSync(fd);
    throw fault;
  }
}

const closed = (stream: Socket): Promise<void> => new Promise((resolve) => (stream.destroyed ? resolve() : void stream.once("close", () => resolve())));

/** setpriv(1) takes the identity before the command's first instruction; an unknown user makes it fail, with the status of a temporary fault. */
function identity(name: string): readonly string[] {
  const user = getpwnam(name);
  if (user === undefined || user.uid === 0) return ["/bin/sh", "-c", 'echo "default_privs = $0 is no user that commands can run as" >&2; exit 75', name];
  return ["/usr/bin/setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--inh-caps=-all", "--"];
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone by itself in this moment.
  }
}
