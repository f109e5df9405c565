/**
 * The whole stack for a test: an instance of its own in a temporary directory, listening on free loopback ports,
 * run by `posthorn run` as a user would.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exited } from "./child.ts";
import { freePorts } from "./ports.ts";

export const root = join(import.meta.dirname, "../..");
export const bin = (name: string): string => join(root, "bin", name);

const listeners = ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s"] as const;
type Listener = (typeof listeners)[number];

export interface StackOptions {
  readonly domain?: string;
  /** Virtual users, name to password; ignored with `system`. Default: alice and bob, password = name. */
  readonly users?: Readonly<Record<string, string>>;
  /** Serve Unix users: wants root. */
  readonly system?: boolean;
  readonly set?: Readonly<Record<string, string>>;
}

export interface Stack {
  readonly directory: string;
  readonly config: string;
  readonly domain: string;
  readonly ports: Readonly<Record<Listener, number>>;
  /** What the programs logged so far. */
  log(): string;
  /** Resolves when the log holds a line that matches; fails after `seconds`. */
  logged(pattern: RegExp, seconds?: number): Promise<string>;
  /** pid of `posthorn run`. */
  readonly pid: number;
  /** Environment for sendmail(1) and the other commands. */
  readonly env: NodeJS.ProcessEnv;
  /** Starts it again after `stop(false)` or a kill. */
  restart(): Promise<void>;
  stop(remove?: boolean): Promise<void>;
}

/** Makes and starts an instance; resolves when it printed "ready". */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-"));
  const domain = options.domain ?? "example.test";
  const found = await freePorts(listeners.length);
  const ports = Object.fromEntries(listeners.map((l, i) => [l, found[i] ?? 0])) as Record<Listener, number>;
  const settings: Record<string, string> = {
    ...Object.fromEntries(listeners.map((l) => [`${l}_listen`, `127.0.0.1:${ports[l]}`])),
    ...options.set,
  };
  const users = options.users ?? { alice: "alice", bob: "bob" };
  const args = ["init", directory, "--domain", domain];
  if (options.system === true) args.push("--system");
  else for (const [name, password] of Object.entries(users)) args.push("--user", `${name}:${password}`);
  for (const [name, value] of Object.entries(settings)) args.push("--set", `${name}=${value}`);
  // mkdtemp makes mode 0700, which other users of the stack could not enter; init sets the mode it needs.
  const made = spawnSync(bin("posthorn"), args, { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`init: ${made.stderr}`);
  const config = join(directory, "etc/posthorn.conf");

  let child: ChildProcess;
  let text = "";
  const waiters = new Set<() => void>();
  const start = async (): Promise<void> => {
    child = spawn(bin("posthorn"), ["run", "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      for (const w of [...waiters]) w();
    });
    await new Promise<void>((resolve, reject) => {
      let out = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        out += chunk.toString("utf8");
        if (out.includes("ready\n")) resolve();
      });
      child.once("exit", (code, signal) => reject(new Error(`posthorn run ended (${signal ?? code}) before it was ready:\n${text}`)));
    });
  };
  await start();

  return {
    directory,
    config,
    domain,
    ports,
    env: { ...process.env, POSTHORN_CONFIG: config },
    get pid() {
      return child.pid ?? -1;
    },
    log: () => text,
    logged(pattern, seconds = 20) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const line = text.split("\n").find((l) => pattern.test(l));
          if (line === undefined) return;
          clearTimeout(limit);
          waiters.delete(look);
          resolve(line);
        };
        const limit = setTimeout(() => {
          waiters.delete(look);
          reject(new Error(`no log line matches ${pattern}:\n${text.slice(-4000)}`));
        }, seconds * 1000);
        waiters.add(look);
        look();
      });
    },
    restart: start,
    async stop(remove = true) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await exited(child);
      }
      if (remove) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Processes below `pid`, from /proc: those of a stack, by what they run. */
export function descendants(pid: number): { readonly pid: number; readonly command: string }[] {
  const all = spawnSync("ps", ["-e", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).stdout.trim().split("\n").map((line) => {
    const [, id, parent, args] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return { pid: Number(id), parent: Number(parent), command: args ?? "" };
  });
  const found: { pid: number; command: string }[] = [];
  const walk = (of: number): void => {
    for (const p of all) {
      if (p.parent !== of) continue;
      found.push({ pid: p.pid, command: p.command });
      walk(p.pid);
    }
  };
  walk(pid);
  return found;
}

/** The name of our program a command line runs ("mtad", "agent", ...), or undefined. */
export const programName = (command: string): string | undefined => /\/(mtad|authd|mailboxd|agent|imapd|pop3d)\/main\.[jt]s/.exec(command)?.[1];

/** Is this program installed? */
export const have = (program: string): boolean => spawnSync("/bin/sh", ["-c", `command -v "$1" >/dev/null 2>&1`, "sh", program], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } }).status === 0;

export const isRoot = process.getuid?.() === 0;

/** Value of /proc/PID/status lines, "Uid" to its four numbers and so on. */
export function procStatus(pid: number): ReadonlyMap<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  return new Map(lines.map((l) => l.split(":\t", 2) as [string, string]));
}
