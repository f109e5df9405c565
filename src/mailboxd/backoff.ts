/** How soon an agent that keeps dying is started again. Pure but for its memory. */

/** An agent that lived this long was well, ms. */
export const wellAfter = 5_000;
/** Deaths in a row that are forgiven: a kill by hand, a host short of memory for a moment. */
const forgiven = 3;
const longest = 60_000;

export class Backoff {
  readonly #deaths = new Map<string, { count: number; until: number }>();
  readonly #now: () => number;

  /** @param now  a clock that never goes back, ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** An agent died early; returns how long no other is started, ms: 0 at first, then 1 s, doubling up to a minute. */
  died(key: string): number {
    const count = (this.#deaths.get(key)?.count ?? 0) + 1;
    const wait = count <= forgiven ? 0 : Math.min(longest, 1000 * 2 ** (count - forgiven - 1));
    this.#deaths.set(key, { count, until: this.#now() + wait });
    return wait;
  }

  /** An agent lived and ended well. */
  lived(key: string): void {
    this.#deaths.delete(key);
  }

  /** True while none is to be started. */
  waiting(key: string): boolean {
    return (this.#deaths.get(key)?.until ?? 0) > this.#now();
  }
}
