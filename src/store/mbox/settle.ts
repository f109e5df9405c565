/**
 * Times of a file by which a later change will be seen.
 *
 * - The kernel's clock for them goes by ticks: two writes within one tick leave the same time (sys/clock.ts).
 * - Other programs know an mbox by its size and its mtime in whole seconds (Dovecot, UW). A change of ours that leaves both as they were when
 *   they looked would be hidden from them: they would go on with flags, UIDs and places that are no longer in the file. So every change of
 *   ours that does not make the file longer leaves mtime in a later second than before it, and one that does in no earlier one.
 */
import { futimesSync, type BigIntStats } from "node:fs";
import { fileClock } from "../../sys/clock.ts";
import type { LockedFile } from "./lock.ts";

/** As long as a tick takes mostly, ms. */
const tick = 10;
/** A tick takes no longer, ns: a time so far ahead of the clock is a wrong one's. */
const longest = 2_000_000_000n;

/** Seconds that mtime may run before or behind the clock, in a burst of changes: as many states can be told apart. */
const drift = 60;

/** What a file was known by before a change. */
export interface Before {
  readonly size: number;
  /** mtime, s since the epoch. */
  readonly second: number;
}

/** mtime for a file that was changed, s since the epoch, between two ticks of the kernel. Pure. @param now s since the epoch */
export function timeApart(before: Before | undefined, size: number, now: number): number {
  if (before === undefined) return now;
  const least = size > before.size ? before.second : before.second + 1;
  const time = now >= least ? now : least + (now % 1);
  // A time far ahead is another clock's, or the end of a long burst.
  return time > now + drift ? now - drift : time;
}

/** Gives a changed file its time. Never throws: the change is durable by now, and who is told that it failed makes it again. */
export function tellApart(file: LockedFile, before: Before | undefined): void {
  try {
    const stats = file.stats();
    futimesSync(file.fd, Number(stats.atimeNs) / 1e9, timeApart(before, Number(stats.size), (performance.timeOrigin + performance.now()) / 1000));
  } catch {
    // The kernel's own time stands.
  }
}

export const beforeOf = ({ size, mtimeNs }: BigIntStats): Before => ({ size: Number(size), second: Number(mtimeNs / 1_000_000_000n) });

/** The state of a locked file whose times differ from those after any later write; after a write of another program the next tick is waited for. */
export async function settled(file: LockedFile): Promise<BigIntStats> {
  for (;;) {
    const now = fileClock();
    const stats = file.stats();
    // Nobody can set ctime.
    if (stats.ctimeNs < now || stats.ctimeNs > now + longest) return stats;
    await new Promise((resolve) => setTimeout(resolve, tick));
  }
}
