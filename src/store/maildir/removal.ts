/** EXPUNGE: files are removed, and that is made durable, also what an earlier one left undone. */
import { unlinkSync } from "node:fs";
import { syncDirectory } from "../durable.ts";
import { errno } from "../faults.ts";
import type { Uid } from "../mailbox.ts";
import type { Folder } from "./folder.ts";
import { removeHeld } from "./held-files.ts";
import { changing, patience, type Made } from "./own-changes.ts";
import type { Quota } from "./quota.ts";
import { directoryOf, nowhere, pathOf } from "./row.ts";

type Directory = keyof Made;

export class Removal {
  readonly #folder: Folder;
  readonly #quota: Quota;
  /** Names left these, and no fsync has said since that they are gone from the disk. */
  readonly #owed = new Set<Directory>();

  constructor(folder: Folder, quota: Quota) {
    this.#folder = folder;
    this.#quota = quota;
  }

  /** All that was removed is durable. */
  get settled(): boolean {
    return this.#owed.size === 0;
  }

  /** Removes messages of rows; durable when it resolves. UIDs of those that this call removed, ascending. */
  async run(rows: readonly number[]): Promise<readonly Uid[]> {
    const folder = this.#folder;
    const gone: Uid[] = [];
    let octets = 0;
    try {
      await changing(folder, rows, (row, made) => {
        const uid = folder.table.at.uid[row] as Uid;
        const size = folder.files.storedSize(uid) ?? 0;
        const directory = unlink(folder, row, made);
        if (directory === undefined) return;
        this.#owed.add(directory);
        gone.push(uid);
        octets += size;
      });
    } finally {
      folder.drop(gone.map((uid) => folder.table.rowOf(uid)).sort((a, b) => a - b));
      this.#quota.changed(-octets, -gone.length);
    }
    await this.#settle();
    return gone.sort((a, b) => a - b);
  }

  /** Somebody asks for what is gone already: who removed it may have been killed before his fsync. */
  doubt(): void {
    this.#owed.add("new").add("cur");
  }

  /** Commit point. */
  async #settle(): Promise<void> {
    const owed = [...this.#owed];
    await Promise.all(owed.map((directory) => syncDirectory(`${this.#folder.place.path}/${directory}`)));
    for (const directory of owed) this.#owed.delete(directory);
  }
}

/** Removes the file of a row's message; where it was, or undefined when it is gone already: the next refresh says so. */
function unlink(folder: Folder, row: number, made: Made): Directory | undefined {
  const { at } = folder.table;
  for (let tries = 0; tries < patience; tries++) {
    if (at.place[row] === nowhere) return undefined;
    const directory = directoryOf(at.place[row]);
    try {
      const path = pathOf(folder.place.path, folder.table, row);
      if (folder.cur.isLocal) removeHeld(path);
      else unlinkSync(path);
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
