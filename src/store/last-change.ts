/** MODSEQs that clients may have been told of although the index has not heard of them: it is not written at once, never fsynced, and may be lost. Pure. */
/** No clock is that far ahead, ms. */
const unbelievable = 366 * 86_400_000;
/** How far the times of files may be behind the clock (sys/clock.ts), ms. */
const longestTick = 1_000;
/**
 * A MODSEQ that no change had more than whose files have these ctimes, ms since the epoch. More than 1 ms above `now` only where the clock was set back;
 * a time that is none at all is not believed.
 *
 * @param now ms since the epoch
 */
export function modSeqOf(times: readonly number[], now: number): number {
  const last = Math.max(0, ...times.filter((time) => time < now + unbelievable));
  // Less than a millisecond is none for this clock.
  const next = now + 1;
  return Math.floor(1000 * (last > next ? last + longestTick : Math.min(last + longestTick, next)));
}
