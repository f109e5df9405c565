/**
 * Dovecot's LAYOUT=fs: "A/B" is the directory `A/B` below the root, and INBOX the root itself. Beside `cur new tmp` of a folder are the directories of those below
 * it, so that no level may have such a name. With DIRNAME=D the Maildir of "A/B" is `A/B/D`, that of INBOX `INBOX/D`, and only D is no name. A directory that is no
 * Maildir holds others.
 */
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { makeDirectories, syncDirectory } from "../durable.ts";
import { errno } from "../faults.ts";
import { canonicalName, components, nameOfEntry } from "../folder-names.ts";
import { StoreFault } from "../mailbox.ts";
import { depthLimit, entryIn, look } from "../nested-entries.ts";
import type { OddNames } from "../odd-names.ts";
import { emptyControl, linkControl, removeIfEmpty } from "./control.ts";
import { inside, isFolder, isUsable, makeFolder, refuseOthers, removeEmptyFolder, trash } from "./folders.ts";
import type { FoundDirectory, Layout, MaildirLocation, RenameStep } from "./layout.ts";

const parts = ["cur", "new", "tmp"];

export class Nested implements Layout {
  readonly root: string;
  readonly inbox: string;
  readonly control: string;
  readonly separator = "/";
  readonly holders = true;
  /** "/D", or "". */
  readonly #below: string;
  readonly #refuse: (component: string) => boolean;

  readonly #names: OddNames;

  constructor({ root, inbox, control = root, dirname: name }: MaildirLocation, names: OddNames) {
    this.#names = names;
    this.root = root;
    this.inbox = inbox;
    this.control = control;
    this.#below = name === "" ? "" : `/${name}`;
    this.#refuse = name === "" ? (part) => parts.includes(part) || part === "." || part === ".." : (part) => part === name || part === "." || part === "..";
  }

  /** Every directory of the root is a folder to other programs, but none in `tmp`. */
  get side(): string {
    return `${this.inbox}/tmp/.posthorn`;
  }

  path(name: string): string {
    return name === "INBOX" ? this.inbox : this.#directory(name) + this.#below;
  }

  #directory(name: string): string {
    const levels = components(name, this.#refuse);
    // Dovecot never lists it, whether the file is there or not.
    if (levels[0] === "subscriptions" && this.control === this.root) throw new StoreFault("bad-name", "the subscriptions are there");
    if (levels.length > depthLimit) throw new StoreFault("bad-name", "mailbox name is too long");
    const found = levels.reduce((directory, level) => {
      const path = entryIn(directory, level, this.#refuse);
      if (look(path)?.isSymbolicLink() === true && existsSync(path)) inside(this.root, path);
      return path;
    }, this.root);
    refuseOthers(found, name === "INBOX" ? [this.control] : [this.inbox, this.control]);
    return found;
  }

  controlOf(name: string, path: string): string {
    if (this.control === this.root) return path;
    return this.control + (name === "INBOX" ? "/INBOX" : this.#directory(name).slice(this.root.length));
  }

  has(path: string): boolean {
    return isFolder(path === this.inbox ? path : this.root, path);
  }

  holds(name: string): boolean {
    return look(this.#directory(name))?.isDirectory() === true;
  }

  folders(): readonly FoundDirectory[] {
    return this.#in("", this.root, 0).filter(({ name }) => name !== "INBOX");
  }

  #in(above: string, directory: string, depth: number): FoundDirectory[] {
    if (depth > depthLimit) return [];
    return this.#names.entries(directory, (entry) => entry.isDirectory()).flatMap((entry): FoundDirectory[] => {
      if (!entry.isDirectory() && !entry.isSymbolicLink()) return [];
      const level = nameOfEntry(entry.name, this.#refuse);
      const path = `${directory}/${entry.name}`;
      if (level === undefined || path === this.inbox || path === this.control || path !== entryIn(directory, level, this.#refuse) || (depth === 0 && entry.name.startsWith(trash))) return [];
      const name = above + level;
      if (canonicalName(name) !== name || (name === "subscriptions" && this.control === this.root) || (entry.isSymbolicLink() && !this.#leadsTo(path))) return [];
      const selectable = isUsable(this.root, path + this.#below);
      // Not through links, which may go round in circles.
      return [{ name, path: path + this.#below, selectable }, ...(entry.isDirectory() ? this.#in(`${name}/`, path, depth + 1) : [])];
    });
  }

  /** A link to a directory of the store. */
  #leadsTo(path: string): boolean {
    try {
      inside(this.root, path);
      return look(`${path}/.`)?.isDirectory() === true;
    } catch {
      return false;
    }
  }

  async make(name: string, toHold: boolean): Promise<void> {
    const path = this.path(name);
    const above = this.#missingAbove(path);
    const control = this.controlOf(name, path);
    if (control !== path && name !== "INBOX" && !this.has(path)) emptyControl(control);
    if (toHold) makeDirectories(this.#directory(name), 0o700);
    else {
      makeDirectories(path, 0o700);
      makeFolder(path, path);
    }
    for (const directory of above) await syncDirectory(directory);
  }

  /** Directories that will have a new entry. */
  #missingAbove(path: string): string[] {
    const above: string[] = [];
    for (let at = path; !existsSync(at) && at !== "/"; at = dirname(at)) above.push(dirname(at));
    return above.reverse();
  }

  /**
   * With others below it the directory stays, and loses its Maildir: `cur` goes last but for `new`, so that what dies between still is a folder, and can be removed
   * again.
   */
  remove(name: string): void {
    const directory = this.#directory(name);
    const path = this.path(name);
    const control = this.controlOf(name, path);
    if (!this.has(path)) {
      try {
        rmdirSync(directory);
      } catch (error) {
        if (errno(error) === "ENOTEMPTY") throw new StoreFault("not-selectable", "mailbox holds other mailboxes");
        throw error;
      }
    } else {
      const gone = `${this.root}/${trash}`;
      rmSync(gone, { recursive: true, force: true });
      if (this.#below !== "") {
        renameSync(path, gone);
        removeIfEmpty(directory);
      } else if (readdirSync(directory, { withFileTypes: true }).some((entry) => !entry.isFile() && !parts.includes(entry.name))) this.#takeMaildir(path, gone);
      else renameSync(directory, gone);
      rmSync(gone, { recursive: true, force: true });
    }
    if (control !== path) emptyControl(control);
  }

  #takeMaildir(path: string, gone: string): void {
    makeDirectories(gone, 0o700);
    for (const part of ["tmp", "cur", "new"]) if (existsSync(`${path}/${part}`)) renameSync(`${path}/${part}`, `${gone}/${part}`);
    for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isFile()) unlinkSync(`${path}/${entry.name}`);
  }

  removeEmpty(name: string): boolean {
    try {
      return removeEmptyFolder(this.path(name), this.#below === "");
    } catch {
      return false;
    }
  }

  renames(name: string, next: string, folders: readonly string[]): readonly RenameStep[] {
    const run = (): void => {
      const from = this.#directory(name);
      const to = this.#directory(next);
      makeDirectories(dirname(to), 0o700);
      const [old, control] = [this.controlOf(name, from), this.controlOf(next, to)];
      if (control !== to) linkControl(old, control);
      renameSync(from, to);
      if (control !== to) rmSync(old, { recursive: true, force: true });
      for (let above = dirname(from); above !== this.root && removeIfEmpty(above); above = dirname(above));
    };
    return [{ folders: folders.map((one) => ({ name: one, next: next + one.slice(name.length) })), run }];
  }

  async settle(...names: readonly string[]): Promise<void> {
    const tops = this.control === this.root ? [this.root] : [this.root, this.control];
    const above = names.map((name) => dirname(this.#directory(name)).slice(this.root.length));
    for (const directory of new Set(["", ...above].flatMap((path) => tops.map((top) => top + path)))) if (existsSync(directory)) await syncDirectory(directory);
  }
}
