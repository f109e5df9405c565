import { running } from "./processes.ts";

/** Name of a step, ms, CPU ms of the server where that is asked for. */
export type StepTime = readonly [string, number, number?];

/** Steps of a load, timed one by one. */
export class Steps {
  /** In order. */
  readonly times: StepTime[] = [];
  readonly #roots: readonly number[] | undefined;

  /** @param roots processes of the server, whose CPU is to be told too */
  constructor(roots: readonly number[] | undefined) {
    this.#roots = roots;
  }

  async timed<T>(name: string, act: () => Promise<T>): Promise<T> {
    const roots = this.#roots;
    const before = roots === undefined ? 0 : running(roots);
    const start = performance.now();
    const result = await act();
    const ms = performance.now() - start;
    this.times.push(roots === undefined ? [name, ms] : [name, ms, running(roots) - before]);
    return result;
  }
}
