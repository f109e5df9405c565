/** Debian's procmail with an rc file and one mail, in a directory of its own: what it says and what is there afterwards. */
import { spawn } from "node:child_process";
import { once as event } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { procmail } from "../oracle.ts";

export const message = "From bob@example.net Sat Nov 21 05:41:33 2026\nFrom: Bob B <bob@example.net>\nTo: other.list@example.org\nSubject: hello world\n\nfirst line\nsecond line, caf\xc3\xa9\nsecond\n\nthird\n";

export interface Ran {
  readonly status: number | null;
  readonly log: string;
  /** Every file that holds mail, below the directory. */
  readonly folders: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  /** Arguments and input of a sendmail that was started. */
  readonly sent: string;
  /** Files made meanwhile, lock files too, as procmail told with VERBOSE; others as found. */
  readonly made: readonly string[];
}

const ours = new Set(["rc", "log", "sendmail", "sent", "cache"]);

function files(directory: string, at = ""): string[] {
  return readdirSync(join(directory, at)).flatMap((name) => {
    const path = at === "" ? name : `${at}/${name}`;
    return statSync(join(directory, path)).isDirectory() ? files(directory, path) : [path];
  });
}

/** Takes a second where an mbox is new: procmail waits then. */
export async function run(rc: string): Promise<Ran> {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-lint-"));
  try {
    for (const part of ["new", "cur", "tmp"]) mkdirSync(join(directory, "M", part), { recursive: true });
    writeFileSync(join(directory, "sendmail"), `#!/bin/sh\n(echo "$@"; cat) >> ${directory}/sent\n`);
    chmodSync(join(directory, "sendmail"), 0o755);
    writeFileSync(join(directory, "rc"), Buffer.from(rc, "latin1"), { mode: 0o600 });
    const variables = [`D=${directory}`, `MAILDIR=${directory}`, `DEFAULT=${directory}/default`, `ORGMAIL=${directory}/orgmail`, `LOGFILE=${directory}/log`, "LOGABSTRACT=no", "LOCKSLEEP=1", "SHELL=/bin/sh", `SENDMAIL=${directory}/sendmail`];
    const once = async (more: readonly string[]): Promise<number | null> => {
      const child = spawn(procmail, ["-m", ...variables, ...more, "./rc"], { cwd: directory, timeout: 30_000, stdio: ["pipe", "ignore", "ignore"] });
      child.stdin.on("error", () => {});
      child.stdin.end(Buffer.from(message, "latin1"));
      const [status] = (await event(child, "exit")) as [number | null];
      return status;
    };
    const status = await once([]);
    const log = readOr(directory, "log");
    const all = files(directory).sort();
    const folders = all.filter((f) => !ours.has(f));
    const contents = Object.fromEntries(folders.map((f) => [f, readFileSync(join(directory, f), "latin1")]));
    const sent = readOr(directory, "sent");
    // Lock files are gone by now; a second run tells their names.
    await once(["VERBOSE=yes"]);
    const verbose = readOr(directory, "log").slice(log.length);
    const locks = [...verbose.matchAll(/^procmail: Locking "([^"]*)"/gm)].map((m) => m[1] ?? "");
    return { status, log, folders, files: contents, sent, made: locks };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function readOr(directory: string, name: string): string {
  try {
    return readFileSync(join(directory, name), "latin1");
  } catch {
    return "";
  }
}
