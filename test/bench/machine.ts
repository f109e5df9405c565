/** The machine and the versions a table belongs to. */
import { spawnSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

function first(command: string, args: readonly string[]): string {
  const done = spawnSync(command, args, { encoding: "utf8" });
  return done.status === 0 ? done.stdout.trim() : "";
}

const busy = loadavg()[0] ?? 0;

const version = (name: string): string => first("dpkg-query", ["-W", "-f", "${Version}", name]) || "not installed";

export function machine(directory: string): string {
  const commit = first("git", ["rev-parse", "--short", "HEAD"]);
  const lines = [
    ["date", new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC"],
    ["command", `make bench  (${process.argv.slice(2).join(" ") || "no options"})`],
    ["commit", commit],
    ["cores", `${String(availableParallelism())} (${cpus()[0]?.model ?? "unknown"})`],
    ["load average before", `${busy.toFixed(1)}${busy > 1 ? ": the machine had other work, so compare the ratios only" : ""}`],
    ["memory", `${(totalmem() / 2 ** 30).toFixed(0)} GiB`],
    ["kernel", release()],
    ["file system", first("stat", ["-f", "-c", "%T", directory])],
    ["Node", process.version],
    ["postfix", version("postfix")],
    ["procmail", version("procmail")],
    ["dovecot-core", version("dovecot-core")],
  ];
  return `| | |\n|---|---|\n${lines.map(([k, v]) => `| ${k ?? ""} | ${v ?? ""} |`).join("\n")}\n`;
}
