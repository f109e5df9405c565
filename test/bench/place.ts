/** Ports, waiting, child processes and directories of a run. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

export { freePorts } from "../harness/ports.ts";

/** Waits until `done` is true; throws after `limit` ms with `what`. */
export async function until(what: string, done: () => boolean | Promise<boolean>, limit = 30_000, step = 50): Promise<void> {
  const end = Date.now() + limit;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${String(limit / 1000)} s`);
    await pause(step);
  }
}

export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
    socket.setTimeout(5000, () => {
      socket.destroy();
      resolve(false);
    });
  });
}

/** Runs to the end; throws with its stderr unless it exits with 0. */
export function run(command: string, args: readonly string[], input?: string): string {
  const done = spawnSync(command, args, { input, encoding: "utf8", maxBuffer: 64 << 20 });
  if (done.error !== undefined) throw done.error;
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${String(done.status)}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

/** Starts a daemon in the foreground with its output going to a file. */
export function daemon(command: string, args: readonly string[], log: string, env: NodeJS.ProcessEnv = process.env): ChildProcess {
  const out = openSync(log, "a");
  const child = spawn(command, args, { stdio: ["ignore", out, out], env });
  closeSync(out);
  child.once("error", () => undefined);
  return child;
}

/** SIGTERM, and SIGKILL to the whole tree where that does not help. */
export async function stopDaemon(child: ChildProcess, killAll: (pid: number) => void, limit = 15_000): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const pid = child.pid;
  const gone = new Promise<boolean>((resolve) => child.once("exit", () => resolve(true)));
  child.kill("SIGTERM");
  if (!(await Promise.race([gone, pause(limit, false, { ref: false })]))) {
    killAll(pid);
    await gone;
  }
}

export function installed(...paths: readonly string[]): boolean {
  return paths.every((p) => {
    try {
      accessSync(p, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Files anywhere below. */
export function filesBelow(directory: string): number {
  let count = 0;
  for (const name of entries(directory)) {
    const path = `${directory}/${name}`;
    try {
      if (statSync(path).isDirectory()) count += filesBelow(path);
      else count++;
    } catch {
      // gone meanwhile
    }
  }
  return count;
}

export function tail(file: string, lines = 20): string {
  try {
    return readFileSync(file, "utf8").split("\n").slice(-lines).join("\n");
  } catch {
    return "";
  }
}
