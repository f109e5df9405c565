/** Children of tests that are programs in TypeScript. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

/** Arguments of a short program's runtime, as bin/launch gives them: its end does not wait for threads of V8 (src/sys/exit.ts). */
export const shortProgram = ["--single-threaded"] as const;

/** Exit status and signal when the child is gone and its output read. One that takes longer than `limit` (ms) is killed, and the fault says where its threads were. */
export async function ended(child: ChildProcess, limit = 180_000): Promise<readonly [number | null, NodeJS.Signals | null]> {
  try {
    return (await once(child, "close", { signal: AbortSignal.timeout(limit) })) as [number | null, NodeJS.Signals | null];
  } catch (fault) {
    const where = threads(child.pid ?? 0);
    child.kill("SIGKILL");
    throw new Error(`process ${child.pid} (${child.spawnargs.slice(1, 6).join(" ")}) did not end within ${limit} ms\n${where}`, { cause: fault });
  }
}

function threads(pid: number): string {
  const lines: string[] = [];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const file = (name: string): string => readFileSync(`/proc/${pid}/task/${thread}/${name}`, "latin1").trim();
      lines.push(`thread ${thread} (${file("comm")}): ${file("wchan")}, system call ${file("syscall")}`);
    }
  } catch {
    lines.push("no such process");
  }
  return lines.join("\n");
}
