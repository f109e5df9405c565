/**
 * Opening and locking an mbox. One order everywhere: fcntl first (an open file description lock, which conflicts with the POSIX
 * locks of others), then the dotlock `FILE.lock`, as Postfix's `mailbox_delivery_lock = fcntl, dotlock` and Debian's policy have
 * it. Other programs (procmail, Dovecot) take them the other way round, so nobody here waits for one lock while holding the other: when
 * the second is taken, the first is let go, and both are tried again after `deliver_lock_delay`.
 *
 * Readers take fcntl only, shared. Who may not make a file beside the mailbox, and has no InboxLocker, does with fcntl; so does everybody where the
 * mailbox has a name of more than 250 octets.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, type BigIntStats } from "node:fs";
import { dirname } from "node:path";
import { makeDirectories } from "../durable.ts";
import { tryLock } from "../../sys/lock.ts";
import { freshFor, tryDotlock } from "../dotlock.ts";
import { errno } from "../faults.ts";
import { StoreFault } from "../mailbox.ts";
import type { InboxLocker } from "../privileged.ts";

export interface LockPolicy {
  /** `deliver_lock_attempts`, `deliver_lock_delay` (ms), `stale_lock_time` (ms). */
  readonly attempts: number;
  readonly delay: number;
  readonly stale: number;
  readonly locker: InboxLocker | undefined;
}

export interface LockedFile {
  readonly fd: number;
  /** Looked at under the lock. */
  stats(): BigIntStats;
  /** Throws StoreFault "in-use" when the dotlock was taken away: nothing may be written any more. */
  stillOurs(): void;
}

/**
 * Runs `work` on the locked file; undefined when there is no file. Throws StoreFault: "permission" for a symbolic link, another
 * owner, another hard link or no regular file; "in-use" when the locks can not be had; what `work` throws.
 */
export async function withMbox<T>(path: string, how: "read" | "write", policy: LockPolicy, work: (file: LockedFile) => Promise<T>): Promise<T | undefined> {
  for (let attempt = 1; ; attempt++) {
    const fd = openMbox(path, how);
    if (fd === undefined) return undefined;
    try {
      const second = tryLock(fd, how) ? await takeSecond(path, how, policy) : undefined;
      if (second !== undefined) {
        try {
          // Another program may have put a new file in its place while we waited.
          if (isStill(path, fd)) return await work({ fd, stats: () => fstatSync(fd, { bigint: true }), stillOurs: second.check });
        } finally {
          await second.release();
        }
      }
    } finally {
      closeSync(fd);
    }
    if (attempt >= policy.attempts) throw new StoreFault("in-use", "mailbox is locked by another program", new Error(`${path} is locked`));
    await new Promise((resolve) => setTimeout(resolve, policy.delay));
  }
}

interface Second {
  check(): void;
  release(): Promise<void>;
}

const nothing: Second = { check: () => undefined, release: async () => undefined };

async function takeSecond(path: string, how: "read" | "write", policy: LockPolicy): Promise<Second | undefined> {
  if (how === "read") return nothing;
  const { locker } = policy;
  if (locker !== undefined) {
    if (!(await locker.lock())) return undefined;
    const touching = setInterval(() => void locker.touch().catch(() => undefined), Math.min(freshFor, Math.max(1000, policy.stale / 4))).unref();
    return {
      check: () => undefined,
      async release() {
        clearInterval(touching);
        await locker.unlock();
      },
    };
  }
  try {
    const lock = await tryDotlock(`${path}.lock`, policy.stale);
    if (lock === undefined) return undefined;
    return {
      check() {
        if (lock.lost) throw new StoreFault("in-use", "mailbox is locked by another program", new Error(`${path}.lock was taken away`));
      },
      release: () => lock.release(),
    };
  } catch (error) {
    // One whose name has no room for ".lock" nobody can lock so.
    if (["EACCES", "EPERM", "EROFS", "ENAMETOOLONG"].includes(errno(error))) return nothing;
    throw error;
  }
}

/** Undefined when there is no file. Throws StoreFault "permission" as `withMbox` does. */
export function openMbox(path: string, how: "read" | "write"): number | undefined {
  let fd: number;
  try {
    // A FIFO must not hold us up.
    fd = openSync(path, (how === "read" ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errno(error) === "ENOENT") return undefined;
    // A link, a socket, a directory.
    if (["ELOOP", "ENXIO", "EISDIR"].includes(errno(error))) throw refused(path, "is no regular file");
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    const wrong = !stats.isFile() ? "is no regular file" : stats.nlink > 1 ? "has several names" : stats.uid !== process.geteuid?.() ? "belongs to another user" : undefined;
    if (wrong !== undefined) throw refused(path, wrong);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

const refused = (path: string, why: string): StoreFault => new StoreFault("permission", "permission denied", new Error(`${path} ${why}`));

/** False when another file has the name now. */
export function isStill(path: string, fd: number): boolean {
  const now = lstatSync(path, { throwIfNoEntry: false });
  return now?.ino === fstatSync(fd).ino;
}

/** Makes an empty mailbox file of the user's, with the directories to it. No error when it is there. */
export function createMbox(path: string): void {
  try {
    makeDirectories(dirname(path), 0o700);
    closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600));
  } catch (error) {
    if (errno(error) !== "EEXIST") throw error;
  }
}
