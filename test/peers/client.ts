import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { killAll, whereIs } from "../harness/child.ts";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a client may take, ms. */
const patience = 60_000;

/** Runs a client to its end. One that takes longer than a minute is killed with all that it started, and the fault says where they were. */
export function run(command: string, args: readonly string[], options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env }, cwd: options.cwd });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (c: Buffer) => (stdout += c.toString("utf8")));
    child.stderr.on("data", (c: Buffer) => (stderr += c.toString("utf8")));
    const limit = setTimeout(() => {
      const there = whereIs(child.pid ?? 0);
      killAll(child.pid ?? 0);
      // Some process that is no descendant any more may have it.
      child.stdout.destroy();
      child.stderr.destroy();
      reject(new Error(`${command} did not end within ${patience} ms\n${there}\n${stdout}${stderr}`));
    }, patience);
    child.on("error", (fault) => {
      clearTimeout(limit);
      reject(fault);
    });
    child.on("close", (status) => {
      clearTimeout(limit);
      resolve({ status, stdout, stderr });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/** A directory that goes with the test. */
export function scratch(t: TestContext): string {
  const d = mkdtempSync(join(tmpdir(), "ph-client-"));
  t.after(() => rmSync(d, { recursive: true, force: true }));
  return d;
}

/** Files of the Maildir's new/ and cur/, as text. */
export function mailIn(maildir: string): string[] {
  return ["new", "cur"].flatMap((sub) => {
    try {
      return readdirSync(join(maildir, sub)).map((n) => readFileSync(join(maildir, sub, n), "utf8"));
    } catch {
      return [];
    }
  });
}

/** Resolves with the message in the Maildir that matches, when it is there; fails after `seconds`. */
export function arrival(maildir: string, pattern: RegExp, seconds = 20): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): boolean => {
      const found = mailIn(maildir).find((m) => pattern.test(m));
      if (found === undefined) return false;
      clearInterval(tick);
      clearTimeout(limit);
      resolve(found);
      return true;
    };
    const limit = setTimeout(() => {
      clearInterval(tick);
      reject(new Error(`nothing in ${maildir} matches ${pattern}`));
    }, seconds * 1000);
    const tick = setInterval(look, 20);
    look();
  });
}

