/**
 * Which message files there are. The race that every Maildir reader lives with: readdir(3) says nothing about a name
 * that is added or removed while it reads. A flag change by another program renames `X:2,` to `X:2,S`, so a scan
 * may see X twice, or not at all although X is there all the time.
 *
 * - Twice is harmless: the same base name is one message; cur/ counts before new/.
 * - new/ is read before cur/, so a message moved from new/ to cur/ between the two is seen twice, not missed.
 * - Missed can only happen to a file renamed within cur/ during the scan, and any such rename changes the mtime of
 *   cur/. So a scan is *quiet* when cur/ had the same mtime before and after it and that mtime was already older than the clock
 *   tick of the file system. Only a quiet scan proves that a message is gone; after any other the message stays listed and the
 *   next refresh scans again.
 *
 * Likewise equal mtimes of cur/ and new/ prove that nothing changed only when they were old at the last scan.
 */
import { readdirSync, statSync } from "node:fs";
import { parseFileName } from "./filename.ts";

export interface Found {
  readonly file: string;
  readonly directory: "cur" | "new";
  readonly letters: string;
}

export interface Scan {
  /** By base name. */
  readonly found: ReadonlyMap<string, Found>;
  /** True when a message missing here is gone. */
  readonly quiet: boolean;
  /** mtimes at the start of the scan, ns. */
  readonly times: Times;
  /** True when equal mtimes later on will prove that nothing changed since. */
  readonly settled: boolean;
}

export interface Times {
  readonly cur: bigint;
  readonly new: bigint;
}

/**
 * True when a change from now on would give another stamp. Linux stamps files with the time of its last tick (at most 10 ms ago). A
 * stamp of whole seconds comes from a file system that has no finer ones. One from the future (a clock set back) is not met again.
 */
function isOld(stamp: bigint, now: bigint): boolean {
  const tick = stamp % 1_000_000_000n === 0n ? 2_000_000_000n : 20_000_000n;
  return stamp + tick < now || stamp > now + tick;
}

export function timesOf(folder: string): Times {
  return { new: statSync(`${folder}/new`, { bigint: true }).mtimeNs, cur: statSync(`${folder}/cur`, { bigint: true }).mtimeNs };
}

export const sameTimes = (a: Times, b: Times): boolean => a.cur === b.cur && a.new === b.new;

/** File names are latin1 strings: octets, one character each. One with a line end in it is no message, as in Dovecot: the uidlist could not hold it. */
export function scan(folder: string): Scan {
  const now = BigInt(Date.now()) * 1_000_000n;
  const times = timesOf(folder);
  const found = new Map<string, Found>();
  for (const directory of ["new", "cur"] as const) {
    for (const file of readdirSync(`${folder}/${directory}`, "latin1")) {
      if (file.startsWith(".") || file.includes("\n") || file.includes("\r")) continue;
      const { base, letters } = parseFileName(file);
      if (base !== "") found.set(base, { file, directory, letters });
    }
  }
  const after = timesOf(folder);
  const quiet = times.cur === after.cur && isOld(times.cur, now);
  return { found, quiet, times, settled: quiet && times.new === after.new && isOld(times.new, now) };
}

/** Where a message is now, by its base name; undefined when a look through both directories does not find it. */
export function locate(folder: string, base: string): Found | undefined {
  for (const directory of ["cur", "new"] as const) {
    const file = readdirSync(`${folder}/${directory}`, "latin1").find((name) => name.startsWith(base) && parseFileName(name).base === base);
    if (file !== undefined) return { file, directory, letters: parseFileName(file).letters };
  }
  return undefined;
}

/** A path to a file whose name is a latin1 string of octets. */
export function octetPath(directory: string, file: string): string | Buffer {
  return /^[\x20-\x7e]*$/.test(file) ? `${directory}/${file}` : Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(file, "latin1")]);
}
