/**
 * Files and names that survive a power cut.
 *
 * A file's octets are durable after fsync(2) of the file; its *name* only after fsync(2) of the directory
 * (ext4 and xfs both journal a rename lazily: a rename is atomic at once, and durable with the next journal commit).
 * A new file is therefore written under a name nobody looks at, fsynced, renamed, and then the directory is fsynced.
 *
 * Directory fsyncs merge: one that *starts* after a rename covers it, so callers that arrive while an fsync runs share
 * the next one. N concurrent deliveries cost about two directory fsyncs, not N.
 */
import { accessSync, closeSync, constants, fdatasync, fstatSync, fsync, fsyncSync, mkdirSync, openSync, readFileSync, statSync, writeSync, type BigIntStats } from "node:fs";
import { dirname } from "node:path";
import type { Octets } from "../message/octets.ts";
import { errno } from "./faults.ts";

const onThread = (fd: number, call: typeof fsync): Promise<void> => new Promise((resolve, reject) => call(fd, (fault) => (fault === null ? resolve() : reject(fault))));

/** fsync on a thread, so that many overlap. */
export const syncFile = (fd: number): Promise<void> => onThread(fd, fsync);
export const syncData = (fd: number): Promise<void> => onThread(fd, fdatasync);

interface Waiting {
  running: Promise<void>;
  next: Promise<void> | undefined;
}

const directories = new Map<string, Waiting>();

/** Resolves when every name made, renamed or removed in `directory` before this call is durable. Rejects with the errno. */
export function syncDirectory(directory: string): Promise<void> {
  const waiting = directories.get(directory);
  if (waiting === undefined) {
    const fresh: Waiting = { running: Promise.resolve(), next: undefined };
    directories.set(directory, fresh);
    return start(directory, fresh);
  }
  waiting.next ??= waiting.running.then(
    () => start(directory, waiting),
    () => start(directory, waiting),
  );
  return waiting.next;
}

function start(directory: string, waiting: Waiting): Promise<void> {
  waiting.next = undefined;
  waiting.running = once(directory).finally(() => {
    if (waiting.next === undefined) directories.delete(directory);
  });
  return waiting.running;
}

async function once(directory: string): Promise<void> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await syncFile(fd);
  } finally {
    closeSync(fd);
  }
}

/** All of `octets` at the descriptor's place or at `position`. A short write (full disk) goes on until it is an error. */
export function writeFully(fd: number, octets: Buffer, position: number | null = null): void {
  let done = 0;
  while (done < octets.length) done += writeSync(fd, octets, done, octets.length - done, position === null ? null : position + done);
}

/**
 * All pieces, one behind the other, at the descriptor's place or at `position`; a piece need only last until the next. Returns their octets.
 *
 * @param together octets up to which shorter pieces go in one write
 */
export function writePieces(fd: number, octets: Octets | Iterable<Buffer>, position: number | null = null, together = 16 << 10): number {
  const memory = "pieces" in octets ? octets.memory : undefined;
  if (memory !== undefined) {
    writeFully(fd, memory, position);
    return memory.length;
  }
  const pieces = "pieces" in octets ? octets.pieces() : octets;
  let room: Buffer | undefined;
  let filled = 0;
  let written = 0;
  const flush = (): void => {
    if (room !== undefined && filled > 0) writeFully(fd, room.subarray(0, filled), position === null ? null : position + written);
    written += filled;
    filled = 0;
  };
  for (const piece of pieces) {
    if (filled + piece.length > together) flush();
    if (piece.length > together) {
      writeFully(fd, piece, position === null ? null : position + written);
      written += piece.length;
    } else {
      (room ??= Buffer.allocUnsafe(together)).set(piece, filled);
      filled += piece.length;
    }
  }
  flush();
  return written;
}

/**
 * A directory and those on the way to it. Throws the kernel's error: mkdirSync of Node with `recursive` says ENOENT when there is no room for one
 * of them.
 */
export function makeDirectories(path: string, mode: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(path) !== path) makeDirectories(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Somebody else made it meanwhile.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

const forbidden = new Set(["EROFS", "EACCES", "EPERM"]);

/** Did the kernel say that this may not be changed here? */
export const isForbidden = (error: unknown): boolean => forbidden.has(errno(error));

/** A directory for what can be made again: where none may be made, mail is read without it. */
export function makeSide(path: string): void {
  try {
    makeDirectories(path, 0o700);
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
}

/** In which state a file is, "" for none. By its ctime too: who writes one anew in place may put its mtime back, and nobody its ctime. */
export const identityOf = (stats: BigIntStats | undefined): string => (stats === undefined ? "" : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`);

/** Blocking: for small files replaced under a lock. */
export const syncFileNow = fsyncSync;

/** For new files: never follows a link, never opens what is there already. */
export const createOnly = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** May this process make and remove files in it? */
export function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Files of text that belong to a mailbox are never that long, octets: one that is, is damaged, and is not to be read into memory. */
export const longestText = 2 ** 28;

/**
 * All of the file that has this name; one that is no file (a FIFO, which would hold us up, a device), or is longer than any, counts as none. Throws what open(2) says, ENOENT
 * for those.
 */
export function readRegular(path: string): Buffer {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    // A socket.
    throw errno(error) === "ENXIO" ? noFile(path) : error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size > longestText) throw noFile(path);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

const noFile = (path: string): Error => Object.assign(new Error(`ENOENT: ${path} is no file`), { code: "ENOENT" });

/** A file of text, one character for each octet; undefined when there is no file of that name. Throws what open(2) says otherwise. */
export function readIfThere(path: string): string | undefined {
  try {
    return readRegular(path).toString("latin1");
  } catch (error) {
    if (errno(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * A copy of what it was that was put back since: the same size and time of modification (perhaps without fractions of a second), but another inode, or a
 * later time of change. Programs that put a copy back write it in place (rsync --inplace), and a new file is often given the inode of the one it replaces.
 * A chmod(1) looks like one, too.
 */
export function isCopy(now: BigIntStats, was: { readonly inode: string; readonly size: number; readonly modified: string; readonly changed: string }): boolean {
  if (now.ino === BigInt(was.inode) && now.ctimeNs === BigInt(was.changed)) return false;
  const modified = BigInt(was.modified);
  const second = 1_000_000_000n;
  return Number(now.size) === was.size && (now.mtimeNs === modified || now.mtimeNs === (modified / second) * second);
}
