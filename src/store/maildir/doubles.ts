/**
 * Two files of one base name, with other flags or in new/ and cur/: two copies that something brought together, of which one would not be seen. When both
 * are there at one time and are not one file, one of them gets a name of its own, and with it a UID, as Dovecot does it; its flags stay.
 *
 * A scan may meet a file under its old name and its new one: then one of them is gone. One file with two names (link(2)) is left: who
 * is about to take one of them away is not to find that it was the last.
 */
import { lstatSync, renameSync } from "node:fs";
import { crlfSize } from "../../message/line-ends.ts";
import { longest } from "../faults.ts";
import { newBase, placeFor } from "./deliver.ts";
import { lettersIn } from "./filename.ts";
import type { Folder } from "./folder.ts";
import { withOctets } from "./message-file.ts";
import { baseOf, directoryOf, inNew, pathOf } from "./row.ts";
import { octetPath, type Twice } from "./scan.ts";

/** True when files have other names now: they are to be looked for. Never throws: where we may not, they stay as they are. */
export function separate(folder: Folder, twice: readonly Twice[]): boolean {
  let separated = false;
  for (const one of twice) {
    try {
      separated = rename(folder, one) || separated;
    } catch {
      // Gone meanwhile, no room, or not ours to change.
    }
  }
  return separated;
}

function rename(folder: Folder, { uid, place, set }: Twice): boolean {
  const { table } = folder;
  const { path } = folder.place;
  const row = folder.rowOf(uid);
  if (row < 0) return false;
  const suffix = table.setAt(set);
  const name = baseOf(table, row) + suffix;
  const old = octetPath(`${path}/${directoryOf(place)}`, name);
  const [first, second] = [lstatSync(old), lstatSync(pathOf(path, table, row))];
  if (first.ino === second.ino && first.dev === second.dev) return false;
  // Of one that nobody can read nobody counts lines.
  const base = first.size > longest ? newBase(first.size, first.size) : withOctets(old, (octets) => newBase(octets.length, crlfSize(octets)));
  const letters = lettersIn(suffix);
  const shown = place === inNew ? placeFor(base, "") : { directory: "cur", file: `${base}:2,${letters}` };
  renameSync(old, octetPath(`${path}/${shown.directory}`, shown.file));
  folder.log(`${path}/${directoryOf(place)}/${name}: another message has this name, it is ${shown.directory}/${shown.file} now`);
  return true;
}
