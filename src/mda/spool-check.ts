/**
 * The look at a system mailbox before mail is delivered: procmail(1), DIAGNOSTICS. What is no mailbox of hers is put aside, a
 * missing one is made, one that others may read is closed to them.
 */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, lstatSync, openSync, renameSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { inodeName } from "./inode-name.ts";

export interface Checked {
  /** "forwarded": to root, who delivers for others, the set-uid or set-gid bit says that there is no mail for her here. "absent": there is none and it can not be made. */
  readonly kind: "mailbox" | "forwarded" | "absent";
  /** What was said and done, in procmail's words. */
  readonly notes: readonly string[];
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_RDONLY } = constants;
const setBits = 0o6000;
const othersReadOrWrite = 0o006;

/**
 * @param owner  whose it is to be; as root a file that is made is given to her
 * Never throws. Names are never followed through a symbolic link, so it may run as root where users can not write the directory.
 */
export function checkSpool(path: string, owner: { readonly uid: number; readonly gid: number }): Checked {
  const root = process.geteuid?.() === 0;
  const notes: string[] = [];
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && isMailbox(stats, owner.uid)) {
    if (root && (stats.mode & setBits) !== 0) return { kind: "forwarded", notes: ["Autoforwarding mailbox found"] };
    if ((stats.mode & othersReadOrWrite) !== 0 && (stats.mode & constants.S_IXUSR) === 0) {
      notes.push(`Enforcing stricter permissions on "${path}"`);
      closeToOthers(path, stats);
    }
    return { kind: "mailbox", notes };
  }
  if (stats !== undefined) putAside(path, stats, notes);
  try {
    make(path, owner);
    return { kind: "mailbox", notes };
  } catch {
    notes.push(`Couldn't create "${path}"`);
    return { kind: "absent", notes };
  }
}

function isMailbox(stats: Stats, uid: number): boolean {
  return stats.isFile() && stats.uid === uid && stats.nlink === 1 && (stats.mode & 0o600) !== 0;
}

function putAside(path: string, stats: Stats, notes: string[]): void {
  const aside = join(dirname(path), `BOGUS.${basename(path)}.${inodeName(stats.ino)}`);
  notes.push(`Renaming bogus mailbox "${path}" info "${aside}"`);
  try {
    renameSync(path, aside);
  } catch {
    // Then it can not be made anew either, and that is said.
  }
}

function make(path: string, owner: { readonly uid: number; readonly gid: number }): void {
  const fd = openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
  try {
    // The directory's set-gid bit has given it to the group of the spool; that stays.
    if (process.geteuid?.() === 0) fchownSync(fd, owner.uid, fstatSync(fd).gid);
  } finally {
    closeSync(fd);
  }
}

function closeToOthers(path: string, stats: Stats): void {
  try {
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const now = fstatSync(fd);
      if (now.ino === stats.ino && now.dev === stats.dev) fchmodSync(fd, 0o600);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Not ours to change: the mail is hers all the same.
  }
}
