/** fallocate(2) with FALLOC_FL_COLLAPSE_RANGE: blocks are taken out of a file, and no octet is copied (ext4, xfs). */
import { cFunction, errno, SystemFault } from "./libc.ts";

const fallocate = cFunction("int fallocate(int fd, int mode, int64_t from, int64_t length)");
const seek = cFunction("int64_t lseek(int fd, int64_t from, int whence)");

const collapseRange = 8;
const seekData = 3;
const seekHole = 4;

/** Said of files, or by kernels, for which there is no such call; a filter of calls says EPERM. */
const unable = new Set(["EINVAL", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EPERM", "ETXTBSY"]);

/**
 * Takes `length` octets at `from` out of a file, both multiples of the size of its blocks, and not its end. Waits for what is behind them to be on the disk.
 * False where that can not be done. Throws SystemFault for a disk that fails.
 */
export function collapse(fd: number, from: number, length: number): boolean {
  if (Number(fallocate(fd, collapseRange, from, length)) === 0) return true;
  const fault = new SystemFault("fallocate", errno());
  if (unable.has(fault.code)) return false;
  throw fault;
}

/** The first stretch without blocks in [octet, size), undefined when there is none. @param size octets of the file */
export function holeFrom(fd: number, octet: number, size: number): { readonly from: number; readonly to: number } | undefined {
  const from = Number(seek(fd, octet, seekHole));
  if (from < 0 || from >= size) return undefined;
  const to = Number(seek(fd, from, seekData));
  return { from, to: to < 0 ? size : to };
}
