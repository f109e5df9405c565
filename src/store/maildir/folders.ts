/** A folder's directory, in whatever layout (layout.ts): `cur new tmp`. */
import { accessSync, closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, opendirSync, realpathSync, rmdirSync, rmSync } from "node:fs";
import { createOnly, makeDirectories } from "../durable.ts";
import { errno } from "../faults.ts";
import { StoreFault } from "../mailbox.ts";

/** Dovecot's name for what is being deleted, in the root; no folder, since its first component is empty. */
export const trash = "..DOVECOT-TRASHED";

/**
 * True when the folder is there and may be used. `cur` or `new` makes it one: the others may be missing, since programs that keep copies of files often leave
 * out empty directories (`completeFolder`). Throws StoreFault "permission" when it leads out of the store.
 */
export function isFolder(root: string, path: string): boolean {
  try {
    if (path !== root && lstatSync(path).isSymbolicLink()) inside(root, path);
    let found = false;
    for (const part of ["cur", "new", "tmp"]) {
      const stats = lstatSync(`${path}/${part}`, { throwIfNoEntry: false });
      if (stats?.isSymbolicLink() === true) inside(root, `${path}/${part}`);
      else if (stats?.isDirectory() === false) return false;
      found ||= stats !== undefined && part !== "tmp";
    }
    return found;
  } catch (error) {
    if (errno(error) === "ENOENT" || errno(error) === "ENOTDIR") return false;
    throw error;
  }
}

/** A link within the store is the user's own arrangement; one that leads out is never written through. Throws StoreFault "permission". */
export function inside(root: string, path: string): void {
  if (!realpathSync(path).startsWith(`${realpathSync(root)}/`)) throw new StoreFault("permission", "permission denied", new Error(`${path} leads out of the mail store`));
}

/** A folder must not be where something else of the store is, nor hold it: it could be renamed or removed with it. Throws StoreFault "bad-name". */
export function refuseOthers(path: string, others: readonly string[]): void {
  if (others.some((other) => other === path || other.startsWith(`${path}/`))) throw new StoreFault("bad-name", "something else of the mailboxes is there");
}

/** Makes the directories; `cur` comes last, and with it the folder exists. Completes what a killed process began. @param root the folder itself where it is the root of a tree, or of no Maildir++ */
export function makeFolder(root: string, path: string): void {
  if (path === root) makeDirectories(path, 0o700);
  else make(path);
  for (const part of ["tmp", "new", "cur"]) make(`${path}/${part}`);
  if (path === root) return;
  try {
    closeSync(openSync(`${path}/maildirfolder`, createOnly, 0o600));
  } catch (error) {
    if (errno(error) !== "EEXIST") throw error;
  }
}

/** Makes what is missing of a folder that is there. Throws what mkdir(2) says. */
export function completeFolder(path: string): void {
  for (const part of ["tmp", "new", "cur"]) if (lstatSync(`${path}/${part}`, { throwIfNoEntry: false }) === undefined) make(`${path}/${part}`);
}

/** Whether the messages of a folder can only be read. Throws what access(2) says when it is not that. */
export function isReadOnly(path: string): boolean {
  try {
    accessSync(`${path}/cur`, constants.W_OK);
    return false;
  } catch (error) {
    if (errno(error) === "EACCES" || errno(error) === "EROFS") return true;
    throw error;
  }
}

/** Runs `work`, and once more when a directory was missing in a folder that is there. */
export async function completing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (errno(error) !== "ENOENT" || !["cur", "new"].some((part) => existsSync(`${path}/${part}`))) throw error;
    completeFolder(path);
    return await work();
  }
}

function make(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if (errno(error) !== "EEXIST") throw error;
  }
}

/** Removes a folder that was made for something that then failed; with a message in it, it stays. Needs no room on the disk. False when it stays. @param keep its directory */
export function removeEmptyFolder(path: string, keep = false): boolean {
  try {
    rmdirSync(`${path}/new`);
    try {
      rmdirSync(`${path}/cur`);
    } catch (error) {
      make(`${path}/new`);
      throw error;
    }
    rmSync(keep ? `${path}/tmp` : path, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

/** One that can not be looked at just now (EIO, no memory) is there all the same: who misses it would take it for deleted. */
export function isUsable(root: string, path: string): boolean {
  try {
    return isFolder(root, path);
  } catch (error) {
    return !(error instanceof StoreFault || errno(error) === "EACCES" || errno(error) === "ELOOP");
  }
}

/** True when new/ holds anything: \Marked. */
export function hasNew(path: string): boolean {
  if (lstatSync(`${path}/new`, { throwIfNoEntry: false }) === undefined) return false;
  const directory = opendirSync(`${path}/new`);
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) if (!entry.name.startsWith(".")) return true;
    return false;
  } finally {
    directory.closeSync();
  }
}
