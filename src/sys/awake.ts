/**
 * For what will be here within microseconds: it is met by a process that runs. To be woken takes longer than most answers, the more so where the processor
 * itself sleeps. Others who want this processor have it first: one of them may be who is waited for.
 */
import { cFunction } from "./libc.ts";

const schedYield = cFunction("int sched_yield()");

/** So often it is asked, some 0.05 ms, until the event loop goes round. */
const turn = 16;

/** At most `ms`, until `here` says so. */
export async function waitAwake(ms: number, here: () => boolean): Promise<void> {
  // Bound before it is timed.
  schedYield();
  const until = performance.now() + ms;
  for (;;) {
    for (let asked = 0; asked < turn; asked++) {
      if (here() || performance.now() >= until) return;
      schedYield();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Whoever else wants this processor has it now. */
export const giveWay = (): void => void schedYield();
