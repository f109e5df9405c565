/**
 * For what will be here within microseconds: the event loop goes round without sleeping, so that it is met by a process that runs. To be woken takes
 * longer than most answers, the more so where the processor itself sleeps.
 */
import { cFunction } from "./libc.ts";

const schedYield = cFunction("int sched_yield()");

/** Somebody else ran in between, ms: to ask takes less by far. */
const shared = 0.02;

/** At most `ms`, until `over` says so, which is asked once a turn, and only while nobody else wants this processor: that may be the one who is waited for. */
export function stayAwake(ms: number, over: () => boolean): void {
  // Bound before it is timed.
  schedYield();
  const until = performance.now() + ms;
  const turn = (): void => {
    const now = performance.now();
    if (over() || now >= until) return;
    schedYield();
    if (performance.now() - now < shared) setImmediate(turn);
  };
  setImmediate(turn);
}
