/**
 * Open file description locks over a whole file: fcntl(2) F_OFD_SETLK. They conflict with the POSIX
 * (fcntl, lockf) locks other mail programs take, and unlike those they are not dropped when this
 * process closes another descriptor of the same file.
 */
import { cFunction, errno, koffi, SystemFault } from "./libc.ts";

const fOfdSetlk = 37;
const types = { read: 0, write: 1, unlock: 2 } as const;

const fcntl = cFunction("int fcntl(int fd, int command, ...)");

/** struct flock of 64-bit Linux: short l_type, short l_whence, long l_start, long l_len, int l_pid. */
function flock(type: number): Buffer {
  const b = Buffer.alloc(32);
  b.writeInt16LE(type, 0);
  return b;
}

/** True when the lock is ours; false when another holds it. Never waits. Throws SystemFault on anything else. */
export function tryLock(fd: number, how: "read" | "write"): boolean {
  return setLock(fd, types[how]);
}

export function unlock(fd: number): void {
  setLock(fd, types.unlock);
}

function setLock(fd: number, type: number): boolean {
  if (fcntl(fd, fOfdSetlk, "void *", flock(type)) === 0) return true;
  const number = errno();
  const { EAGAIN, EACCES } = koffi().os.errno;
  if (number === EAGAIN || number === EACCES) return false;
  throw new SystemFault("fcntl(F_OFD_SETLK)", number);
}
