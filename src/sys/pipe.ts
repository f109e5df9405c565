/**
 * pipe(2). What Node gives a child for "pipe" is a socket, and opening /dev/stdin, /dev/stdout or /dev/stderr of a socket
 * fails with ENXIO.
 */
import { cFunction, errno, SystemFault } from "./libc.ts";

const closeOnExec = 0o2000000;
const pipe2 = cFunction("int pipe2(_Out_ int *ends, int flags)");

/** Both ends close on exec(2). Throws SystemFault. */
export function makePipe(): { readonly read: number; readonly write: number } {
  const ends = [0, 0];
  if (pipe2(ends, closeOnExec) !== 0) throw new SystemFault("pipe2", errno());
  const [read = -1, write = -1] = ends;
  return { read, write };
}
