/**
 * lockfile(1): makes files that mean "in use". A lock is a file of its own, linked to its name: link(2) is atomic over NFS, too, and its age
 * is told by the clock of the file system that holds it.
 *
 *   exit 0    all made
 *   exit 64   (EX_USAGE)
 *   exit 69   (EX_UNAVAILABLE) a directory is missing or can not be written
 *   exit 73   (EX_CANTCREAT) a lock is another's, and the retries are used up; with -! success
 *   exit 75   (EX_TEMPFAIL) a signal came
 *
 * When one can not be made, those made before are removed.
 */
import { closeSync, linkSync, lstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { lockfileWords, type Step } from "../formail/lockfile-words.ts";
import { rawArguments } from "./raw-input.ts";

const exUsage = 64;
const exUnavailable = 69;
const exCantCreate = 73;
const exTempFail = 75;

const usage = "Usage: lockfile -v | -nnn | -r nnn | -l nnn | -s nnn | -! | -ml | -mu | file ...\n";
const help = `  -nnn    seconds between two tries (8)     -r nnn  tries after the first; -1 for ever
  -l nnn  seconds after which a lock is taken away
  -s nnn  seconds to wait after that (16)   -!      turns the exit code round
  -ml     locks your system mailbox         -mu     unlocks it
`;
const longestName = 255;

async function main(): Promise<number> {
  const line = lockfileWords(rawArguments().map((word) => word.toString("latin1")));
  switch (line.kind) {
    case "help":
      process.stderr.write(usage + help);
      return exUsage;
    case "version":
      process.stderr.write(`lockfile v3.22 (Posthorn)\n\nYour system mailbox's lockfile:\t${await mailboxLock()}\n`);
      return exUsage;
    case "usage":
      process.stderr.write(usage);
      return exUsage;
    case "run": {
      const run = new Run();
      for (const step of line.steps) {
        const exit = await run.step(step);
        if (exit !== undefined) return run.giveUp(exit, line.inverted);
      }
      if (!run.done) process.stderr.write(usage);
      return run.done ? (line.inverted ? exCantCreate : 0) : exUsage;
    }
  }
}

class Run {
  /** Something was locked or unlocked. */
  done = false;
  readonly #made: string[] = [];
  #sleep = 8;
  #retries = -1;
  #timeout = 0;
  #suspend = 16;
  #waitsFor = "";

  constructor() {
    for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const) {
      process.on(signal, () => {
        complain(`Signal received, giving up on "${printable(this.#waitsFor)}"`);
        this.#remove();
        process.exit(exTempFail);
      });
    }
  }

  /** Does one thing of the command line. Returns an exit code when it failed. */
  async step(step: Step): Promise<number | undefined> {
    switch (step.kind) {
      case "sleep":
        this.#sleep = step.seconds;
        return undefined;
      case "retries":
        this.#retries = step.times;
        return undefined;
      case "timeout":
        this.#timeout = step.seconds;
        return undefined;
      case "suspend":
        this.#suspend = step.seconds;
        return undefined;
      case "file":
        return this.#lock(step.path);
      case "lock-mailbox":
        return this.#lock(await mailboxLock());
      case "unlock-mailbox":
        this.#unlock(await mailboxLock());
        return undefined;
    }
  }

  giveUp(exit: number, inverted: boolean): number {
    this.#remove();
    return inverted && exit === exCantCreate ? 0 : exit;
  }

  #remove(): void {
    for (const path of this.#made.splice(0)) {
      try {
        unlinkSync(octets(path));
      } catch {
        // Another program broke it.
      }
    }
  }

  async #lock(path: string): Promise<number | undefined> {
    this.#waitsFor = path;
    for (let name = path; ; ) {
      const tried = tryLock(name, this.#timeout);
      switch (tried) {
        case "made":
          this.#made.push(name);
          this.done = true;
          return undefined;
        case "too long":
          complain(`Truncating "${printable(name)}" and retrying lock`);
          name = join(dirname(name), basename(name).slice(0, longestName));
          continue;
        case "impossible":
          complain(`Try praying, giving up on "${printable(name)}"`);
          return exUnavailable;
        case "forced":
          complain(`Forcing lock on "${printable(name)}"`);
          await sleep(this.#suspend);
          continue;
        case "denied":
          complain(`Forced unlock denied on "${printable(name)}"`);
          break;
        case "held":
      }
      if (this.#retries === 0) {
        complain(`Sorry, giving up on "${printable(name)}"`);
        return exCantCreate;
      }
      if (this.#retries > 0) this.#retries--;
      await sleep(this.#sleep);
    }
  }

  #unlock(path: string): void {
    try {
      unlinkSync(octets(path));
      this.done = true;
    } catch {
      complain(`Can't unlock "${printable(path)}"`);
    }
  }
}

type Tried = "made" | "held" | "forced" | "denied" | "too long" | "impossible";

/** One try, and when the lock is older than `timeout` seconds, 0 for never, one to take it away. The commit point is the link(2). */
function tryLock(path: string, timeout: number): Tried {
  const name = octets(path);
  const own = octets(join(dirname(path), `_${process.pid.toString(36)}.${(Date.now() % 1e9).toString(36)}.${hostname().slice(0, 40)}`));
  let now: number;
  try {
    const fd = openSync(own, "wx", 0o444);
    try {
      writeSync(fd, "0");
    } finally {
      closeSync(fd);
    }
    now = lstatSync(own).mtimeMs;
  } catch (fault) {
    return code(fault) === "EEXIST" ? "held" : "impossible";
  }
  try {
    linkSync(own, name);
    return "made";
  } catch (fault) {
    if (code(fault) === "ENAMETOOLONG") return "too long";
    // The answer of an NFS server may be lost when the link is not.
    if (lstatSync(own).nlink === 2) return "made";
    if (code(fault) !== "EEXIST") return "impossible";
  } finally {
    unlinkSync(own);
  }
  const seen = lstatSync(name, { throwIfNoEntry: false });
  if (timeout <= 0 || seen === undefined || now - seen.mtimeMs <= timeout * 1000) return "held";
  try {
    unlinkSync(name);
    return "forced";
  } catch {
    return "denied";
  }
}

/** /var/mail/NAME.lock of who runs this. LOGNAME tells names of one uid apart. */
async function mailboxLock(): Promise<string> {
  const { userInfo } = await import("node:os");
  const own = userInfo();
  let name = own.username;
  const hint = process.env.LOGNAME;
  if (hint !== undefined && hint !== name) {
    const { getpwnam } = await import("../sys/passwd.ts");
    if (getpwnam(hint)?.uid === own.uid) name = hint;
  }
  return `/var/mail/${name}.lock`;
}

const octets = (path: string): Buffer => Buffer.from(path, "latin1");
const code = (fault: unknown): unknown => (fault instanceof Error ? Reflect.get(fault, "code") : undefined);
const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.min(seconds, 2_000_000) * 1000));

function complain(text: string): void {
  process.stderr.write(`lockfile: ${text}\n`);
}

/** A file name must not drive a terminal. */
function printable(text: string): string {
  return text.replace(/[\0-\x1f\x7f-\xff]/g, "?");
}

void main().then((exit) => {
  process.exitCode = exit;
});
