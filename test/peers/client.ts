import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a client to its end, at most 60 s. */
export function run(command: string, args: readonly string[], options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env }, cwd: options.cwd, timeout: 60_000, killSignal: "SIGKILL" });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (c: Buffer) => (stdout += c.toString("utf8")));
    child.stderr.on("data", (c: Buffer) => (stderr += c.toString("utf8")));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
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

