/**
 * The first opening of a folder that Courier has served: what it knows (courier.ts) becomes ours. Killed amid it, the next opener does it again, since there is
 * no `dovecot-uidlist` before the end. Afterwards the empty file `posthorn-adopted` is there: where our list is lost later, Courier's UIDs would be given twice.
 */
import { closeSync, existsSync, openSync, renameSync } from "node:fs";
import { createOnly } from "../durable.ts";
import { errno, storeFault } from "../faults.ts";
import { courierKeywords, courierList } from "./courier.ts";
import { lettersIn, sortLetters } from "./filename.ts";
import { lettersFor } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { eachFile, octetPath } from "./scan.ts";
import type { UidlistReader } from "./uidlist-file.ts";

const markOf = (folder: Folder): string => `${folder.place.path}/posthorn-adopted`;

/** Says that it was done, the new list being durable. Never throws. */
export function markAdopted(folder: Folder): void {
  try {
    closeSync(openSync(markOf(folder), createOnly, 0o600));
  } catch (error) {
    folder.log(`${markOf(folder)}: ${errno(error)}`);
  }
}

/** True when there was a list, and it was read. Never throws: without it UIDs begin anew. */
export function adoptList(folder: Folder, reader: UidlistReader, nextUidValidity: () => number): boolean {
  const { path } = folder.place;
  try {
    const list = existsSync(markOf(folder)) ? undefined : courierList(path, nextUidValidity);
    if (list === undefined) return false;
    folder.uidlist.adopt(list, reader);
    if (folder.header !== undefined) folder.log(`${path}: UIDs are those of Courier`);
  } catch (error) {
    folder.log(`${path}: Courier's UIDs can not be read: ${errno(error) || String(error)}`);
  }
  return folder.header !== undefined;
}

interface Named {
  readonly base: string;
  readonly suffix: string;
}

/** Keywords of Courier's become letters in names. Where they can not be read or written the mail is there without them. */
export async function adoptKeywords(folder: Folder): Promise<void> {
  const { path } = folder.place;
  if (existsSync(`${folder.place.control}/dovecot-uidlist`) || existsSync(markOf(folder))) return;
  try {
    const keywords = courierKeywords(path);
    if (keywords === undefined) return;
    const files: Named[] = [];
    eachFile(`${path}/cur`, (octets, from, baseTo, to) => {
      const base = octets.toString("latin1", from, baseTo);
      if ((keywords.get(base) ?? []).length > 0) files.push({ base, suffix: octets.toString("latin1", baseTo, to) });
    });
    for (const file of files) await rename(folder, file, keywords.get(file.base) ?? []);
  } catch (error) {
    folder.log(`${path}: Courier's keywords are not taken over: ${storeFault(error).message}`);
  }
}

async function rename(folder: Folder, { base, suffix }: Named, keywords: readonly string[]): Promise<void> {
  const { letters, others } = await lettersFor(folder, new Set(keywords), true);
  if (others.length > 0) await folder.others.keep([{ base, keywords: others.join(" ") }]);
  const next = `:2,${sortLetters(lettersIn(suffix) + letters)}`;
  const cur = `${folder.place.path}/cur`;
  if (next !== suffix) renameSync(octetPath(cur, base + suffix), octetPath(cur, base + next));
}
