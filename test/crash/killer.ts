/** SIGKILL to a random program of a running stack. */
import { setTimeout as pause } from "node:timers/promises";
import { alive, kill, tree, type Process } from "../load/processes.ts";

/** "mtad", "imapd", ..., "agent"; undefined for anything else below the supervisor. */
export function programName(p: Process): string | undefined {
  const command = p.command.join(" ");
  return /\/(mtad|imapd|pop3d|authd|mailboxd|agent)\/main\.[jt]s/.exec(command)?.[1];
}

/** Programs below the supervisor, itself not among them, by name. */
export function programs(supervisor: number): Map<string, Process[]> {
  const found = new Map<string, Process[]>();
  for (const p of tree(supervisor)) {
    const name = p.pid === supervisor || !alive(p) ? undefined : programName(p);
    if (name === undefined) continue;
    const same = found.get(name);
    if (same === undefined) found.set(name, [p]);
    else same.push(p);
  }
  return found;
}

export interface Killing {
  readonly kills: number;
  /** Wait between two kills, ms: least and most. */
  readonly pause: readonly [number, number];
  /** Gives up after that long, ms since the epoch. */
  readonly end: number;
  readonly random: () => number;
}

/** Kills one program after another: the kind by chance first, so that one mtad dies as often as one of many agents. Counts by name. */
export async function killPrograms(supervisor: number, plan: Killing): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let done = 0; done < plan.kills && Date.now() < plan.end; ) {
    await pause(plan.pause[0] + plan.random() * (plan.pause[1] - plan.pause[0]));
    const running = [...programs(supervisor)];
    const [name, list] = running[Math.floor(plan.random() * running.length)] ?? ["", []];
    const victim = list[Math.floor(plan.random() * list.length)];
    if (victim === undefined || !kill(victim.pid)) continue;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    done++;
  }
  return counts;
}
