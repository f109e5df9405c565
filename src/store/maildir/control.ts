/**
 * Directories of uidlists and keywords that are not the Maildirs' own (CONTROL= of `mail_location`). A renamed folder has its files under both names until the
 * rename of the Maildir, which is what counts: whoever dies between leaves some for a folder that is not there, and who makes that removes them.
 */
import { closeSync, constants, existsSync, linkSync, mkdirSync, openSync, readdirSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { makeDirectories, syncFileNow } from "../durable.ts";
import { errno } from "../faults.ts";

/** Files of `from` and below get second names in `to`, durably; `to` has no others. Nothing where there is no `from`. */
export function linkControl(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  if (!existsSync(from)) return;
  makeDirectories(dirname(to), 0o700);
  linkTree(from, to);
}

function linkTree(from: string, to: string): void {
  mkdirSync(to, 0o700);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) linkTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else if (entry.isFile()) linkSync(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
  const fd = openSync(to, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    syncFileNow(fd);
  } finally {
    closeSync(fd);
  }
}

/** Removes the files; directories of folders below it stay. */
export function emptyControl(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) if (!entry.isDirectory()) unlinkSync(`${directory}/${entry.name}`);
  removeIfEmpty(directory);
}

/** False when there is something in it. */
export function removeIfEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (errno(error) !== "ENOTEMPTY" && errno(error) !== "EEXIST") throw error;
    return false;
  }
}
