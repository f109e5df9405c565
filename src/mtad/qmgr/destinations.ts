/**
 * How many transactions go to one destination at once, and which destinations are left alone for a while
 * because they could not be reached.
 */
import type { Delivered } from "./transport.ts";

/** A piece of work for a destination. */
export interface Job {
  run(): Promise<Delivered>;
  /** The destination is known not to answer, with these words; or there will be no more work ("stopping"). */
  skip(why: { readonly kind: "unreachable"; readonly text: string } | { readonly kind: "stopping" }): void;
}

interface Destination {
  busy: number;
  /** Transactions at once; starts low and grows with success (postconf(5) initial_destination_concurrency). */
  window: number;
  readonly waiting: Job[];
}

const initialConcurrency = 5;
/** With so many known not to answer, those of the past are forgotten. */
const deadLimit = 1000;

export class Destinations {
  readonly #limit: number;
  readonly #pause: number;
  readonly #now: () => number;
  readonly #live = new Map<string, Destination>();
  readonly #dead = new Map<string, { readonly until: number; readonly text: string }>();
  #stopping = false;
  #idle: (() => void)[] = [];

  /** @param limit  transactions at once to one destination; @param pause  ms an unreachable one is left alone */
  constructor(limit: number, pause: number, now: () => number) {
    this.#limit = Math.max(1, limit);
    this.#pause = pause;
    this.#now = now;
  }

  submit(key: string, job: Job): void {
    if (this.#stopping) return job.skip({ kind: "stopping" });
    const dead = this.#dead.get(key);
    if (dead !== undefined && dead.until > this.#now()) return job.skip({ kind: "unreachable", text: dead.text });
    if (dead !== undefined) this.#dead.delete(key);
    let destination = this.#live.get(key);
    if (destination === undefined) this.#live.set(key, (destination = { busy: 0, window: Math.min(initialConcurrency, this.#limit), waiting: [] }));
    if (key.startsWith("local:")) destination.window = this.#limit;
    destination.waiting.push(job);
    this.#start(key, destination);
  }

  /** Unreachable destinations may be tried again. */
  forgive(): void {
    this.#dead.clear();
  }

  /** Starts nothing more. Resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const [key, destination] of this.#live) {
      for (const job of destination.waiting.splice(0)) job.skip({ kind: "stopping" });
      if (destination.busy === 0) this.#live.delete(key);
    }
    if (this.#live.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #start(key: string, destination: Destination): void {
    while (destination.busy < destination.window) {
      const job = destination.waiting.shift();
      if (job === undefined) break;
      destination.busy++;
      void job.run().then((delivered) => this.#ended(key, destination, delivered));
    }
    if (destination.busy === 0) this.#live.delete(key);
    if (this.#live.size === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  #ended(key: string, destination: Destination, delivered: Delivered): void {
    destination.busy--;
    if (delivered.unreachable) {
      const text = delivered.results[0]?.outcome.text ?? "unreachable";
      if (this.#dead.size >= deadLimit) for (const [other, { until }] of this.#dead) if (until <= this.#now()) this.#dead.delete(other);
      this.#dead.set(key, { until: this.#now() + this.#pause, text });
      for (const job of destination.waiting.splice(0)) job.skip({ kind: "unreachable", text });
    } else if (destination.window < this.#limit) destination.window++;
    this.#start(key, destination);
  }
}
