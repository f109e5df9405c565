/** Messages that no session has claimed as \Recent yet: those in new/, and those in cur/ that this process put there or gave a UID. */
import { UidRuns } from "../uid-runs.ts";
import { FlagPlan } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { renaming } from "./own-changes.ts";
import { unclaimed } from "./unclaimed.ts";

export class Recent {
  readonly #folder: Folder;
  /** When there were none, by `Table.changesOf` places. */
  #none = -1;

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  /** Whether there are some, as far as is known without a search: undefined when there has to be one. */
  get any(): boolean | undefined {
    const { counts, recent } = this.#folder;
    if (counts !== undefined) return counts.fresh > 0 || recent.size > 0;
    return recent.size === 0 && this.#none === this.#folder.table.changesOf("place") ? false : undefined;
  }

  /** Their UIDs, and the rows that `claim` would rename; both ascend. Where there were none, none are looked for until some message is elsewhere. */
  find(): ReturnType<typeof unclaimed> {
    const { table, recent } = this.#folder;
    const state = table.changesOf("place");
    if (recent.size === 0 && this.#none === state) return { uids: new UidRuns(), fresh: [] };
    const found = unclaimed(table, recent);
    if (found.uids.size === 0) this.#none = state;
    return found;
  }

  /** They are no longer. @param fresh as `find` says */
  async claim(fresh: readonly number[]): Promise<void> {
    const { recent, index } = this.#folder;
    if (fresh.length > 0) await renaming(this.#folder, fresh, new FlagPlan(this.#folder, undefined), true, () => undefined);
    recent.clear();
    index.saveSoon();
  }
}
