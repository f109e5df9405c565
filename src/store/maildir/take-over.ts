/**
 * All messages of one folder become another's: their files move, and keep base names and dates. UIDs first, files then, so that each message is
 * in one of the two folders at any time, with a UID there, whatever stops it; a line of the uidlist without a file is a legal state (sync.ts).
 *
 * All or none, unless the kernel refuses to move a file back as well: it is then a message of the folder it has come to.
 */
import { renameSync } from "node:fs";
import { syncDirectory } from "../durable.ts";
import type { Uid } from "../mailbox.ts";
import { placeFor } from "./deliver.ts";
import type { Folder } from "./folder.ts";
import { changing } from "./own-changes.ts";
import { listedFiles, type NewFile, type Written } from "./put.ts";
import { baseOf, inCur, inNew, nowhere } from "./row.ts";
import { octetPath } from "./scan.ts";
import type { Sync } from "./sync.ts";

interface Move extends NewFile {
  readonly uid: Uid;
  readonly others: readonly string[];
  readonly path: string | Buffer;
  /** Where it was, once it is here. */
  from?: string | Buffer;
}

/** Runs alone in both folders. @param wanted what flags become here, by UID there */
export async function takeOver(folder: Folder, sync: Sync, source: Folder, wanted: ReadonlyMap<Uid, Written>): Promise<void> {
  const moves = [...wanted].map(([uid, written]) => planned(folder, source, uid, written));
  if (moves.length === 0) return;
  let first = 0;
  try {
    await folder.uidlist.locked(async () => {
      folder.keywords.look();
      sync.look();
      if (folder.pending) sync.admitListed();
      const lines = moves.flatMap(({ base, others }) => (others.length === 0 ? [] : [{ base: base.toString("latin1"), keywords: others.join(" ") }]));
      if (lines.length > 0) await folder.others.keep(lines);
      first = await sync.list(listedFiles(folder, moves));
      await changing(folder, moves, (move, made) => {
        move.from = source.files.withFile(move.uid, (path) => (renameSync(path, move.path), path));
        if (move.from !== undefined) made[move.place === inNew ? "new" : "cur"]++;
      });
    });
    // Commit point: names; UIDs were durable before.
    await Promise.all([folder, source].flatMap(({ place }) => ["cur", "new"].map((directory) => syncDirectory(`${place.path}/${directory}`))));
  } catch (error) {
    for (const move of moves) goBack(move);
    throw error;
  } finally {
    if (first > 0) settle(folder, source, moves, first);
    for (const directory of [source.cur, source.fresh]) directory.doubt();
  }
}

function planned(folder: Folder, source: Folder, uid: Uid, { letters, others }: Written): Move {
  const base = baseOf(source.table, source.table.rowOf(uid));
  const { directory, file, suffix } = placeFor(base, letters);
  return { uid, others, place: directory === "new" ? inNew : inCur, suffix, base: Buffer.from(base, "latin1"), path: octetPath(`${folder.place.path}/${directory}`, file) };
}

/** Never throws: what can not go back stays. */
function goBack(move: Move): void {
  if (move.from === undefined) return;
  try {
    renameSync(move.path, move.from);
    delete move.from;
  } catch {
    // The others are to go back all the same.
  }
}

/** Rows of both are those of what is where by now. */
function settle(folder: Folder, source: Folder, moves: readonly Move[], first: number): void {
  const absent: number[] = [];
  moves.forEach(({ uid, place, from }, i) => {
    const row = folder.table.rowOf(first + i);
    if (from === undefined) {
      folder.table.set("place", row, nowhere);
      absent.push(row);
      return;
    }
    const there = source.table.rowOf(uid);
    for (const name of ["size", "date"] as const) folder.table.set(name, row, source.table.at[name][there]);
    folder.arrived(row);
    if (place === inCur) folder.recent.add(first + i);
  });
  folder.drop(absent);
  source.drop(moves.flatMap(({ uid, from }) => (from === undefined ? [] : source.table.rowOf(uid))));
  if (absent.length > 0) for (const directory of [folder.cur, folder.fresh]) directory.doubt();
}
