/**
 * Where the folders of a Maildir++ are: INBOX is the root, "A/B" is `.A.B` in it, each component in modified UTF-7, all beside
 * each other. A name with "." in a component has no place and is refused.
 *
 * Other programs make folders too, and name them as they like: a component that is no modified UTF-7, or that would be no name, stands for
 * itself in UTF-8 (a recipe's `.Entwürfe/`), and INBOX may be written in any case. Where the name that we would give it is there as well, that one counts.
 */
import { accessSync, closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, opendirSync, readdirSync, realpathSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { encodeMutf7 } from "../../syntax/mutf7.ts";
import { createOnly, makeDirectories } from "../durable.ts";
import { errno } from "../faults.ts";
import { canonicalName, components, nameOfEntry } from "../folder-names.ts";
import { StoreFault } from "../mailbox.ts";

/** Dovecot's name for what is being deleted; no folder, since its first component is empty. */
const trash = "..DOVECOT-TRASHED";

/** Directory of a folder with a canonical name. Throws StoreFault "bad-name". */
export function folderPath(root: string, name: string): string {
  if (name === "INBOX") return root;
  const entry = entryOf(name);
  const other = otherEntry(root, name, entry);
  if (other === undefined && entry.length > 255) throw new StoreFault("bad-name", "mailbox name is too long");
  return `${root}/${other ?? entry}`;
}

const entryOf = (name: string): string =>
  components(name, (part) => part.includes("."))
    .map((part) => `.${encodeMutf7(part)}`)
    .join("");

/** What somebody else named so, where we have not. */
function otherEntry(root: string, name: string, entry: string): string | undefined {
  // Any other name is written in one way only.
  if (!/[^\x20-\x7e]|&|^INBOX\//.test(name)) return undefined;
  if (entry.length <= 255 && lstatSync(`${root}/${entry}`, { throwIfNoEntry: false }) !== undefined) return undefined;
  return existsSync(root) ? readdirSync(root).find((one) => folderName(one) === name) : undefined;
}

/** Canonical name of a directory entry of the root; undefined when it is no folder, or could only be INBOX, which is the root. */
export function folderName(entry: string): string | undefined {
  if (!entry.startsWith(".") || entry.length < 2) return undefined;
  const parts = entry.slice(1).split(".");
  const names = parts.map((part) => nameOfEntry(part, (name) => name.includes(".")));
  if (!names.every((name) => name !== undefined)) return undefined;
  const name = canonicalName(names.join("/"));
  return name === "INBOX" ? undefined : name;
}

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
  const found = new Map<string, string>();
  for (const entry of readdirSync(root, { withFileTypes: true, encoding: "utf8" })) {
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
    const name = folderName(entry.name);
    const path = `${root}/${entry.name}`;
    if (name === undefined || (found.has(name) && entry.name !== entryOf(name)) || !usable(root, path)) continue;
    found.set(name, path);
  }
  return [...found].map(([name, path]) => ({ name, path }));
}

/** One that can not be looked at just now (EIO, no memory) is there all the same: who misses it would take it for deleted. */
function usable(root: string, path: string): boolean {
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
