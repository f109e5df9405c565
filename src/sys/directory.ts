/**
 * Names in a directory by getdents64(2), as octets in one buffer: no string, no object and no sorting for each, where node:fs makes all three.
 * On local file systems one call sees no rename half done, as the kernel holds the directory for its time.
 */
import { closeSync, constants, openSync } from "node:fs";
import { cFunction, errno, SystemFault } from "./libc.ts";

const getdents64 = cFunction("long getdents64(int fd, void *entries, size_t length)");

const room = 1 << 20;
/** struct linux_dirent64: u64 inode, i64 offset, u16 length, u8 type, name ended by NUL. */
const lengthAt = 16;
const typeAt = 18;
const nameAt = 19;

/** d_type of some: what is none of these is a directory, FIFO, socket or device. Not every file system tells. */
export const entryTypes = { unknown: 0, file: 8, link: 10 } as const;

/**
 * Calls `visit` with every name but those that begin with a dot. The octets are good only as long as it runs. Throws what open(2) says, or
 * SystemFault.
 */
export function eachName(path: string, visit: (octets: Buffer, from: number, to: number, type: number) => void): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const entries = Buffer.allocUnsafeSlow(room);
  try {
    for (;;) {
      const got = Number(getdents64(fd, entries, room));
      if (got < 0) throw new SystemFault("getdents64", errno());
      if (got === 0) return;
      for (let at = 0; at < got; ) {
        const next = at + entries[at + lengthAt] + entries[at + lengthAt + 1] * 256;
        const from = at + nameAt;
        // Entries end at the first multiple of 8 behind their NUL.
        let to = Math.max(from, next - 8);
        while (entries[to] !== 0) to++;
        if (entries[from] !== 0x2e) visit(entries, from, to, entries[at + typeAt]);
        at = next;
      }
    }
  } finally {
    closeSync(fd);
  }
}
