/** Messages that no session has claimed as \Recent yet: those in new/, and those in cur/ that this process put there or gave a UID. */
import { FlagPlan } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { renaming } from "./own-changes.ts";
import { inCur, inNew } from "./row.ts";

export class Recent {
  readonly #folder: Folder;
  /** When there were none, by `Table.changesOf` places. */
  #none = -1;

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  /** Whether there are some, as far as is known without the table: undefined when that has to be read. */
  get any(): boolean | undefined {
    const { counts, recent } = this.#folder;
    return counts === undefined ? undefined : counts.fresh > 0 || !recent.none;
  }

  /** Their rows. Where there were none, none are looked for until some message is elsewhere. */
  rows(): number[] {
    const { table, recent } = this.#folder;
    const state = table.changesOf("place");
    if (recent.none && this.#none === state) return [];
    const { length } = table;
    const { uid, place } = table.at;
    const rows: number[] = [];
    if (recent.none) for (let row = table.rowWith("place", inNew); row >= 0; row = table.rowWith("place", inNew, row + 1)) rows.push(row);
    else for (let row = 0; row < length; row++) if (place[row] === inNew || (place[row] === inCur && recent.has(uid[row]))) rows.push(row);
    if (rows.length === 0) this.#none = state;
    return rows;
  }

  /** Rows of those, ascending, that `claim` would rename. */
  renamed(rows: readonly number[]): readonly number[] {
    const { table } = this.#folder;
    return table.rowWith("place", inNew) < 0 ? [] : rows.filter((row) => table.at.place[row] === inNew);
  }

  /** They are no longer. @param fresh as `renamed` says */
  async claim(fresh: readonly number[]): Promise<void> {
    const { recent, index } = this.#folder;
    if (fresh.length > 0) await renaming(this.#folder, fresh, new FlagPlan(this.#folder, undefined), true, () => undefined);
    recent.clear();
    index.saveSoon();
  }
}
