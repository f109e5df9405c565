/** What the measuring client itself takes for an answer of so many octets. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { RawImap } from "../load/raw-imap.ts";
import type { Replay } from "../load/replay.ts";
import { top } from "./ours.ts";
import { median } from "./result.ts";

const rounds = 15;

/** ms, a median. */
export async function clientAlone(plan: Replay): Promise<number> {
  const server = spawn(process.execPath, [join(top, "test/load/replay.ts"), JSON.stringify(plan)], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(server, "close");
  try {
    const [port] = (await once(server.stdout.setEncoding("utf8"), "data")) as [string];
    const client = await RawImap.connect(Number(port), plan.tls === undefined ? "plain" : "tls");
    const times: number[] = [];
    for (let n = 0; n < rounds; n++) times.push((await client.ok("FETCH")).ms);
    client.destroy();
    return median(times);
  } finally {
    server.stdin.end();
    await ended;
  }
}
