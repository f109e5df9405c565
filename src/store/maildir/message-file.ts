/** Reading message files: small ones at once, since a page cache hit costs less than a trip to another thread. */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, statSync, type Stats } from "node:fs";
import { readFile } from "node:fs/promises";
import { headerEnd } from "../../message/line-ends.ts";
import { errno, longest, tooLong } from "../faults.ts";

/** Octets that are read at once on this thread. */
export const readNow = 128 * 1024;

/** Never waits for a FIFO. A link is followed, with the rights of whose mail this is. */
const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

/** Where files are read to, and looked at before anything else can be read. */
export const room = Buffer.allocUnsafeSlow(readNow);
/** Most headers fit. */
const headSize = 8192;

/**
 * @param take what is wanted of the octets in the file; they are good only as long as it runs
 * @param expected octets that should be in the file: where they are, and no more, `take` is told no `stats`, for nobody looked
 */
export function withOctets<T>(path: string | Buffer, take: (octets: Buffer, stats?: Stats) => T, expected = 0): T {
  const fd = openSync(path, readOnly);
  try {
    const all = expected > 0 && expected < room.length ? exactly(fd, expected) : undefined;
    if (all !== undefined) return take(all);
    const stats = fstatSync(fd);
    return take(stats.isFile() ? contents(fd, stats.size, path) : Buffer.alloc(0), stats);
  } finally {
    closeSync(fd);
  }
}

/** The octets in the file, on another thread. Rejects with StoreFault "too-long", or as `readFile`. */
export const octetsLater = (path: string | Buffer): Promise<Buffer> =>
  readFile(path, { flag: readOnly }).catch((error: unknown) => {
    throw errno(error) === "ERR_FS_FILE_TOO_LARGE" ? tooLong(String(path), statSync(path).size) : error;
  });

/**
 * The header with its empty line, all octets when there is no such line; in `into` where most headers fit there, else in a buffer of its own.
 *
 * @param seen told of a file what fstat(2) says
 */
export function headOf(path: string | Buffer, seen: (stats: Stats) => void, into: Buffer = room): Buffer {
  const fd = openSync(path, readOnly);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return Buffer.alloc(0);
    seen(stats);
    const to = into.length < headSize ? room : into;
    const got = readSync(fd, to, 0, headSize, 0);
    const end = headerEnd(to.subarray(0, got));
    if (end >= 0) return to === room ? Buffer.from(room.subarray(0, end)) : to.subarray(0, end);
    const octets = contents(fd, stats.size, path);
    const far = headerEnd(octets);
    return Buffer.from(far < 0 ? octets : octets.subarray(0, far));
  } finally {
    closeSync(fd);
  }
}

/** So many octets and the end behind them, in `room`; undefined when that is not so, or can not be read: what it is then is looked at. */
function exactly(fd: number, size: number): Buffer | undefined {
  try {
    return readSync(fd, room, 0, size + 1, 0) === size ? room.subarray(0, size) : undefined;
  } catch {
    return undefined;
  }
}

/** All of a file of `size` octets; in `room` where they fit, so good until the next call. Throws StoreFault "too-long". */
function contents(fd: number, size: number, path: string | Buffer): Buffer {
  if (size > longest) throw tooLong(String(path), size);
  // A file that says it is empty may be one of the kernel's.
  if (size === 0) return readFileSync(fd);
  const octets = size <= room.length ? room.subarray(0, size) : Buffer.allocUnsafe(size);
  let got = 0;
  for (let n = -1; got < octets.length && n !== 0; got += n) n = readSync(fd, octets, got, octets.length - got, got);
  return octets.subarray(0, got);
}
