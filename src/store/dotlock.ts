/**
 * Dotlocks: the file `X.lock` says that X is being changed. procmail, mutt, Dovecot, Postfix and dotlockfile(1) know
 * them. proper-lockfile does the waiting and keeps a long-held lock's mtime fresh; by its `fs` option the lock
 * is a *file* made by link(2) (atomic on NFS too), where the package by itself makes a directory that no other
 * program would ever break.
 *
 * The file holds "pid:host", as Dovecot's. A lock of this host whose process is gone is broken at once: also when a process has its number
 * again, which is so when it is our own, and when the lock is older than the running system. After a power cut its text may be gone, too.
 * Any other is broken when its mtime is older than `stale`, or is of a time to come (a clock was set back) and we have seen it so for `stale`. Breaking renames the lock away first and looks at what it got: had another
 * program broken it and taken it meanwhile, the lock is put back.
 */
import { closeSync, constants, linkSync, lstatSync, openSync, readSync, renameSync, unlinkSync, utimesSync, type Stats } from "node:fs";
import { hostname, uptime } from "node:os";
import { dirname } from "node:path";
import { createOnly, writeFully } from "./durable.ts";
import { errno } from "./faults.ts";
import { StoreFault } from "./mailbox.ts";

export interface Patience {
  /** Tries before giving up, 1 or more. */
  readonly attempts: number;
  /** ms between two tries. */
  readonly delay: number;
  /** ms; an older lock of an unknown holder is broken. At least 2 s. */
  readonly stale: number;
}

export interface Dotlock {
  /** True when the lock file vanished or was taken over while held: what it protects must not be written any more. */
  readonly lost: boolean;
  /** Never throws: a lock that is gone already is gone. */
  release(): Promise<void>;
}

type Done = (error: unknown, result?: unknown) => void;

/** Loaded with the first lock: delivery into a Maildir takes none, and loading costs a third of an agent's start. */
const properLockfile = async (): Promise<typeof import("proper-lockfile")> => (await import("proper-lockfile")).default;

const host = hostname();
let serial = 0;
/** The foreign lock last looked at, by path: only that one may be broken. `since`: performance.now() when it was met first. */
const seen = new Map<string, { readonly inode: number; readonly mtime: number; readonly since: number }>();
const held = new Set<string>();

/** A name of our own in the same directory; hidden, so that one left by a kill is not taken for a mailbox. */
const nextTo = (path: string): string => `${dirname(path)}/.lock-${host}.${process.pid}.${serial++}`;

function make(path: string): void {
  const own = nextTo(path);
  const fd = openSync(own, createOnly, 0o644);
  try {
    writeFully(fd, Buffer.from(`${process.pid}:${host}`));
  } catch {
    // An empty lock locks as well, and on a full disk mail must still be read and removed.
  }
  closeSync(fd);
  try {
    linkSync(own, path);
    held.add(path);
  } finally {
    discard(own);
  }
}

/** Never throws: a name too many does no harm, and a lock that was taken is not to be left behind for it. */
function discard(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone, or not to be removed just now.
  }
}

/** How far the time of a file and that of the start of the system may differ and mean the same, ms. */
const slack = 2_000;

/** True when it was made before this host was started, ms since the epoch. */
export const beforeBoot = (mtime: number, now = Date.now()): boolean => mtime < now - uptime() * 1000 - slack;

/** Octets of a lock file that count. */
const textLimit = 512;

/** What a lock file says. Anything may have its name, a FIFO too, and none of it may hold us up. */
function textOf(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const octets = Buffer.alloc(textLimit);
    return octets.toString("latin1", 0, readSync(fd, octets, 0, textLimit, null));
  } finally {
    closeSync(fd);
  }
}

/** True when the lock names a process of this host that does not exist any more, or nothing at all and is older than the running system. */
function isOrphan(path: string, stats: Stats): boolean {
  try {
    const text = textOf(path);
    const [pid = "", where] = text.split(":", 2);
    const old = beforeBoot(stats.mtimeMs);
    if (/^\0*$/.test(text)) return old;
    if (where?.trim() !== host || !/^[1-9]\d{0,9}$/.test(pid)) return false;
    if (old || Number(pid) === process.pid) return true;
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return errno(error) === "ESRCH";
  }
}

function look(path: string): Pick<Stats, "mtime"> {
  const stats = lstatSync(path);
  if (held.has(path)) return stats;
  const mtime = stats.mtimeMs;
  const known = seen.get(path);
  const met = known?.inode === stats.ino && known.mtime === mtime ? known : { inode: stats.ino, mtime, since: performance.now() };
  seen.set(path, met);
  if (isOrphan(path, stats)) return { mtime: new Date(0) };
  const now = Date.now();
  return mtime > now + slack ? { mtime: new Date(now - (performance.now() - met.since)) } : stats;
}

function remove(path: string): void {
  if (held.delete(path)) {
    unlinkSync(path);
    return;
  }
  const inode = seen.get(path)?.inode;
  seen.delete(path);
  const away = nextTo(path);
  renameSync(path, away);
  try {
    if (lstatSync(away).ino !== inode) linkSync(away, path);
  } finally {
    unlinkSync(away);
  }
}

const now =
  <A extends unknown[]>(work: (...args: A) => unknown) =>
  (...args: [...A, Done]): void => {
    const done = args.at(-1) as Done;
    let result: unknown;
    try {
      result = work(...(args.slice(0, -1) as unknown as A));
    } catch (error) {
      done(error);
      return;
    }
    done(null, result);
  };

/**
 * One try to make the lock file `path`, which is not kept fresh: for locks of moments, and for those that others may break when they are
 * as old as they say. False when another holds it. Throws the system error.
 *
 * @param stale ms; an older one of an unknown holder is broken
 */
export function makeLockFile(path: string, stale: number): boolean {
  for (let attempt = 0; ; attempt++) {
    try {
      make(path);
      return true;
    } catch (error) {
      if (errno(error) !== "EEXIST") throw error;
    }
    try {
      if (attempt > 0 || held.has(path) || look(path).mtime.getTime() > Date.now() - stale) return false;
      remove(path);
    } catch (error) {
      // Its holder has removed it meanwhile.
      if (errno(error) !== "ENOENT") throw error;
    }
  }
}

/** Removes a lock file of makeLockFile. Never throws: one that is gone is gone. */
export function removeLockFile(path: string): void {
  try {
    remove(path);
  } catch {
    held.delete(path);
  }
}

/** The time of a lock that is held is set again after this long at the latest, ms. */
export const freshFor = 30_000;

/** What proper-lockfile calls of `fs`. */
const lockFiles = {
  mkdir: now(make),
  rmdir: now(remove),
  stat: now(look),
  utimes: now(utimesSync),
  realpath: now((path: string) => path),
  rmdirSync: remove,
};

/** Takes `path` (the lock file itself). Throws StoreFault "in-use" when it stays taken, or the system error. */
export async function dotlock(path: string, patience: Patience): Promise<Dotlock> {
  for (let attempt = 1; ; attempt++) {
    const lock = await tryDotlock(path, patience.stale);
    if (lock !== undefined) return lock;
    if (attempt >= patience.attempts) throw new StoreFault("in-use", "mailbox is locked by another program", new Error(`${path} is held`));
    await new Promise((resolve) => setTimeout(resolve, patience.delay));
  }
}

/** One try; undefined when another holds it. */
export async function tryDotlock(path: string, stale: number): Promise<Dotlock | undefined> {
  const state = { lost: false };
  let release: () => Promise<void>;
  try {
    release = await (await properLockfile()).lock(path, {
      fs: lockFiles,
      lockfilePath: path,
      realpath: false,
      retries: 0,
      stale,
      update: freshFor,
      onCompromised: () => {
        state.lost = true;
        held.delete(path);
      },
    });
  } catch (error) {
    if (errno(error) === "ELOCKED" || errno(error) === "EEXIST") return undefined;
    throw error;
  }
  return {
    get lost() {
      return state.lost;
    },
    async release() {
      try {
        if (!state.lost) await release();
      } catch {
        held.delete(path);
      }
    },
  };
}
