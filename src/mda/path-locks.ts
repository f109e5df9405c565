/**
 * Lock files by path. What waits in one process queues here, in order and without polling; only the first of them meets other
 * programs at the file.
 */
import { StoreFault } from "../store/mailbox.ts";
import { makeLockFile, removeLockFile, type Patience } from "../store/dotlock.ts";

const queues = new Map<string, Promise<void>>();

/** Runs `work` when all that was asked for this path before is done. */
export async function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(path);
  const turn = before === undefined ? work() : before.then(work);
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

/** Waits for the lock file. Throws StoreFault "in-use" when it stays taken, or the system error: at once when its directory is not there. */
export async function lockFile(path: string, patience: Patience): Promise<() => void> {
  for (let attempt = 1; !makeLockFile(path, patience.stale); attempt++) {
    if (attempt >= patience.attempts) throw new StoreFault("in-use", "mailbox is locked by another program", new Error(`${path} is held`));
    await new Promise((resolve) => setTimeout(resolve, patience.delay));
  }
  return () => removeLockFile(path);
}

/** Takes the lock file and keeps it until the returned function is called. Throws StoreFault "in-use" or the system error. */
export function hold(path: string, patience: Patience): Promise<() => void> {
  return new Promise((resolve, reject) => {
    let givenUp = false;
    const limit = patience.attempts * patience.delay;
    const timer = Number.isFinite(limit) && limit <= 0x7fffffff ? setTimeout(() => giveUp(new StoreFault("in-use", `${path} is held by another delivery`)), limit) : undefined;
    const giveUp = (fault: unknown): void => {
      givenUp = true;
      reject(fault instanceof Error ? fault : new Error(String(fault)));
    };
    void inTurn(path, async () => {
      if (givenUp) return;
      let release: () => void;
      try {
        release = await lockFile(path, patience);
      } catch (fault) {
        giveUp(fault);
        return;
      } finally {
        clearTimeout(timer);
      }
      if (givenUp) return release();
      await new Promise<void>((released) => {
        let open = true;
        resolve(() => {
          if (!open) return;
          open = false;
          release();
          released();
        });
      });
    });
  });
}
