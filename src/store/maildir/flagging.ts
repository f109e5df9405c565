/** Flags of messages changed: in the names of their files, and keywords without a letter in a file of their own. */
import { syncDirectory } from "../durable.ts";
import type { Hearing } from "../hearing.ts";
import type { Changes, FlagChange, Message, Uid } from "../mailbox.ts";
import { FlagPlan, lettersFor } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { renaming, rowsOf } from "./own-changes.ts";
import { inCur } from "./row.ts";

/** Whose messages they are. */
export interface Flaggable {
  readonly folder: Folder;
  readonly hearing: Hearing;
  /** Sessions hear what happened since the last time. */
  tell(): Changes;
}

/** `Mailbox.setFlags`, while nobody else changes the folder. */
export async function flagging(of: Flaggable, uids: readonly Uid[], change: FlagChange, changed?: (flagged: readonly Message[]) => void): Promise<readonly Message[]> {
  const { folder, hearing } = of;
  const plan = new FlagPlan(folder, { how: change.how, ...(await lettersFor(folder, change.flags, change.how !== "remove")) });
  const rows = rowsOf(folder, uids);
  const { at } = folder.table;
  const rename = (): Promise<Uint8Array> => renamed(folder, rows, plan);
  const met = await hearing.unwatched(rows.length, () => (rows.some((row) => plan.next(at.set[row]) !== undefined) ? folder.uidlist.beside(rename) : rename()));
  // Commit points: the renames are durable with this fsync, keywords without a letter with that of their file. Also those of somebody who was killed, or heard
  // that it failed, before his: there is nothing left to rename then.
  const durable = rows.length > 0 ? syncDirectory(`${folder.place.path}/cur`) : Promise.resolve();
  // Both are waited for whatever becomes of one: the folder is ours until then, and nothing is told after the answer.
  const [told, written] = await Promise.allSettled([othersAndTell(of, plan, rows, met, changed), durable]);
  if (told.status === "rejected") throw told.reason;
  if (written.status === "rejected") throw written.reason;
  return told.value;
}

/** Renames the files of rows' messages as the plan says. By row, 1 for those whose files were there. */
async function renamed(folder: Folder, rows: readonly number[], plan: FlagPlan): Promise<Uint8Array> {
  const { table, recent } = folder;
  const met = new Uint8Array(table.length);
  await renaming(folder, rows, plan, false, (row, wasNew) => {
    met[row] = 1;
    // A session has still to be told that it is.
    if (wasNew && table.at.place[row] === inCur) recent.add(table.at.uid[row]);
  });
  return met;
}

/** Meanwhile the disk writes. @param met by row: those whose files were there */
async function othersAndTell({ folder, tell }: Flaggable, plan: FlagPlan, rows: readonly number[], met: Uint8Array, changed?: (flagged: readonly Message[]) => void): Promise<readonly Message[]> {
  const { table } = folder;
  await plan.others(rows.filter((row) => met[row] === 1));
  const flagged = tell().flagged.filter(({ uid }) => met[table.rowOf(uid)] === 1);
  changed?.(flagged);
  return flagged;
}
