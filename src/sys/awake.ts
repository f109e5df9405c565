/**
 * For what will be here within microseconds: the event loop goes round without sleeping, so that it is met by a process that runs. To be woken takes
 * longer than most answers, the more so where the processor itself sleeps.
 */

/** At most `ms`, and until `over` says so, which is asked once a turn. */
export function stayAwake(ms: number, over: () => boolean): void {
  const until = performance.now() + ms;
  const turn = (): void => {
    if (!over() && performance.now() < until) setImmediate(turn);
  };
  setImmediate(turn);
}
