/** Processes as /proc shows them: who descends from whom, what they have used, what they hold. proc(5). */
import { readdirSync, readFileSync } from "node:fs";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: readonly string[];
  /** Linux state letter; Z is a zombie. */
  readonly state: string;
  /** CPU of the process and of the children it has waited for, ms. */
  readonly cpu: number;
}

/** One clock tick of /proc/PID/stat: USER_HZ is 100 on every Linux architecture in use. */
const tick = 10;

function read(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = readFileSync(`/proc/${String(pid)}/cmdline`, "latin1").split("\0").filter((word) => word !== "");
    const times = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
    return { pid, parent: Number(fields[1]), command, state: fields[0] ?? "?", cpu: times * tick };
  } catch {
    return undefined; // it ended while we looked
  }
}

/** The process and everything below it, parents before children. Empty when it is gone. */
export function tree(root: number): Process[] {
  const children = new Map<number, Process[]>();
  let top: Process | undefined;
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const found = read(pid);
    if (found === undefined) continue;
    if (pid === root) top = found;
    const siblings = children.get(found.parent);
    if (siblings === undefined) children.set(found.parent, [found]);
    else siblings.push(found);
  }
  if (top === undefined) return [];
  const all = [top];
  for (let i = 0; i < all.length; i++) {
    const here = all[i];
    if (here !== undefined) all.push(...(children.get(here.pid) ?? []));
  }
  return all;
}

export const alive = (p: Process): boolean => p.state !== "Z" && p.state !== "X";

/** CPU of all processes below the roots, ended and waited for ones included, ms. */
export function cpu(roots: readonly number[]): number {
  let sum = 0;
  for (const root of roots) for (const p of tree(root)) sum += p.cpu;
  return sum;
}

/** Time on a CPU of all threads below the roots that are there now, ms, to the microsecond: /proc/PID/task/TID/schedstat. */
export function running(roots: readonly number[]): number {
  let ns = 0;
  for (const { pid } of roots.flatMap(tree)) {
    try {
      for (const thread of readdirSync(`/proc/${String(pid)}/task`)) ns += Number(readFileSync(`/proc/${String(pid)}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
    } catch {
      // it ended while we looked
    }
  }
  return ns / 1e6;
}

export interface Memory {
  /** Proportional set size: shared pages divided among their users. KiB. */
  readonly pss: number;
  /** Unique set size: what would be free if the processes ended. KiB. */
  readonly uss: number;
  readonly rss: number;
  /** The most that `rss` of each ever was, KiB. */
  readonly peak: number;
  readonly processes: number;
}

/** Memory of all processes below the roots. Needs the right to read smaps_rollup of each. */
export function memory(roots: readonly number[]): Memory {
  let pss = 0;
  let uss = 0;
  let rss = 0;
  let peak = 0;
  let processes = 0;
  for (const p of roots.flatMap(tree)) {
    let rollup: string;
    let status: string;
    try {
      rollup = readFileSync(`/proc/${String(p.pid)}/smaps_rollup`, "latin1");
      status = readFileSync(`/proc/${String(p.pid)}/status`, "latin1");
    } catch {
      continue;
    }
    const value = (name: string, text = rollup): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
    pss += value("Pss");
    uss += value("Private_Clean") + value("Private_Dirty");
    rss += value("Rss");
    peak += value("VmHWM", status);
    processes++;
  }
  return { pss, uss, rss, peak, processes };
}

/** SIGKILL to a process and all below it: children that it starts meanwhile are found in the next round. */
export function killTree(root: number): void {
  for (let round = 0; round < 10; round++) {
    const left = tree(root).filter(alive);
    if (left.length === 0) return;
    for (const p of left) kill(p.pid);
  }
}

/** SIGKILL; false when it was gone already. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}
