/** How long the writers go on, and how long each of the things took that they did. */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { Chance } from "../operations.ts";

export class Clock {
  #end = Number.POSITIVE_INFINITY;
  #waiting: number;
  readonly #duration: number;
  readonly #steps = new Map<string, { count: number; longest: number; sum: number }>();
  readonly #busy = new Map<string, number>();

  /**
   * @param duration ms
   * @param writers  the time begins when this many are ready
   */
  constructor(duration: number, writers: number) {
    this.#duration = duration;
    this.#waiting = writers;
  }

  ready(): void {
    if (--this.#waiting === 0 && this.#end !== 0) this.#end = performance.now() + this.#duration;
  }

  /** Before its time: somebody found a fault. */
  stop(): void {
    this.#end = 0;
    this.#waiting = 0;
  }

  get running(): boolean {
    return performance.now() < this.#end;
  }

  async timed<T>(what: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } catch (cause) {
      throw new Error(`${what}, after ${Math.round(performance.now() - began)} ms: ${String(cause)}`, { cause });
    } finally {
      const took = performance.now() - began;
      const step = this.#steps.get(what) ?? { count: 0, longest: 0, sum: 0 };
      this.#steps.set(what, { count: step.count + 1, longest: Math.max(step.longest, took), sum: step.sum + took });
    }
  }

  /** People and senders take a breath: a mailbox that is locked all the time nobody can use. */
  rest(chance: Chance): Promise<void> {
    return pause(chance.below(200));
  }

  /** A server said that the mailbox was in use. */
  busy(who: string): void {
    this.#busy.set(who, (this.#busy.get(who) ?? 0) + 1);
  }

  /** A line for each thing that was done: how often, mean and longest in ms. */
  report(): string[] {
    const steps = [...this.#steps].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, { count, longest, sum }]) => `${what}: ${count} times, ${Math.round(sum / count)} ms, at most ${Math.round(longest)} ms`);
    return [...steps, ...[...this.#busy].map(([who, count]) => `${who}: told ${count} times that the mailbox is in use`)];
  }
}
