/** Starts a load generator of test/load as a process of its own and reads its one line of JSON. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { top } from "./ours.ts";

export function generate<T>(program: string, plan: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(top, "test/load", program), JSON.stringify(plan)], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (d: string) => (out += d));
    child.stderr.setEncoding("utf8").on("data", (d: string) => (err += d));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(out) as T);
      else reject(new Error(`${program}: ${String(code)} ${err}`));
    });
  });
}
