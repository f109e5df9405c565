/**
 * Dotlocks in the mail spool directory for agents, which can not write it: `/var/mail/bob.lock`, made by link(2) so that it is
 * atomic over NFS too, as procmail, mutt_dotlock and liblockfile do.
 *
 * The file holds the agent's pid and this host's name. A lock is stale when it is older than stale_lock_time, or when it is
 * ours, of this host, and its agent is dead, which it is when the lock is older than the running system (a power cut may have taken its text): so a lock does not outlive a crash, and does outlive mailboxd while the agent that relies on it
 * still finishes its write.
 *
 * Synchronous: each step is one short system call on a directory that is in the cache, and no other request of ours can come between them.
 */
import { closeSync, constants, fstatSync, futimesSync, linkSync, lstatSync, openSync, readFileSync, type Stats, unlinkSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { beforeBoot } from "../store/dotlock.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

const isCode = (fault: unknown, code: string): boolean => fault instanceof Error && "code" in fault && fault.code === code;

interface Held {
  readonly pid: number;
  readonly inode: number;
  /** Open while the lock is held. */
  readonly fd: number;
}

export class SpoolLocks {
  readonly #held = new Map<string, Held>();
  readonly #host = hostname();
  #made = 0;

  /**
   * Tries once. False when another program, or another agent, holds the lock now.
   *
   * @param inbox  path of the mbox; the lock is this with ".lock" behind it
   * @param pid    the agent's
   * @param stale  ms
   * @throws the kernel's error when the directory can not be written
   */
  lock(inbox: string, pid: number, stale: number): boolean {
    const path = `${inbox}.lock`;
    const held = this.#held.get(path);
    if (held !== undefined) {
      // Again by the same agent: it keeps its own sessions apart by fcntl locks, and may have lost track of this one.
      if (this.#stillOurs(path, held)) return held.pid === pid;
      this.#drop(path, held);
    }
    const temporary = `${path}.${this.#host.replaceAll("/", "_")}.${process.pid}.${++this.#made}`;
    const fd = openSync(temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o644);
    let keep = false;
    try {
      writeSync(fd, `${pid}\n${this.#host}\n`);
      const { ino, mtimeMs } = fstatSync(fd);
      // The directory's own clock, which on NFS is not ours: the time the new file was given.
      if (!link(temporary, path) && !(this.#breakStale(path, mtimeMs, stale) && link(temporary, path))) return false;
      this.#held.set(path, { pid, inode: ino, fd });
      keep = true;
      return true;
    } finally {
      unlinkSync(temporary);
      if (!keep) closeSync(fd);
    }
  }

  /** True when somebody has it from here. */
  isHeld(inbox: string): boolean {
    const path = `${inbox}.lock`;
    const held = this.#held.get(path);
    return held !== undefined && this.#stillOurs(path, held);
  }

  /** Renews the time of a lock this agent holds. False when it holds none (any more). */
  touch(inbox: string, pid: number): boolean {
    const path = `${inbox}.lock`;
    const held = this.#held.get(path);
    if (held?.pid !== pid || !this.#stillOurs(path, held)) return false;
    const now = Date.now() / 1000;
    futimesSync(held.fd, now, now);
    return true;
  }

  /** Takes away a lock this agent holds; nothing when it holds none. */
  unlock(inbox: string, pid: number): void {
    const path = `${inbox}.lock`;
    const held = this.#held.get(path);
    if (held?.pid === pid) this.#remove(path, held);
  }

  /** Takes away all locks of an agent, which is dead. */
  releaseAll(pid: number): void {
    for (const [path, held] of this.#held) if (held.pid === pid) this.#remove(path, held);
  }

  #remove(path: string, held: Held): void {
    try {
      if (this.#stillOurs(path, held)) unlinkSync(path);
    } finally {
      this.#drop(path, held);
    }
  }

  #drop(path: string, held: Held): void {
    this.#held.delete(path);
    closeSync(held.fd);
  }

  /** Somebody may have found it stale and made a lock of his own. */
  #stillOurs(path: string, held: Held): boolean {
    return statOf(path)?.ino === held.inode;
  }

  /** True when the lock was stale and is gone now. */
  #breakStale(path: string, now: number, stale: number): boolean {
    const seen = statOf(path);
    if (seen === undefined) return true;
    if (seen.isDirectory()) return false;
    if (!(stale > 0 && now - seen.mtimeMs > stale) && !this.#leftBehind(path, seen)) return false;
    // Looked at once more, right before: another program may have broken it and made its own.
    const again = statOf(path);
    if (again !== undefined && (again.ino !== seen.ino || again.mtimeMs !== seen.mtimeMs)) return false;
    if (again !== undefined) unlinkSync(path);
    return true;
  }

  /** Made by a mailboxd of this host for an agent that is dead. */
  #leftBehind(path: string, seen: Stats): boolean {
    if (!seen.isFile() || seen.uid !== process.geteuid?.() || seen.size > 300) return false;
    let text: string;
    try {
      // Never waits, should a FIFO have taken its place since.
      const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      try {
        text = readFileSync(fd, "latin1");
      } finally {
        closeSync(fd);
      }
    } catch {
      return false;
    }
    const old = beforeBoot(seen.mtimeMs);
    if (/^\0*$/.test(text)) return old;
    const [pid = "", host = ""] = text.split("\n");
    return /^[1-9]\d{0,9}$/.test(pid) && host === this.#host && (old || !alive(Number(pid)));
  }
}

/** True when made; false when the name is taken. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (fault) {
    if (isCode(fault, "EEXIST")) return false;
    throw fault;
  }
}

const statOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (fault) {
    return !isCode(fault, "ESRCH");
  }
}
