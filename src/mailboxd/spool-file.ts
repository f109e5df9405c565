/**
 * The INBOX of a Unix user in the mail spool directory, which she can not make herself: made by root, once, before
 * her agent starts. An existing file is never written, truncated or given to another owner.
 *
 * Works with CAP_CHOWN alone: the directory belongs to root, and a file is given away last.
 */
import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { MailUser } from "../daemon/protocol.ts";

/** Debian Policy §11.6: mailboxes are user:mail 0660. */
const inboxMode = 0o660;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_RDONLY, O_DIRECTORY } = constants;

const isCode = (fault: unknown, code: string): boolean => fault instanceof Error && "code" in fault && fault.code === code;

/**
 * Makes the file when it is missing; durable when it resolves. Resolves with what is wrong with an existing one, for
 * the log, or undefined. Rejects with the kernel's error when it can not be made.
 *
 * @param group  gid of "mail"; undefined leaves the file to the user's own group, mode 0600
 */
export async function makeInbox(path: string, user: MailUser, group: number | undefined): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
  } catch (fault) {
    if (!isCode(fault, "EEXIST")) throw fault;
    return checkInbox(path, user, group);
  }
  try {
    await file.chmod(group === undefined ? 0o600 : inboxMode);
    await file.chown(user.uid, group ?? user.gid);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectory(dirname(path));
  return undefined;
}

async function checkInbox(path: string, user: MailUser, group: number | undefined): Promise<string | undefined> {
  const s = await lstat(path);
  if (!s.isFile()) return `${path} is not a regular file`;
  if (s.nlink > 1) return `${path} has ${s.nlink} links`;
  if (s.uid === user.uid) return undefined;
  // Made by us, and we died before it was given away: root's own, empty, one link.
  if (s.uid === process.geteuid?.() && s.size === 0 && s.nlink === 1) return giveAway(path, s.ino, user, group);
  return `${path} belongs to uid ${s.uid}, not to ${user.name}`;
}

async function giveAway(path: string, inode: number, user: MailUser, group: number | undefined): Promise<string | undefined> {
  const file = await open(path, O_NOFOLLOW | O_NONBLOCK | O_WRONLY);
  try {
    const s = await file.stat();
    if (!s.isFile() || s.ino !== inode || s.uid !== process.geteuid?.() || s.size !== 0 || s.nlink !== 1) return `${path} changes while it is looked at`;
    await file.chmod(group === undefined ? 0o600 : inboxMode);
    await file.chown(user.uid, group ?? user.gid);
    await file.sync();
    return undefined;
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, O_RDONLY | O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
