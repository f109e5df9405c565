/**
 * Tells when files may have changed: inotify through fs.watch on directories or single files (one watch each; a watch on
 * every message would cost thousands). Where inotify is silent (network file systems, watch limit reached) a slow
 * timer asks too. Events only say "look": what changed is the mailbox's to find out.
 */
import { watch, type FSWatcher } from "node:fs";

/** Events within this time are one, ms. */
const gather = 20;
/** ms between looks that no event asked for. */
const pollWatched = 30_000;
const pollBlind = 2_000;
/** A watch begins so long after it was wished for, or may go on, ms: those who open a mailbox, ask something and leave need none, and who changed many files waits for an answer. */
const patience = 100;

export interface Watching {
  /** Look as soon as the last look is done. */
  soon(): void;
  /** Before many changes of our own, each of which would wake us. The function returned is called after them; soon there is a look: nothing is missed. */
  pause(): () => void;
  stop(): void;
  /** False as long as nothing is watched yet. */
  readonly begun: boolean;
}

/**
 * @param concerns  which entries of a directory matter; undefined (no name told) always does
 * @param look      called soon after something happened; the next call comes only after its promise settled
 */
export function watchPaths(paths: readonly string[], concerns: (entry: string) => boolean, look: () => Promise<void>): Watching {
  let stopped = false;
  let running = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  const run = async (): Promise<void> => {
    running = true;
    again = false;
    const began = performance.now();
    await look().catch(() => undefined);
    running = false;
    // A folder that is slow to read and changes without pause must not eat the processor.
    if (again) schedule(Math.max(gather, 4 * (performance.now() - began)));
  };
  const schedule = (delay: number): void => {
    if (stopped) return;
    if (running) again = true;
    else
      timer ??= setTimeout(() => {
        timer = undefined;
        void run();
      }, delay);
  };

  let watchers: FSWatcher[] = [];
  let poll: NodeJS.Timeout | undefined;
  let begun = false;
  const open = (): void => {
    begun = true;
    let blind = false;
    for (const path of paths) {
      try {
        const watcher = watch(path, { persistent: false }, (_, entry) => {
          if (entry === null || concerns(entry)) schedule(gather);
        });
        watcher.on("error", () => watcher.close());
        watchers.push(watcher);
      } catch {
        blind = true;
      }
    }
    clearInterval(poll);
    poll = setInterval(() => schedule(0), blind ? pollBlind : pollWatched).unref();
  };
  const close = (): void => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };
  let pauses = 0;
  let due = false;
  let resuming: NodeJS.Timeout | undefined;
  const begin = (): void => {
    if (stopped || pauses > 0 || !due) return;
    open();
    schedule(gather);
  };
  // To watch a directory of many files takes the kernel some ms, for which nobody need wait: what happens until then is found by a look.
  const starting = setTimeout(() => {
    due = true;
    begin();
  }, patience);

  return {
    get begun() {
      return begun;
    },
    soon: () => schedule(0),
    pause() {
      if (++pauses === 1) close();
      return () => {
        pauses--;
        clearTimeout(resuming);
        resuming = setTimeout(begin, patience);
      };
    },
    stop() {
      stopped = true;
      clearTimeout(starting);
      clearTimeout(resuming);
      clearTimeout(timer);
      clearInterval(poll);
      close();
    },
  };
}
