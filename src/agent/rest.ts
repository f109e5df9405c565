/**
 * An agent at rest: what V8 and malloc(3) keep for more work of the kind that was done last is given back. A FETCH or SORT of everything leaves some 50 MB
 * of it in an agent that may stay for hours.
 */
import { releaseMemory, releaseMemoryWithRoom } from "../sys/memory.ts";

/** How long nothing was asked, ms: giving back holds up what is asked meanwhile. */
const pause = 1_000;
/** How long until all is given back, ms, and what is asked next takes longer: V8 by itself would begin after 8 s (`--no-memory-reducer`), in one kept ready, too. */
const longPause = 60_000;
/** Less is not worth it, octets. */
const worth = 8 << 20;

/** How long V8 takes to take a thread's heap apart, at most, ms. */
const threadPause = 500;

/** By how many times the heap may grow in it. */
export const roomForWork = 3;

/** What an agent may have at rest without V8 forgetting how its code runs, octets: that costs the next work some 100 ms. */
const roomy = 104 << 20;

/** What is under way. */
let busy = 0;
let held = false;
let timer: NodeJS.Timeout | undefined;
let longTimer: NodeJS.Timeout | undefined;
let floor = process.memoryUsage.rss();
/** When all was given back. */
let least = floor;

/** Something was done. */
export function worked(): void {
  if (held) return;
  if (timer !== undefined) timer.refresh();
  else
    timer = setTimeout(() => {
      // It says when it is done.
      if (busy === 0 && process.memoryUsage.rss() > floor + worth) restGently();
    }, pause).unref();
  if (longTimer !== undefined) longTimer.refresh();
  else
    longTimer = setTimeout(() => {
      if (busy === 0 && process.memoryUsage.rss() > least + worth) rest();
    }, longPause).unref();
}

/** Something is under way. */
export const isWorking = (): boolean => busy > 0;

/** Runs something that may take longer than a pause. */
export async function working<T>(work: () => Promise<T>): Promise<T> {
  busy++;
  try {
    return await work();
  } finally {
    busy--;
    worked();
  }
}

/** While on, nothing is given back: V8 forgets with the garbage how code ran that nobody uses at the moment. */
export function hold(on: boolean): void {
  held = on;
  clearTimeout(timer);
  clearTimeout(longTimer);
  timer = longTimer = undefined;
  floor = process.memoryUsage.rss();
}

/** Before something that takes much: what was kept from before is given back. */
export function makeRoom(): void {
  if (process.memoryUsage.rss() > least + worth) rest();
}

function restGently(): void {
  releaseMemory(true);
  floor = process.memoryUsage.rss();
  if (floor > roomy) rest();
}

/** Gives back all at once. */
export function rest(): void {
  releaseMemory();
  least = floor = process.memoryUsage.rss();
}

/** Gives back what a thread had that has ended. V8 keeps some of it for the next one, until it is asked again a moment later; by itself it would do so after 8 s. */
export function restBehindThread(): void {
  rest();
  setTimeout(rest, threadPause).unref();
}

/** Gives back all at once; what is done next is not held up by a collection of garbage. */
export function restBeforeWork(): void {
  releaseMemoryWithRoom(roomForWork);
  least = floor = process.memoryUsage.rss();
}
