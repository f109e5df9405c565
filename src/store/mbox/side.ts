/**
 * Side files of mbox folders: NAME.KIND in a directory of the user's own, NAME being that of the folder. The directory of the mailbox
 * itself may be root's.
 */
import { createHash } from "node:crypto";
import { readdirSync, renameSync, rmSync } from "node:fs";
import { makeDirectories } from "../durable.ts";

export class Side {
  readonly directory: string;
  readonly #name: string;

  /** @param name of the folder; any characters */
  constructor(directory: string, name: string) {
    this.directory = directory;
    this.#name = sideName(name);
  }

  path(kind: string): string {
    return `${this.directory}/${this.#name}.${kind}`;
  }

  /** Makes the directory. */
  ready(): void {
    makeDirectories(this.directory, 0o700);
  }
}

/** Encoded, or a digest where that would be longer than a file name may be. */
function sideName(name: string): string {
  const encoded = encodeURIComponent(name).replaceAll(".", "%2E");
  return encoded.length < 200 ? encoded : createHash("sha256").update(name).digest("hex");
}

/** Removes the side files of a folder that is gone, and of those below it: another of its name starts anew. */
export function forgetSide(directory: string, name: string): void {
  const own = sideName(name);
  for (const entry of readdirSync(directory)) if (entry.startsWith(`${own}.`) || entry.startsWith(`${own}%2F`)) rmSync(`${directory}/${entry}`, { force: true });
}

/** Side files go along with a folder that gets another name, and with those below it; what the new name had is gone. */
export function renameSide(directory: string, from: string, to: string): void {
  forgetSide(directory, to);
  const [own, next] = [sideName(from), sideName(to)];
  for (const entry of readdirSync(directory))
    if (entry.startsWith(`${own}.`) || entry.startsWith(`${own}%2F`)) renameSync(`${directory}/${entry}`, `${directory}/${next}${entry.slice(own.length)}`);
}
