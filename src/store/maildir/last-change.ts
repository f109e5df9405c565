/** MODSEQs that clients may have been told of although the index has not heard of them: it is not written at once, never fsynced, and may be lost. */
import { statSync } from "node:fs";

/** No clock is that far ahead, ms. */
const unbelievable = 366 * 86_400_000;
/** How far the times of files may be behind the clock (sys/clock.ts), ms. */
const longestTick = 1_000;
/** Every change that has a MODSEQ changes one of them. */
const changing = ["cur", "new", "dovecot-uidlist", "posthorn-keywords"];

/**
 * A MODSEQ that no change of the folder as it lies there had more than, from the latest ctime. More than 1 ms above `now` only where the clock was set back;
 * a time that is none at all is not believed.
 *
 * @param now ms since the epoch
 */
export function lastChange(folder: string, now: number): number {
  const times = changing.flatMap((name) => statSync(`${folder}/${name}`, { throwIfNoEntry: false })?.ctimeMs ?? []);
  const last = Math.max(0, ...times.filter((time) => time < now + unbelievable));
  // Less than a millisecond is none for this clock.
  const next = now + 1;
  return Math.floor(1000 * (last > next ? last + longestTick : Math.min(last + longestTick, next)));
}
