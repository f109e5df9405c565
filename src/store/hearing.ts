/** Who wants to hear of changes of a mailbox, and the watch on its file or directories that there is as long as somebody does. */
import { Hearers } from "./hearers.ts";
import type { Changes } from "./mailbox.ts";
import { batchSize } from "./serial.ts";
import { watchPaths, type Watching } from "./watch.ts";

/** A watch outlasts the last who wanted to hear by so long: the kernel goes through all the names it knows of a directory when one begins, ms. */
const outlasting = 60_000;

export class Hearing {
  readonly #paths: () => readonly string[];
  readonly #look: () => Promise<void>;
  readonly #alone: boolean;
  readonly #hearers = new Hearers();
  #watching: Watching | undefined;
  #ending: NodeJS.Timeout | undefined;

  /**
   * @param paths what is watched
   * @param look  takes over what others did
   * @param alone nobody else does anything: nothing is watched
   */
  constructor(paths: () => readonly string[], look: () => Promise<void>, alone: boolean) {
    this.#paths = paths;
    this.#look = look;
    this.#alone = alone;
  }

  /** Returns how to stop hearing. */
  add(hear: (changes: Changes) => void): () => void {
    const stop = this.#hearers.add(hear);
    clearTimeout(this.#ending);
    this.#watching ??= this.#start();
    return () => {
      stop();
      clearTimeout(this.#ending);
      if (!this.#hearers.none) return;
      if (this.#watching?.begun === false) this.stop();
      else this.#ending = setTimeout(() => this.stop(), outlasting).unref();
    };
  }

  tell(changes: Changes): void {
    this.#hearers.tell(changes);
  }

  #start(): Watching {
    const paths = this.#paths();
    return watchPaths(this.#alone ? [] : paths, () => true, this.#look);
  }

  stop(): void {
    clearTimeout(this.#ending);
    this.#watching?.stop();
    this.#watching = undefined;
  }

  /** Own changes of many files, whose events would cost more than they tell. */
  async unwatched<T>(count: number, work: () => Promise<T>): Promise<T> {
    const goOn = count < batchSize ? undefined : this.#watching?.pause();
    try {
      return await work();
    } finally {
      goOn?.();
    }
  }

  /** Something was put into it by this process. */
  poke(): void {
    this.#watching?.soon();
  }

  /** It is elsewhere. */
  relocated(): void {
    if (this.#watching === undefined) return;
    this.#watching.stop();
    this.#watching = this.#start();
  }
}
