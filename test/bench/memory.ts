/** Memory of the stack at rest, and what one idle IMAP connection adds to it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { memory } from "../load/processes.ts";
import type { IdleLoad } from "../load/idle-load.ts";
import { top } from "./ours.ts";
import type { MailUser, ReadHost, Running } from "./peer.ts";
import type { Results } from "./result.ts";

const part = "Memory";

/** `which` says when: after the start, after the load. Names are those of the stacks compared. */
export function stackMemory(results: Results, which: string, name: string, hosts: readonly Running[]): void {
  const found = memory(hosts.flatMap((h) => h.roots()));
  results.add(part, `stack ${which}, PSS`, "MiB", "lower", name, found.pss / 1024);
  results.add(part, `stack ${which}, USS`, "MiB", "lower", name, found.uss / 1024);
  results.add(part, `stack ${which}, processes`, "count", "lower", name, found.processes);
}

export async function idlePart(results: Results, host: ReadHost, users: readonly MailUser[], connections: number): Promise<void> {
  const before = memory(host.roots());
  const child = spawn(process.execPath, [join(top, "test/load/idle-load.ts"), JSON.stringify({ port: host.imap, connections, users: users.map(({ name, password }) => ({ name, password })) } satisfies IdleLoad)], { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (d: string) => (err += d));
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("close", () => reject(new Error(`idle-load.ts: ${err}`)));
  });
  try {
    await ready;
    await pause(3000); // what the logins left behind is given back
    const during = memory(host.roots());
    const what = `${String(connections)} connections in IDLE of ${String(users.length)} user${users.length === 1 ? "" : "s"}`;
    results.add(part, `${what}, each, PSS`, "KiB", "lower", host.name, (during.pss - before.pss) / connections);
    results.add(part, `${what}, each, USS`, "KiB", "lower", host.name, (during.uss - before.uss) / connections);
    results.add(part, `${what}, processes more`, "count", "lower", host.name, during.processes - before.processes);
  } finally {
    child.stdin.end();
    await ended;
  }
  await pause(1000);
}
