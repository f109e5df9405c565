/**
 * Whether a database is as we left it. SQLite does not notice when a block of an index is noise, and a search that believed it would say
 * that there is no such message; so a database that anybody else wrote to is not believed but made anew.
 *
 * `fulltext.stamp` says what `fulltext.db` looked like after our last checkpoint: inode, size, mtime, ctime (who writes to it in place may put its mtime back); and the inode of its log, whose
 * frames have checksums of their own. A kill within a checkpoint leaves another look than the stamp says; that costs an index.
 */
import { renameSync, rmSync, statSync, readFileSync, writeFileSync } from "node:fs";
import { identityOf } from "../durable.ts";

/** Where the files of one index are. */
export interface IndexFiles {
  readonly database: string;
  /** SQLite's write-ahead log. */
  readonly log: string;
  readonly stamp: string;
}

export const indexFiles = (side: string): IndexFiles => {
  const database = `${side}/fulltext.db`;
  return { database, log: `${database}-wal`, stamp: `${side}/fulltext.stamp` };
};

/** What the database looks like now; undefined when there is none. */
export function lookOf({ database }: IndexFiles): string | undefined {
  const stats = statSync(database, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : identityOf(stats);
}

/** The inode of the log; "-" when there is none or nothing in it. */
function logOf({ log }: IndexFiles): string {
  const stats = statSync(log, { bigint: true, throwIfNoEntry: false });
  return stats === undefined || stats.size === 0n ? "-" : String(stats.ino);
}

/** Says that the database is as we left it now. Not synced: lost, it costs an index. */
export function writeStamp(files: IndexFiles): void {
  const inode = statSync(files.log, { bigint: true, throwIfNoEntry: false })?.ino ?? "-";
  const temporary = `${files.stamp}.new`;
  writeFileSync(temporary, `${lookOf(files) ?? "none"} ${inode}\n`, { mode: 0o600 });
  renameSync(temporary, files.stamp);
}

/** "none": there is no index; "ours": as we left it; "foreign": somebody else wrote, or a checkpoint was cut off. */
export function judge(files: IndexFiles): "none" | "ours" | "foreign" {
  const look = lookOf(files);
  const log = logOf(files);
  if (look === undefined) return log === "-" ? "none" : "foreign";
  let stamp: string;
  try {
    stamp = readFileSync(files.stamp, "latin1").trim();
  } catch {
    return "foreign";
  }
  return stamp === `${look} ${log}` || (log === "-" && stamp.startsWith(`${look} `)) ? "ours" : "foreign";
}

/** Removes all files of the index. */
export function removeIndex({ database, log, stamp }: IndexFiles): void {
  for (const file of [database, log, `${database}-shm`, `${database}-journal`, stamp, `${stamp}.new`]) rmSync(file, { force: true, recursive: true });
}
