/** Renames and removals of our own, of which we know how many events they make, and which follow a file that another program renamed. */
import { renameSync, unlinkSync } from "node:fs";
import { errno } from "../faults.ts";
import { batchSize, breathe } from "../serial.ts";
import { lettersIn } from "./filename.ts";
import type { FlagPlan } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { baseOf, directoryOf, inCur, inNew, nowhere, pathOf } from "./row.ts";
import { octetPath } from "./scan.ts";

/** Events that own path operations made, by directory. */
export interface Made {
  cur: number;
  new: number;
}

/** Tries before a file that is renamed all the time is let go. */
const patience = 8;

/**
 * Runs path operations of our own on each of these, with a breath after every batch. When the directories were known before, they are
 * afterwards, unless somebody else did something meanwhile.
 */
export async function changing<T>(folder: Folder, items: readonly T[], work: (item: T, made: Made) => void): Promise<Made> {
  const { cur, fresh } = folder;
  const changes = [fresh.changing(), cur.changing()];
  const made: Made = { cur: 0, new: 0 };
  try {
    for (let i = 0; i < items.length; i++) {
      if (i > 0 && i % batchSize === 0) {
        for (const change of changes) change.tick();
        await breathe();
      }
      work(items[i], made);
    }
    return made;
  } finally {
    changes[0].done(made.new);
    changes[1].done(made.cur);
  }
}

/**
 * Renames the file of a row's message into cur/ with other letters; follows it when another program renamed it. False when the file is gone.
 *
 * @param claim also move it out of new/ when the letters stay
 */
export function rename(folder: Folder, row: number, plan: FlagPlan, claim: boolean, made: Made): boolean {
  const { table } = folder;
  for (let tries = 0; tries < patience; tries++) {
    const { at } = table;
    const place = at.place[row];
    if (place === nowhere) return false;
    const next = plan.next(at.set[row]);
    if (next === undefined && (place === inCur || !claim)) return true;
    const suffix = next ?? `:2,${lettersIn(table.setAt(at.set[row]))}`;
    const base = baseOf(table, row);
    try {
      renameSync(pathTo(folder, place, base + table.setAt(at.set[row])), pathTo(folder, inCur, base + suffix));
    } catch (error) {
      if (errno(error) !== "ENOENT") throw error;
      if (!folder.files.follow(at.uid[row])) return false;
      continue;
    }
    made.cur += place === inCur ? 2 : 1;
    if (place === inNew) made.new++;
    table.set("set", row, table.numberOf(suffix));
    if (place !== inCur) table.set("place", row, inCur);
    if (next !== undefined) folder.flaggedRow(row);
    return true;
  }
  return false;
}

const pathTo = (folder: Folder, place: number, file: string): string | Buffer => octetPath(`${folder.place.path}/${directoryOf(place)}`, file);

/** Removes the file of a row's message; where it was, or undefined when it is gone already: the next refresh says so. */
export function unlink(folder: Folder, row: number, made: Made): "cur" | "new" | undefined {
  const { at } = folder.table;
  for (let tries = 0; tries < patience; tries++) {
    if (at.place[row] === nowhere) return undefined;
    const directory = directoryOf(at.place[row]);
    try {
      unlinkSync(pathOf(folder.place.path, folder.table, row));
    } catch (error) {
      if (errno(error) !== "ENOENT") throw error;
      if (!folder.files.follow(at.uid[row])) return undefined;
      continue;
    }
    made[directory]++;
    return directory;
  }
  return undefined;
}
