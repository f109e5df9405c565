/**
 * Names in a directory by getdents64(2), as octets in one buffer: no string, no object and no sorting for each, where node:fs makes all three.
 * On local file systems one call sees no rename half done, as the kernel holds the directory for its time.
 */
import { closeSync, constants, openSync } from "node:fs";
import { cFunction, errno, SystemFault } from "./libc.ts";

const getdents64 = cFunction("long getdents64(int fd, void *entries, size_t length)");

/** Octets asked for at once. */
let room = 1 << 20;

/** Fewer, for a test of what happens between two calls. */
export function askFor(octets: number): void {
  room = octets;
  unused = undefined;
}

/** Room that nobody reads into at the moment: made anew for each directory it would make V8 collect garbage. */
let unused: Buffer | undefined;
/** struct linux_dirent64: u64 inode, i64 offset, u16 length, u8 type, name ended by NUL. */
const lengthAt = 16;
const typeAt = 18;
const nameAt = 19;

/** d_type of some: what is none of these is a directory, FIFO, socket or device. Not every file system tells. */
export const entryTypes = { unknown: 0, file: 8, link: 10 } as const;

export type NameVisitor = (octets: Buffer, from: number, to: number, type: number) => void;

/**
 * Calls `visit` with every name but those that begin with a dot. The octets are good only as long as it runs. Throws what open(2) says, or
 * SystemFault.
 *
 * @param coming called before some of the calls of `visit`, with more octets than the names of those have
 */
export function eachName(path: string, visit: NameVisitor, coming?: (octets: number) => void): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const entries = unused ?? Buffer.allocUnsafeSlow(room);
  unused = undefined;
  try {
    for (;;) {
      const got = Number(getdents64(fd, entries, room));
      if (got < 0) throw new SystemFault("getdents64", errno());
      if (got === 0) return;
      coming?.(got);
      eachEntry(entries, got, visit);
    }
  } finally {
    unused = entries;
    closeSync(fd);
  }
}

function eachEntry(entries: Buffer, end: number, visit: NameVisitor): void {
  for (let at = 0; at < end; ) {
    const next = at + entries[at + lengthAt] + entries[at + lengthAt + 1] * 256;
    const from = at + nameAt;
    if (entries[from] !== 0x2e) visit(entries, from, endOfName(entries, from, next), entries[at + typeAt]);
    at = next;
  }
}

/** Entries end at the first multiple of 8 behind the NUL of their name. */
function endOfName(entries: Buffer, from: number, next: number): number {
  let to = Math.max(from, next - 8);
  while (entries[to] !== 0) to++;
  return to;
}
