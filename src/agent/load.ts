/** How busy this agent is, told to mailboxd whenever it changes; and how many sessions one address may have. */
import type { AgentNote } from "../daemon/protocol.ts";

/** Nothing changed for so long, ms. */
const calm = 100;
/** ms */
const delay = 5;

export class Load {
  readonly #tell: (note: AgentNote) => void;
  #sessions = 0;
  #deliveries = 0;
  #taken = 0;
  #telling = false;
  /** performance.now() of the last note. */
  #told = -Infinity;
  readonly #perAddress = new Map<string, number>();
  #quiet: (() => void)[] = [];

  constructor(tell: (note: AgentNote) => void) {
    this.#tell = tell;
  }

  /** A socket arrived; whatever becomes of it, it has been taken. */
  take(): void {
    this.#taken++;
    this.#changed();
  }

  /** Counts work of this kind until it settles. `work` must not reject. */
  async during(kind: "session" | "delivery", work: () => Promise<void>): Promise<void> {
    this.#add(kind, 1);
    try {
      await work();
    } finally {
      this.#add(kind, -1);
    }
  }

  /**
   * Counts a session of this user from this address. False when there are `limit` already; else call `leave` when it ends.
   * The service counts too: a phone may have its share of both.
   */
  enter(address: string, limit: number): boolean {
    const now = this.#perAddress.get(address) ?? 0;
    if (now >= limit) return false;
    this.#perAddress.set(address, now + 1);
    return true;
  }

  leave(address: string): void {
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }

  /** Resolves when nothing is under way. */
  quiet(): Promise<void> {
    if (this.#sessions + this.#deliveries === 0) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  #add(kind: "session" | "delivery", n: 1 | -1): void {
    if (kind === "session") this.#sessions += n;
    else this.#deliveries += n;
    this.#changed();
    if (this.#sessions + this.#deliveries > 0) return;
    for (const resolve of this.#quiet.splice(0)) resolve();
  }

  /** One note for all changes of a turn of the event loop; the first one for a while has time, and leaves the processors to whoever has just logged in. */
  #changed(): void {
    if (this.#telling) return;
    this.#telling = true;
    const tell = (): void => {
      this.#telling = false;
      this.#told = performance.now();
      this.#tell({ kind: "load", sessions: this.#sessions, deliveries: this.#deliveries, taken: this.#taken });
    };
    if (performance.now() - this.#told > calm) setTimeout(tell, delay);
    else setImmediate(tell);
  }
}
