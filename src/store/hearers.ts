/** Who wants to hear of changes of one mailbox. */
import type { Changes } from "./mailbox.ts";

export const noChanges: Changes = { arrived: [], expunged: [], flagged: [] };

export const isEmpty = (changes: Changes): boolean => changes.arrived.length === 0 && changes.expunged.length === 0 && changes.flagged.length === 0;

export class Hearers {
  readonly #hearers = new Set<(changes: Changes) => void>();

  get none(): boolean {
    return this.#hearers.size === 0;
  }

  /** Returns how to stop hearing. */
  add(hear: (changes: Changes) => void): () => void {
    // Wrapped, so that a function given twice hears twice and stops once.
    const own = (changes: Changes): void => hear(changes);
    this.#hearers.add(own);
    return () => this.#hearers.delete(own);
  }

  /** Tells everybody at once. A hearer that throws does not keep the others, or the work that was done, from going on. */
  tell(changes: Changes): void {
    if (this.none || isEmpty(changes)) return;
    for (const hear of [...this.#hearers]) {
      try {
        hear(changes);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}
