/** Flags of messages changed in the names of their files. */
import type { FlagPlan } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { renaming } from "./own-changes.ts";
import { inCur } from "./row.ts";

/**
 * Renames the files of rows' messages as the plan says.
 *
 * @returns by row, 1 for those whose files were there
 */
export async function flagging(folder: Folder, rows: readonly number[], plan: FlagPlan): Promise<Uint8Array> {
  const { table, recent } = folder;
  const met = new Uint8Array(table.length);
  await renaming(folder, rows, plan, false, (row, wasNew) => {
    met[row] = 1;
    // A session has still to be told that it is.
    if (wasNew && table.at.place[row] === inCur) recent.add(table.at.uid[row]);
  });
  return met;
}
