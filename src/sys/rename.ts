/** rename(2) of names in open directories: the kernel looks up no path, and no string is made of names that are octets already. */
import { cFunction, errno, SystemFault } from "./libc.ts";

const renameat = cFunction("int renameat(int directory, const void *name, int to, const void *next)");

/**
 * Renames `name` in a directory to `next` in another or the same one. Directories are descriptors, names octets ended by NUL. Throws SystemFault,
 * ENOENT when there is no such name.
 */
export function renameAt(directory: number, name: Buffer, to: number, next: Buffer): void {
  if (Number(renameat(directory, name, to, next)) < 0) throw new SystemFault("renameat", errno());
}
