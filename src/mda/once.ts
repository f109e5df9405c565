/**
 * A file that remembers keys for some time: who has had an answer (posthorn-rc(5), vacation).
 *
 *     EXPIRES KEY LF        EXPIRES in seconds since the epoch; the last line of a key counts, and 0 forgets it
 *
 * Lines are appended under a lock and fsynced: that is the commit point. A line without its LF, left by a crash, does not
 * count, and goes before the next is appended. When the file is large it is written anew with what still counts, and takes the place of the old one by rename(2).
 */
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, renameSync, statSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { createOnly, syncDirectory, writeFully } from "../store/durable.ts";
import { tryLock } from "../sys/lock.ts";
import { inTurn } from "./path-locks.ts";

/** Octets from which the file is written anew, and keys kept then: the oldest go first. */
const sizeLimit = 512 * 1024;
const keyLimit = 4000;

/** No line is longer. */
const lineLimit = 1100;

/** ms between two tries for the lock, and tries. */
const delay = 20;
const attempts = 250;

/**
 * True when the key was not there, or has expired; it is there from now on.
 *
 * @param key one line, at most 1000 octets  @param now seconds since the epoch. Throws what the file system throws, and when somebody keeps the lock.
 */
export function once(path: string, key: string, seconds: number, now: number): Promise<boolean> {
  return inTurn(path, () =>
    locked(path, async (fd) => {
      const text = readFileSync(fd, "latin1");
      const known = entries(text, now);
      if (known.has(key)) return false;
      const expires = now + seconds;
      if (text.length > sizeLimit) await anew(path, known.set(key, expires));
      else append(fd, `${String(expires)} ${key}`);
      return true;
    }),
  );
}

/** The key may be had again at once. */
export function forget(path: string, key: string): Promise<void> {
  return inTurn(path, () =>
    locked(path, (fd) => {
      append(fd, `0 ${key}`);
      return Promise.resolve();
    }),
  );
}

/** What counts: key -> when it expires. */
function entries(text: string, now: number): Map<string, number> {
  const known = new Map<string, number>();
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const m = /^(\d{1,12}) (.{1,1000})$/.exec(line);
    if (m === null) continue;
    known.delete(m[2] ?? "");
    if (Number(m[1]) > now) known.set(m[2] ?? "", Number(m[1]));
  }
  return known;
}

/** The file that the path names while it is locked: one that was replaced meanwhile is let go. */
async function locked<T>(path: string, work: (fd: number) => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_APPEND | constants.O_NONBLOCK, 0o600);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw new Error(`${path} is no regular file`);
      // Closing lets go of the lock.
      if (tryLock(fd, "write") && statSync(path, { throwIfNoEntry: false })?.ino === stats.ino) {
        if (stats.size === 0) await syncDirectory(dirname(path));
        return await work(fd);
      }
    } finally {
      closeSync(fd);
    }
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
  throw new Error(`${path} is locked by another program`);
}

/** What a crash has left of a line is cut off before. */
function append(fd: number, line: string): void {
  const { size } = fstatSync(fd);
  const tail = Buffer.alloc(Math.min(size, lineLimit));
  readSync(fd, tail, 0, tail.length, size - tail.length);
  const whole = size - tail.length + tail.lastIndexOf(0x0a) + 1;
  if (whole < size) ftruncateSync(fd, whole);
  writeFully(fd, Buffer.from(`${line}\n`, "latin1"));
  fsyncSync(fd);
}

async function anew(path: string, known: ReadonlyMap<string, number>): Promise<void> {
  const temporary = `${path}.${String(process.pid)}`;
  const kept = [...known].slice(-keyLimit).map(([key, expires]) => `${String(expires)} ${key}\n`);
  try {
    unlinkSync(temporary);
  } catch {
    // Only a crash leaves one.
  }
  const fd = openSync(temporary, createOnly, 0o600);
  try {
    writeFully(fd, Buffer.from(kept.join(""), "latin1"));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  await syncDirectory(dirname(path));
}
