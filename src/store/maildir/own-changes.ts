/** Renames and removals (removal.ts) of our own, of which we know how many events they make, and which follow a file that another program renamed. */
import { closeSync, constants, openSync } from "node:fs";
import { renameAt } from "../../sys/rename.ts";
import { errno } from "../faults.ts";
import { StoreFault, type Uid } from "../mailbox.ts";
import { batchSize, breathe } from "../serial.ts";
import { lettersIn } from "./filename.ts";
import type { FlagPlan } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { inCur, inNew, nowhere, putEnd } from "./row.ts";

/** Events that own path operations made, by directory. */
export interface Made {
  cur: number;
  new: number;
}

/** Rows of messages that are there; they are the same until the work under way is done. */
export function rowsOf(folder: Folder, uids: readonly Uid[]): number[] {
  const rows: number[] = [];
  for (const uid of uids) {
    const row = folder.rowOf(uid);
    if (row >= 0) rows.push(row);
  }
  return rows;
}

/** Fewer renames are counted, however few messages there are. */
const many = 1000;

/** Tries before a file that is renamed all the time is let go. */
export const patience = 8;

/**
 * Runs path operations of our own on each of these, with a breath after every batch. When the directories were known before, they are
 * afterwards, unless somebody else did something meanwhile, or `most` of cur/ is changed.
 */
export async function changing<T>(folder: Folder, items: readonly T[], work: (item: T, made: Made) => void, most = false): Promise<Made> {
  const { cur, fresh } = folder;
  const changes = [fresh.changing(), most ? cur.changingMost() : cur.changing()];
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
 * Renames files of rows' messages into cur/ with the letters of a plan, following those that another program renames. A file whose name has no room
 * for letters stays where it is; where they are other ones, StoreFault "limit" is thrown when all the rest is done.
 *
 * @param claim also move those out of new/ whose letters stay
 * @param done  called with each row whose file is there and as it should be, and whether it was in new/
 */
export async function renaming(folder: Folder, rows: readonly number[], plan: FlagPlan, claim: boolean, done: (row: number, wasNew: boolean) => void): Promise<Made> {
  const files = new RenamedFiles(folder);
  const most = rows.length >= many && rows.length * 2 >= folder.table.length;
  let tooLong: unknown;
  const work = (row: number, made: Made): void => {
    const wasNew = folder.table.at.place[row] === inNew;
    try {
      if (rename(folder, files, row, plan, claim, made)) done(row, wasNew);
    } catch (error) {
      if (errno(error) !== "ENAMETOOLONG") throw error;
      tooLong = error;
    }
  };
  try {
    const made = await changing(folder, rows, work, most);
    if (tooLong !== undefined && !claim) throw new StoreFault("limit", "the name of a message file has no room for flags", tooLong);
    return made;
  } finally {
    files.close();
  }
}

/** False when the file is gone. */
function rename(folder: Folder, files: RenamedFiles, row: number, plan: FlagPlan, claim: boolean, made: Made): boolean {
  const { table } = folder;
  for (let tries = 0; tries < patience; tries++) {
    const { at } = table;
    const place = at.place[row];
    if (place === nowhere) return false;
    const next = plan.next(at.set[row]);
    if (next === undefined && (place === inCur || !claim)) return true;
    const suffix = next ?? `:2,${lettersIn(table.setAt(at.set[row]))}`;
    try {
      files.rename(row, suffix);
    } catch (error) {
      if (errno(error) !== "ENOENT") throw error;
      if (!folder.files.follow(at.uid[row])) return false;
      continue;
    }
    made.cur += place === inCur ? 2 : 1;
    if (place === inNew) made.new++;
    table.set("set", row, files.setOf(suffix));
    if (place !== inCur) table.set("place", row, inCur);
    if (next !== undefined) folder.flaggedRow(row);
    return true;
  }
  return false;
}

/** A longer name is none on any file system. */
const longestName = 1023;

/** The directories and names of renames under way. */
class RenamedFiles {
  readonly #folder: Folder;
  #cur: number | undefined;
  #new: number | undefined;
  readonly #name = Buffer.alloc(longestName + 1);
  readonly #next = Buffer.alloc(longestName + 1);
  /** Mostly the same for one message as for the last. */
  #last: { readonly suffix: string; readonly set: number } | undefined;

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  #open(directory: "cur" | "new"): number {
    return openSync(`${this.#folder.place.path}/${directory}`, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /** Throws what rename(2) says. */
  rename(row: number, suffix: string): void {
    const { table } = this.#folder;
    const { heap, at } = table;
    const cur = (this.#cur ??= this.#open("cur"));
    const from = at.place[row] === inNew ? (this.#new ??= this.#open("new")) : cur;
    const now = table.setAt(at.set[row]);
    const base = at.nameAt[row];
    const length = at.baseLength[row];
    if (length + Math.max(now.length, suffix.length) > longestName) throw new StoreFault("bad-name", "the name of a message file is too long");
    const name = this.#name;
    const next = this.#next;
    for (let i = 0; i < length; i++) name[i] = next[i] = heap[base + i];
    putEnd(name, length, now);
    putEnd(next, length, suffix);
    renameAt(from, name, cur, next);
  }

  /** Number of what follows base names. */
  setOf(suffix: string): number {
    if (this.#last?.suffix !== suffix) this.#last = { suffix, set: this.#folder.table.numberOf(suffix) };
    return this.#last.set;
  }

  close(): void {
    for (const directory of [this.#cur, this.#new]) if (directory !== undefined) closeSync(directory);
  }
}
