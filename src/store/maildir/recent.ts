/** Messages that no session has claimed as \Recent yet: those in new/, and those in cur/ that this process put there or gave a UID. */
import type { Uid } from "../mailbox.ts";
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

  /** Their UIDs, and the rows that `claim` would rename; both ascend. Where there were none, none are looked for until some message is elsewhere. */
  find(): { readonly uids: readonly Uid[]; readonly fresh: readonly number[] } {
    const { table, recent } = this.#folder;
    const state = table.changesOf("place");
    const uids: Uid[] = [];
    const fresh: number[] = [];
    if (recent.none && this.#none === state) return { uids, fresh };
    const { length } = table;
    const { uid, place } = table.at;
    for (let row = recent.none ? table.rowWith("place", inNew) : 0; row >= 0 && row < length; row = recent.none ? table.rowWith("place", inNew, row + 1) : row + 1) {
      const isFresh = place[row] === inNew;
      if (!isFresh && (place[row] !== inCur || !recent.has(uid[row]))) continue;
      uids.push(uid[row] as Uid);
      if (isFresh) fresh.push(row);
    }
    if (uids.length === 0) this.#none = state;
    return { uids, fresh };
  }

  /** They are no longer. @param fresh as `find` says */
  async claim(fresh: readonly number[]): Promise<void> {
    const { recent, index } = this.#folder;
    if (fresh.length > 0) await renaming(this.#folder, fresh, new FlagPlan(this.#folder, undefined), true, () => undefined);
    recent.clear();
    index.saveSoon();
  }
}
