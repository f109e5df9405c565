/** The most memory that a command of ours takes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

const directory = mkdtempSync(join(tmpdir(), "posthorn-peak-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** VmHWM of the process itself, as it ends: proc(5). ru_maxrss of getrusage(2) counts what started it, before execve(2). */
const report = join(directory, "report.cjs");
writeFileSync(report, 'process.on("exit", () => require("node:fs").writeSync(3, /VmHWM:\\s*(\\d+) kB/.exec(require("node:fs").readFileSync("/proc/self/status", "latin1"))[1]));');

export interface Peak {
  readonly exit: number | null;
  /** Octets of memory at most. */
  readonly octets: number;
  readonly output: Buffer;
  readonly errors: string;
}

const line = Buffer.from(`${"posthorn ".repeat(8)}\n`);
const block = Buffer.concat(Array.from({ length: 900 }, () => line));

/** A message of so many octets, in pieces. */
export function* message(header: string, octets: number): Generator<Buffer> {
  yield Buffer.from(header);
  for (let left = octets - header.length; left > 0; left -= block.length) yield block.subarray(0, left);
}

/** @param name a command of dist/cli  @param options `fileLimit`: RLIMIT_FSIZE, octets */
export async function peakOf(name: string, args: readonly string[], input: Iterable<Buffer>, options: { readonly cwd: string; readonly fileLimit?: number }): Promise<Peak> {
  const program = join(import.meta.dirname, "../../../dist/cli", `${name}.cjs`);
  const limited = options.fileLimit === undefined ? [] : ["prlimit", `--fsize=${String(options.fileLimit)}`];
  const [command = "", ...words] = [...limited, process.execPath, "--single-threaded", "--require", report, program, ...args];
  const child = spawn(command, words, { cwd: options.cwd, env: { PATH: "/usr/bin:/bin" }, stdio: ["pipe", "pipe", "pipe", "pipe"] });
  const [stdin, ...outputs] = child.stdio;
  const collected = outputs.map((stream) => {
    const chunks: Buffer[] = [];
    stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  });
  const ended = once(child, "close") as Promise<[number | null]>;
  stdin.on("error", () => undefined);
  for (const piece of input) if (!stdin.write(piece)) await Promise.race([once(stdin, "drain"), ended]);
  stdin.end();
  const [exit] = await ended;
  const [output = [], errors = [], peak = []] = collected;
  return { exit, octets: Number(Buffer.concat(peak).toString()) * 1024, output: Buffer.concat(output), errors: Buffer.concat(errors).toString() };
}
