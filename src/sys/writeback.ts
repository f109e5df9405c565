/** sync_file_range(2): a file's octets begin to go to the disk, before somebody waits for them with fsync(2). */
import { cFunction } from "./libc.ts";

const syncFileRange = cFunction("int sync_file_range(int fd, int64_t from, int64_t length, unsigned int flags)");

/** SYNC_FILE_RANGE_WRITE */
const write = 2;

/**
 * Begins to write all of the file. A hint: it makes nothing durable, says nothing of errors (fsync(2) does), and does nothing where a file system
 * does not know it.
 */
export function startWriteback(fd: number): void {
  syncFileRange(fd, 0, 0, write);
}
