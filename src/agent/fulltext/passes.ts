/** Work in the background, piece by piece: one piece of one at a time, and each of them gets its turn. */
export class Passes {
  readonly #queue: { readonly work: AsyncGenerator<void, void, void>; readonly done: () => void }[] = [];
  readonly #failed: (fault: unknown) => void;
  #running = Promise.resolve();
  #turning = false;
  #stopped = false;

  /** @param failed hears what a piece of work threw; the work it belongs to is over then */
  constructor(failed: (fault: unknown) => void) {
    this.#failed = failed;
  }

  /** Each `yield` of the work ends a piece. Resolves when it is over, however it ended. */
  run(work: AsyncGenerator<void, void, void>): Promise<void> {
    return new Promise((done) => {
      this.#queue.push({ work, done });
      if (!this.#turning) this.#running = this.#turns();
    });
  }

  async #turns(): Promise<void> {
    this.#turning = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (await this.#piece(next.work)) this.#queue.push(next);
      else next.done();
    }
    this.#turning = false;
  }

  /** False when the work is over. */
  async #piece(work: AsyncGenerator<void, void, void>): Promise<boolean> {
    try {
      return (await (this.#stopped ? work.return() : work.next())).done !== true;
    } catch (fault) {
      this.#failed(fault);
      return false;
    }
  }

  /** Resolves when the piece under way is done; the rest is dropped. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}
