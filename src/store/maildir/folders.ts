/**
 * Where the folders of a Maildir++ are: INBOX is the root, "A/B" is `.A.B` in it, each component in modified UTF-7, all beside
 * each other. A name with "." in a component has no place and is refused.
 */
import { closeSync, existsSync, lstatSync, mkdirSync, openSync, opendirSync, readdirSync, realpathSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { decodeMutf7, encodeMutf7 } from "../../syntax/mutf7.ts";
import { createOnly, makeDirectories } from "../durable.ts";
import { errno } from "../faults.ts";
import { components } from "../folder-names.ts";
import { StoreFault } from "../mailbox.ts";

/** Dovecot's name for what is being deleted; no folder, since its first component is empty. */
const trash = "..DOVECOT-TRASHED";

/** Directory of a folder with a canonical name. Throws StoreFault "bad-name". */
export function folderPath(root: string, name: string): string {
  if (name === "INBOX") return root;
  const disk = components(name, (part) => part.includes(".")).map((part) => `.${encodeMutf7(part)}`);
  const entry = disk.join("");
  if (entry.length > 255) throw new StoreFault("bad-name", "mailbox name is too long");
  return `${root}/${entry}`;
}

/** Name of a directory entry of the root; undefined when it is no folder. */
export function folderName(entry: string): string | undefined {
  if (!entry.startsWith(".") || entry.length < 2) return undefined;
  const parts = entry.slice(1).split(".");
  const names = parts.map((part) => (part === "" ? undefined : decodeMutf7(part)));
  return names.every((name) => name !== undefined && !name.includes("/") && !name.includes(".")) ? names.join("/") : undefined;
}

/**
 * True when the folder is there and may be used. `cur` makes it one: `new` and `tmp` may be missing, since programs that keep copies of files often leave out
 * empty directories (`completeFolder`). Throws StoreFault "permission" when it leads out of the store.
 */
export function isFolder(root: string, path: string): boolean {
  try {
    if (path !== root && lstatSync(path).isSymbolicLink()) inside(root, path);
    for (const part of ["cur", "new", "tmp"]) {
      const stats = lstatSync(`${path}/${part}`, part === "cur" ? {} : { throwIfNoEntry: false });
      if (stats?.isSymbolicLink() === true) inside(root, `${path}/${part}`);
      else if (stats?.isDirectory() === false) return false;
    }
    return true;
  } catch (error) {
    if (errno(error) === "ENOENT" || errno(error) === "ENOTDIR") return false;
    throw error;
  }
}

/** A link within the store is the user's own arrangement; one that leads out is never written through. */
function inside(root: string, path: string): void {
  if (!realpathSync(path).startsWith(`${realpathSync(root)}/`)) throw new StoreFault("permission", "permission denied", new Error(`${path} leads out of the mail store`));
}

/** Makes the directories; `cur` comes last, and with it the folder exists. Completes what a killed process began. */
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
  for (const part of ["tmp", "new"]) if (lstatSync(`${path}/${part}`, { throwIfNoEntry: false }) === undefined) make(`${path}/${part}`);
}

/** Runs `work`, and once more when a directory was missing in a folder that is there. */
export async function completing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (errno(error) !== "ENOENT" || !existsSync(`${path}/cur`)) throw error;
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

/** The folder vanishes by one rename; emptying what it left is done again by the next removal if it dies here. */
export function removeFolder(root: string, path: string): void {
  rmSync(`${root}/${trash}`, { recursive: true, force: true });
  renameSync(path, `${root}/${trash}`);
  rmSync(`${root}/${trash}`, { recursive: true, force: true });
}

/** Removes a folder that was made for something that then failed; with a message in it, it stays. Needs no room on the disk. False when it stays. */
export function removeEmptyFolder(path: string): boolean {
  try {
    rmdirSync(`${path}/new`);
    try {
      rmdirSync(`${path}/cur`);
    } catch (error) {
      make(`${path}/new`);
      throw error;
    }
    rmSync(path, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

/** Names of all folders but INBOX, in no order. */
export function listFolders(root: string): { readonly name: string; readonly path: string }[] {
  const found = [];
  for (const entry of readdirSync(root, { withFileTypes: true, encoding: "utf8" })) {
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
    const name = folderName(entry.name);
    const path = `${root}/${entry.name}`;
    if (name !== undefined && usable(root, path)) found.push({ name, path });
  }
  return found;
}

function usable(root: string, path: string): boolean {
  try {
    return isFolder(root, path);
  } catch {
    return false;
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
