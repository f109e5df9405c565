/** Children of tests, and what is waited for of them: never for ever, and a wait that is too long says where they are. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

/** Arguments of a short program's runtime, as bin/launch gives them: its end does not wait for threads of V8 (src/sys/exit.ts). */
export const shortProgram = ["--single-threaded"] as const;

type Ending = readonly [number | null, NodeJS.Signals | null];

/** Exit status and signal when the child is gone and its output read, also when that is so already. One that takes longer than `limit` (ms) is killed, and the fault says where its threads were. */
export const ended = (child: ChildProcess, limit = 180_000): Promise<Ending> => over(child, "close", limit);

/** The same when it is gone: its output may be others' still. */
export const exited = (child: ChildProcess, limit = 180_000): Promise<Ending> => over(child, "exit", limit);

const isGone = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
const isRead = (child: ChildProcess): boolean => child.stdio.every((stream) => stream?.closed !== false);

async function over(child: ChildProcess, event: "close" | "exit", limit: number): Promise<Ending> {
  if (isGone(child) && (event === "exit" || isRead(child))) return [child.exitCode, child.signalCode];
  try {
    return (await once(child, event, { signal: AbortSignal.timeout(limit) })) as [number | null, NodeJS.Signals | null];
  } catch (fault) {
    const there = whereIs(child.pid ?? 0);
    killAll(child.pid ?? 0);
    throw new Error(`process ${child.pid} (${child.spawnargs.slice(1, 6).join(" ")}) did not end within ${limit} ms\n${there}`, { cause: fault });
  }
}

/** What a child is asked for. Rejects when the child ends before, or after `limit` ms, and says where its threads are then. */
export function asked<T>(child: ChildProcess, what: string, answer: Promise<T>, limit = 60_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      child.off("exit", gone);
    };
    const fail = (why: string): void => {
      settle();
      reject(new Error(`${what}: ${why}`));
    };
    const gone = (): void => fail(`process ${child.pid} ended with ${child.signalCode ?? child.exitCode}`);
    const timer = setTimeout(() => fail(`not within ${limit} ms\n${whereIs(child.pid ?? 0)}`), limit);
    child.on("exit", gone);
    answer.finally(settle).then(resolve, reject);
    if (isGone(child)) gone();
  });
}

const said = (file: string): string => {
  try {
    return readFileSync(file, "latin1").trim();
  } catch {
    return "";
  }
};

/** A process and its descendants. */
function family(pid: number): number[] {
  const children = tasksOf(pid).flatMap((task) => said(`/proc/${pid}/task/${task}/children`).split(" "));
  return [pid, ...children.filter((one) => one !== "").flatMap((one) => family(Number(one)))];
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** What a process and its descendants are doing: a line for each thread, as proc(5) has it. */
export const whereIs = (pid: number): string =>
  family(pid)
    .flatMap((one) => {
      const threads = tasksOf(one).map((task) => {
        const file = (name: string): string => said(`/proc/${one}/task/${task}/${name}`);
        return `  thread ${task} (${file("comm")}): ${/^State:\s+(\S+)/m.exec(file("status"))?.[1]}, ${file("wchan")}, system call ${file("syscall")}`;
      });
      return threads.length === 0 ? [`process ${one} is gone`] : [`process ${one}: ${said(`/proc/${one}/cmdline`).replaceAll("\0", " ")}`, ...threads];
    })
    .join("\n");

/** Kills a process and its descendants. */
export function killAll(pid: number): void {
  for (const one of family(pid)) {
    try {
      process.kill(one, "SIGKILL");
    } catch {
      // It is gone.
    }
  }
}
