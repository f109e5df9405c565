/** openat(2), read(2), close(2) of one file: by its name in an open directory the kernel looks up no path, and no string is made of names that are octets already. */
import { constants } from "node:fs";
import { cFunction } from "./libc.ts";

const openat = cFunction("int openat(int directory, const void *name, int flags)");
const readFrom = cFunction("long read(int fd, void *to, size_t length)");
const closeFile = cFunction("int close(int fd)");

/** Never waits for a FIFO; not for children. O_CLOEXEC is not among Node's constants. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | 0o2000000;

/**
 * The first octets of the file that has this name, at most `length`, are put at the start of `to`. Never throws.
 *
 * @param directory a descriptor
 * @param name      octets ended by NUL
 * @returns how many; -1 when there is no such file, or it can not be read
 */
export function readAt(directory: number, name: Buffer, to: Buffer, length: number): number {
  const fd = Number(openat(directory, name, flags));
  if (fd < 0) return -1;
  const got = Number(readFrom(fd, to, length));
  closeFile(fd);
  return got;
}
