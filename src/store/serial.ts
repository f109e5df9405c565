/** One at a time, in order of arrival. A piece of work that fails does not stop the next. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();
  #unfinished = 0;

  /** Nothing is under way or waits. */
  get isIdle(): boolean {
    return this.#unfinished === 0;
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    this.#unfinished++;
    const result = this.#tail.then(work, work);
    this.#tail = result.then(this.#finished, this.#finished);
    return result;
  }

  readonly #finished = (): void => void this.#unfinished--;
}

/** Lets other sessions of this process have their turn within a long batch of system calls. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Path operations done between two `breathe`s: some 3 ms of renames. */
export const batchSize = 256;

/** `work` on each item, with a breath after every `batchSize`. */
export async function inBatches<T>(items: readonly T[], work: (item: T) => void): Promise<void> {
  let done = 0;
  for (const item of items) {
    if (done > 0 && done % batchSize === 0) await breathe();
    work(item);
    done++;
  }
}
