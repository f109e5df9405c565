/**
 * copy_file_range(2): octets from one file to another without a way through this process. Half the CPU of read(2) and write(2) on ext4, nothing but
 * references to the same blocks where a file system has them (btrfs, xfs) and both places lie alike in their blocks.
 */
import { cFunction, errno, SystemFault } from "./libc.ts";

const copyFileRange = cFunction("int64_t copy_file_range(int from, int64_t *start, int to, int64_t *at, size_t length, unsigned int flags)");

/** Said of files, or by kernels, for which there is no such call; a filter of calls says EPERM. */
const unable = new Set(["EXDEV", "EINVAL", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EPERM"]);

/**
 * @returns octets copied, fewer than `length` perhaps, 0 at the end of the file; undefined where they are to be read and written. Throws SystemFault
 * for a full disk and the like.
 */
export function tryCopyRange(from: number, start: number, to: number, at: number, length: number): number | undefined {
  const done = Number(copyFileRange(from, new BigInt64Array([BigInt(start)]), to, new BigInt64Array([BigInt(at)]), length, 0));
  if (done >= 0) return done;
  const fault = new SystemFault("copy_file_range", errno());
  if (unable.has(fault.code)) return undefined;
  throw fault;
}
