/**
 * Folders whose names on disk are no UTF-8 (a recipe in Latin-1). No client could be told of them, so they are renamed when they are listed, as Dovecot does:
 * U+FFFD stands for each run of such octets, all of it in modified UTF-7. Where something has that name already the octets are told apart ("=E9"), and where that is taken
 * too it stays as it is; the log says each.
 */
import { linkSync, lstatSync, readdirSync, renameSync, unlinkSync, type Dirent } from "node:fs";
import { encodeMutf7 } from "../syntax/mutf7.ts";
import { errno } from "./faults.ts";

type Entry = Dirent<string>;

export class OddNames {
  readonly #log: (line: string) => void;
  /** What the log has said, and what stays. */
  readonly #said = new Set<string>();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Entries of a directory; those that can be folders have names that are UTF-8, or stay out. @param isFolder by kind and name, octets that are no UTF-8 being U+FFFD */
  entries(directory: string, isFolder: (entry: Entry) => boolean): Entry[] {
    const found = readdirSync(directory, { withFileTypes: true });
    for (const entry of found) if (/[\x00-\x1f]/.test(entry.name) && isFolder(entry)) this.#stays(`${directory}/${entry.name}`, "it has control characters");
    if (!found.some((entry) => isOdd(entry) && isFolder(entry))) return found;
    for (const entry of readdirSync(directory, { withFileTypes: true, encoding: "buffer" })) {
      const name = entry.name.toString("utf8");
      if (!name.includes("\ufffd") || !found.some((one) => one.name === name && isFolder(one))) continue;
      this.#rename(directory, entry.name, entry.isDirectory());
    }
    return readdirSync(directory, { withFileTypes: true }).filter((entry) => !isOdd(entry));
  }

  #rename(directory: string, name: Buffer, isDirectory: boolean): void {
    const old = Buffer.concat([Buffer.from(`${directory}/`), name]);
    const text = `${directory}/${name.toString("latin1")}`;
    for (const next of [encodeMutf7(name.toString("utf8").replaceAll(/\ufffd+/g, "\ufffd")), encodeMutf7(withHex(name))]) {
      const path = `${directory}/${next}`;
      try {
        const there = lstatSync(path, { throwIfNoEntry: false });
        // A file that somebody began to rename has both names.
        if (there !== undefined && (isDirectory || there.ino !== lstatSync(old).ino)) continue;
        if (isDirectory) renameSync(old, path);
        else {
          // Unlike rename(2) it replaces nothing.
          if (there === undefined) linkSync(old, path);
          unlinkSync(old);
        }
        return this.#log(`${text}: the name is no UTF-8, it is ${next} now`);
      } catch (error) {
        return this.#stays(text, `it is no UTF-8, and can not be changed: ${errno(error) || String(error)}`);
      }
    }
    this.#stays(text, "it is no UTF-8, and there is another one of the name it would get");
  }

  #stays(path: string, why: string): void {
    if (this.#said.has(path)) return;
    this.#said.add(path);
    this.#log(`${path}: no client can be told the name: ${why}`);
  }
}

const isOdd = ({ name }: Entry): boolean => name.includes("\ufffd");

/** "=E9" for each octet of what is no UTF-8. */
const withHex = (name: Buffer): string =>
  name.toString("latin1").replaceAll(/[\x80-\xff]/g, (octet) => `=${octet.charCodeAt(0).toString(16).toUpperCase()}`);
