/**
 * What was looked up in this turn of the event loop. Messages that arrive together ask for the same files and directories one after the other:
 * within a turn one look answers all of them, and what others change meanwhile is met in the next.
 */
import { statSync, type Stats } from "node:fs";

/** Values by key, forgotten when the turn ends. */
export class TurnMap<V> {
  readonly #known = new Map<string, V>();

  /** What is known, or what `find` finds; when that throws nothing is kept. */
  get(key: string, find: (key: string) => V): V {
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.has(key)) return known as V;
    const found = find(key);
    if (this.#known.size === 0) setImmediate(() => this.#known.clear());
    this.#known.set(key, found);
    return found;
  }

  /** Before what this process changes itself is looked at. */
  forget(): void {
    this.#known.clear();
  }
}

const stats = new TurnMap<Stats | undefined>();
const ofFile = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

/** stat(2), once a turn; undefined when there is no such file. Throws other system errors. */
export const look = (path: string): Stats | undefined => stats.get(path, ofFile);

/** This process has changed files that `look` may have seen. */
export const forgetLooks = (): void => stats.forget();
