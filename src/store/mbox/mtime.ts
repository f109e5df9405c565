/**
 * Other programs tell a changed mbox of the same size by its mtime in whole seconds (Dovecot, UW). A change in place in the second of the
 * one before would be hidden from them: they would go on with flags and UIDs that are no longer in the file.
 */
import { fstatSync, futimesSync } from "node:fs";

/** Seconds that mtime may run ahead of the clock: many changes in one second are one to who looks later. */
const ahead = 2;

/**
 * Sees to it that the file has its mtime in another second than before.
 *
 * @param before mtime before the change, ms since the epoch
 */
export function tellApart(fd: number, before: number): void {
  const { atimeMs, mtimeMs } = fstatSync(fd);
  const second = Math.floor(before / 1000);
  if (Math.floor(mtimeMs / 1000) !== second) return;
  // Any other second will do; an earlier one where the next is too far off, for "written after it was read" means new mail.
  const next = second + 1 <= Date.now() / 1000 + ahead ? second + 1 : second - ahead;
  futimesSync(fd, atimeMs / 1000, next);
}
