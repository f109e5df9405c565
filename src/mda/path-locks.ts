/**
 * Lock files that deliveries of this process take, by path. Waiting deliveries of the process queue here, in order and without
 * polling; only the first of them meets other programs at the dotlock.
 */
import { StoreFault } from "../store/mailbox.ts";
import { dotlock, type Dotlock, type Patience } from "../store/dotlock.ts";

const queues = new Map<string, Promise<void>>();

/** Runs `work` when all that was asked for this path before is done. */
export async function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve();
  const turn = before.then(work);
  const done = turn.then(
    () => {},
    () => {},
  );
  queues.set(path, done);
  try {
    return await turn;
  } finally {
    if (queues.get(path) === done) queues.delete(path);
  }
}

/** Takes the lock file and keeps it until the returned function is called. Throws StoreFault "in-use" or the system error. */
export function hold(path: string, patience: Patience): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    let givenUp = false;
    const limit = setTimeout(() => {
      givenUp = true;
      reject(new StoreFault("in-use", `${path} is held by another delivery`));
    }, patience.attempts * patience.delay);
    void inTurn(path, async () => {
      if (givenUp) return;
      let lock: Dotlock;
      try {
        lock = await dotlock(path, patience);
      } catch (fault) {
        clearTimeout(limit);
        reject(fault instanceof Error ? fault : new Error(String(fault)));
        return;
      }
      clearTimeout(limit);
      if (givenUp) return lock.release();
      await new Promise<void>((released) => {
        let open = true;
        resolve(async () => {
          if (!open) return;
          open = false;
          await lock.release();
          released();
        });
      });
    });
  });
}
