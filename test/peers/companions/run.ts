/** Runs command lines with Debian's programs and with ours, in directories of their own, and compares what they leave. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { steady } from "../../unit/formail/beside.ts";

const bin = join(import.meta.dirname, "../../../bin");
const debian = "/usr/bin";

export const absent = (program: string): string | undefined => (existsSync(join(debian, program)) ? undefined : "procmail is not installed");

export interface Left {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly files: Readonly<Record<string, string>>;
}

/** A usage text is each program's own. */
const plainError = (text: string): string => steady(text.replace(/^Usage: [\s\S]*/m, "USAGE"));

async function run(line: string, programs: string, names: readonly string[], files: Readonly<Record<string, string>>): Promise<Left> {
  const directory = mkdtempSync(join(tmpdir(), "companions-"));
  try {
    const path = join(directory, ".bin");
    const work = join(directory, "work");
    mkdirSync(path);
    mkdirSync(work);
    for (const name of names) symlinkSync(join(programs, name), join(path, name));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(work, name), Buffer.from(text, "latin1"), { mode: name === "script" ? 0o755 : 0o644 });
    const { code, out, err } = await new Promise<Omit<Left, "files">>((resolve) => {
      const child = execFile("/bin/sh", ["-c", line], { cwd: work, encoding: "latin1", timeout: 60_000, killSignal: "SIGKILL", env: { PATH: `${path}:/usr/bin:/bin`, TZ: "UTC", LC_ALL: "C" } }, (fault, stdout, stderr) => {
        const status: unknown = fault === null ? 0 : fault.code;
        resolve({ code: typeof status === "number" ? status : -1, out: steady(stdout), err: plainError(stderr) });
      });
      child.stdin?.end();
    });
    return { code, out, err, files: snapshot(work) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Files with their modes and octets. */
function snapshot(directory: string): Record<string, string> {
  const names = readdirSync(directory).sort();
  return Object.fromEntries(
    names.map((name) => {
      const stats = lstatSync(join(directory, name));
      return [name, `${stats.mode.toString(8)} ${stats.isFile() ? readFileSync(join(directory, name), "latin1") : ""}`];
    }),
  );
}

export async function compare(line: string, names: readonly string[], files: Readonly<Record<string, string>>): Promise<void> {
  const [theirs, ours] = await Promise.all([run(line, debian, names, files), run(line, bin, names, files)]);
  assert.deepEqual(ours, theirs, line);
}

/** The lines of a file of calls: comments and empty lines left out, a line with an open quote goes on in the next. */
export function calls(file: string): string[] {
  const lines: string[] = [];
  let open = "";
  for (const line of readFileSync(join(import.meta.dirname, file), "utf8").split("\n")) {
    if (open === "" && (line === "" || line.startsWith("#"))) continue;
    const whole = open === "" ? line : `${open}\n${line}`;
    const quotes = whole.match(/'/g)?.length ?? 0;
    if (quotes % 2 === 1) open = whole;
    else {
      lines.push(whole);
      open = "";
    }
  }
  return lines;
}
