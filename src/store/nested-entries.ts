/** Folders that are entries of directories within each other (mbox, and Maildirs in Dovecot's LAYOUT=fs). */
import { lstatSync, type Stats } from "node:fs";
import { encodeMutf7 } from "../syntax/mutf7.ts";
import { errno } from "./faults.ts";
import { nameOfEntry } from "./folder-names.ts";
import { StoreFault } from "./mailbox.ts";

/** Folders in folders: enough for people, little enough for a loop of links. */
export const depthLimit = 32;

/** Path of a component in a directory, where another program may have named it in UTF-8. @param refuse as of `nameOfEntry` */
export function entryIn(directory: string, part: string, refuse: (component: string) => boolean): string {
  const entry = encodeMutf7(part);
  const path = `${directory}/${entry}`;
  const other = entry !== part && Buffer.byteLength(part) <= 255 && nameOfEntry(part, refuse) === part ? `${directory}/${part}` : undefined;
  if (other !== undefined && (entry.length > 255 || look(path) === undefined) && look(other) !== undefined) return other;
  if (entry.length > 255) throw new StoreFault("bad-name", "mailbox name is too long");
  return path;
}

/** lstat(2); undefined where nothing is. Throws StoreFault "bad-name" below a file. */
export function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (errno(error) === "ENOENT") return undefined;
    if (errno(error) === "ENOTDIR") throw new StoreFault("bad-name", "a mailbox that holds messages can not hold mailboxes");
    throw error;
  }
}
