/**
 * UIDVALIDITY values that one user's store never gives twice, so that a folder deleted and made again is not taken for
 * the old one (RFC 3501 §2.3.1.1). Dovecot's files in the root of the store: `dovecot-uidvalidity` holds the last value
 * as 8 hex digits; the empty file `dovecot-uidvalidity.XXXXXXXX` is its lock and its safe copy: who links the next name
 * has that value.
 */
import { closeSync, linkSync, openSync, readdirSync, unlinkSync, writeFileSync, constants } from "node:fs";
import { createOnly, isForbidden, readRegular } from "./durable.ts";
import { errno } from "./faults.ts";

/**
 * Where nothing can be written the value holds as long as the mailbox is open, and the next one is another.
 *
 * @param now ms since the epoch: no value is below the time in seconds
 */
export function nextUidValidity(root: string, now: number): number {
  const path = `${root}/dovecot-uidvalidity`;
  let value = newest(root, path);
  for (let tries = 0; tries < 1000; tries++) {
    // Above the time, too: where the store is an older copy put back, values were given that it does not know of.
    const next = Math.max((value ?? 0) + 1, Math.min(Math.floor(now / 1000), 0xffff_ffff));
    if (claim(path, value, next)) {
      noteLast(path, next);
      return next;
    }
    value = Math.max(next, newest(root, path) ?? 0);
  }
  throw new Error(`${path}: no value could be claimed`);
}

/** The link is the commit point; this file is only where to look first, and may be whatever somebody put there. */
function noteLast(path: string, value: number): void {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
    try {
      writeFileSync(fd, hex(value));
    } finally {
      closeSync(fd);
    }
  } catch {
    // The links say it.
  }
}

const hex = (value: number): string => value.toString(16).padStart(8, "0");

function namesIn(root: string): string[] {
  try {
    return readdirSync(root);
  } catch (error) {
    if (errno(error) === "ENOENT") return [];
    throw error;
  }
}

function newest(root: string, path: string): number | undefined {
  const names = namesIn(root).flatMap((name) => /^dovecot-uidvalidity\.([0-9a-f]{8})$/.exec(name)?.[1] ?? []);
  try {
    names.push(readRegular(path).toString("latin1", 0, 8));
  } catch {
    // The links say it.
  }
  const values = names.filter((text) => /^[0-9a-f]{8}$/.test(text)).map((text) => Number.parseInt(text, 16));
  // Nothing could come after the last one there is: that is noise.
  const believed = values.filter((value) => value < 0xffff_ffff);
  return believed.length === 0 ? undefined : Math.max(...believed);
}

/** True when `next` is ours alone, as far as that can be known. */
function claim(path: string, value: number | undefined, next: number): boolean {
  const to = `${path}.${hex(next)}`;
  try {
    try {
      if (value === undefined) throw Object.assign(new Error(), { code: "ENOENT" });
      linkSync(`${path}.${hex(value)}`, to);
      unlinkSync(`${path}.${hex(value)}`);
    } catch (error) {
      if (errno(error) !== "ENOENT") throw error;
      closeSync(openSync(to, createOnly, 0o444));
    }
    return true;
  } catch (error) {
    if (errno(error) === "EEXIST") return false;
    // Nor can its directory be made.
    if (isForbidden(error) || errno(error) === "ENOENT") return true;
    throw error;
  }
}
