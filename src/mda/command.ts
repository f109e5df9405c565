/** Runs one command with a message on its standard input, as the user this process is. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { Octets } from "../message/octets.ts";
import { getpwnam } from "../sys/passwd.ts";
import { makePipe } from "../sys/pipe.ts";
import { Gathering } from "./gathering.ts";

export interface CommandRequest {
  /** Program and arguments; no shell unless they name one. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly input: Octets;
  /** ms; 0 is no limit. Then SIGTERM, and SIGKILL to what is left of it `grace` later. */
  readonly timeLimit: number;
  /** Gets standard output; what is more than it takes is read and thrown away. */
  readonly output: Gathering;
  /** Where standard error goes: into the same output, apart (bounded to 16 KiB), or to an open file. */
  readonly errors: "merged" | "apart" | { readonly fd: number };
  /** Standard output where nobody reads it: goes where errors go, or nowhere. */
  readonly unread?: "errors" | "nowhere";
  /** false: resolves with status 0 when it has all its input; nobody waits for its end. */
  readonly waits?: boolean;
  /** Aborted: it is ended as at the time limit, now. */
  readonly stop?: AbortSignal;
  /**
   * Whom to run it as where this process is uid 0, as local(8) does for root's own mail. undefined: an instance without
   * Unix users, whose files all belong to the one uid it runs as.
   */
  readonly insteadOfRoot: string | undefined;
}

interface Output {
  readonly output: Octets;
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
/** How long what got SIGTERM may take to end, ms. */
const grace = 2000;

/** pipe(7): octets a pipe holds. */
const pipeSize = 64 * 1024;

/** It runs in a process group of its own, which is ended whole at the time limit. Never rejects. */
export async function runCommand(request: CommandRequest): Promise<CommandEnd> {
  const [program = "", ...args] = request.insteadOfRoot !== undefined && process.geteuid?.() === 0 ? [...identity(request.insteadOfRoot), ...request.argv] : request.argv;
  try {
    const errors = request.errors === "merged" ? request.output : new Gathering(errorLimit);
    return await new Running(start(program, args, request, errors), request, errors).end();
  } catch (fault) {
    return notStarted(fault);
  }
}

const nothing = Buffer.alloc(0);
const noOutput = Octets.of(nothing);

export function notStarted(fault: unknown): CommandEnd {
  const code = fault instanceof Error && "code" in fault ? String(fault.code) : "";
  return { kind: "not-started", why: fault instanceof Error ? fault.message : String(fault), temporary: ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"].includes(code), output: noOutput, errors: nothing, excess: false, inputLeft: true };
}

class Running {
  readonly #started: Started;
  readonly #request: CommandRequest;
  readonly #err: Gathering;
  /** A command may well not look at its input. What fits into a pipe counts as taken, as it does for any program that writes to one. */
  readonly #fits: boolean;
  #inputLeft = false;
  #timedOut = false;

  constructor(started: Started, request: CommandRequest, errors: Gathering) {
    this.#started = started;
    this.#request = request;
    this.#err = errors;
    this.#fits = request.input.length <= pipeSize;
  }

  async end(): Promise<CommandEnd> {
    const { child, stdin, stdout, stderr } = this.#started;
    const streams = [stdout, stderr].filter((stream) => stream !== undefined);
    const streamsClosed = Promise.all(streams.map(closed));
    const ended = new Promise<Error | undefined>((resolve) => {
      child.on("error", resolve);
      child.on("exit", () => resolve(undefined));
    });
    const release = this.#limited();
    const taken = this.#feed();
    if (this.#request.waits === false && child.pid !== undefined) {
      await Promise.race([taken, ended]);
      if (child.exitCode === null && child.signalCode === null && !this.#timedOut) return this.#left();
    }
    const fault = await ended;
    release();
    if (fault !== undefined && child.pid === undefined) {
      for (const stream of [stdin, ...streams]) stream.destroy();
      return notStarted(fault);
    }
    if (!stdin.writableFinished) this.#inputLeft = !this.#fits;
    const patience = setTimeout(() => {
      for (const stream of streams) stream.destroy();
    }, drain);
    stdin.destroy();
    await streamsClosed;
    clearTimeout(patience);
    if (this.#timedOut) return { kind: "timeout", ...this.#collected() };
    if (child.signalCode !== null) return { kind: "signal", signal: child.signalCode, ...this.#collected() };
    return { kind: "exit", status: child.exitCode ?? 0, ...this.#collected() };
  }

  /** It goes on by itself; the time limit holds as long as this process lives. */
  #left(): CommandEnd {
    const { child, stdin, stdout, stderr } = this.#started;
    child.unref();
    for (const stream of [stdin, stdout, stderr]) stream?.unref();
    return { kind: "exit", status: 0, ...this.#collected() };
  }

  #collected(): Output {
    const { output, errors } = this.#request;
    return { output: output.octets(), errors: errors === "merged" ? nothing : this.#err.octets().toBuffer(), excess: output.excess, inputLeft: this.#inputLeft };
  }

  /** Resolves when all input is in the pipe, or nobody is there to take it. */
  #feed(): Promise<void> {
    const { child, stdin } = this.#started;
    return new Promise((resolve) => {
      stdin.on("error", () => {
        this.#inputLeft = !this.#fits;
        resolve();
      });
      stdin.on("finish", resolve);
      if (child.pid === undefined) return;
      this.#write(this.#request.input.pieces());
    });
  }

  /** A piece when the one before has been taken. */
  #write(pieces: Iterator<Buffer, undefined>): void {
    const { child, stdin } = this.#started;
    try {
      const { value } = pieces.next();
      if (value === undefined) stdin.end();
      else stdin.write(value, (fault) => (fault instanceof Error ? undefined : this.#write(pieces)));
    } catch (fault) {
      // Half a message must not pass for a whole one.
      signalGroup(child.pid, "SIGKILL");
      stdin.destroy(fault instanceof Error ? fault : undefined);
    }
  }

  /** Returns what ends the watch. */
  #limited(): () => void {
    const { timeLimit, stop } = this.#request;
    const { child } = this.#started;
    let timer: NodeJS.Timeout | undefined;
    const terminate = (): void => {
      this.#timedOut = true;
      signalGroup(child.pid, "SIGTERM");
      clearTimeout(timer);
      timer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), grace);
    };
    if (timeLimit > 0) timer = setTimeout(terminate, timeLimit);
    if (this.#request.waits === false) timer?.unref();
    stop?.addEventListener("abort", terminate);
    if (stop?.aborted === true) terminate();
    return () => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", terminate);
      // What it left behind and was to end as well.
      if (this.#timedOut) signalGroup(child.pid, "SIGKILL");
    };
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly stdin: Socket;
  /** undefined: it goes to an open file. */
  readonly stdout: Socket | undefined;
  readonly stderr: Socket | undefined;
}

/** With real pipes: a script may open /dev/stdin. Throws SystemFault, or what spawn throws; no descriptor is left open then. */
function start(program: string, args: readonly string[], { cwd, env, output: gathering, errors, unread }: CommandRequest, errorsApart: Gathering): Started {
  const made: number[] = [];
  const theirs: number[] = [];
  const pipe = (mine: "read" | "write"): { readonly mine: number; readonly their: number } => {
    const ends = makePipe();
    made.push(ends.read, ends.write);
    const their = mine === "read" ? ends.write : ends.read;
    theirs.push(their);
    return { mine: ends[mine], their };
  };
  try {
    const input = pipe("write");
    const error = typeof errors === "object" ? undefined : pipe("read");
    const errorEnd = typeof errors === "object" ? errors.fd : (error?.their ?? 2);
    const output = unread === undefined ? pipe("read") : undefined;
    const child = spawn(program, args, { cwd, env: { ...env }, stdio: [input.their, unread === "nowhere" ? "ignore" : (output?.their ?? errorEnd), errorEnd], detached: true });
    for (const their of theirs) closeSync(their);
    made.length = 0;
    return { child, stdin: new Socket({ fd: input.mine, readable: false, writable: true }), stdout: reading(output?.mine, gathering), stderr: reading(error?.mine, errorsApart) };
  } catch (fault) {
    for (const fd of made) closeSync(fd);
    throw fault;
  }
}

/** Read straight into where octets are gathered. */
function reading(fd: number | undefined, into: Gathering): Socket | undefined {
  if (fd === undefined) return undefined;
  const callback = (count: number): boolean => {
    into.took(count);
    return true;
  };
  return new Socket({ fd, readable: true, writable: false, onread: { buffer: () => into.room(), callback } }).on("error", () => {});
}

const closed = (stream: Socket): Promise<void> => new Promise((resolve) => (stream.destroyed ? resolve() : void stream.once("close", () => resolve())));

/** setpriv(1) takes the identity before the command's first instruction; an unknown user makes it fail, with the status of a temporary fault. */
function identity(name: string): readonly string[] {
  const user = getpwnam(name);
  if (user === undefined || user.uid === 0) return ["/bin/sh", "-c", 'echo "default_privs = $0 is no user that commands can run as" >&2; exit 75', name];
  return ["/usr/bin/setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--inh-caps=-all", "--"];
}

function signalGroup(pid: number | undefined, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone by itself in this moment.
  }
}
