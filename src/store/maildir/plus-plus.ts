/**
 * Maildir++: "A/B" is `.A.B` in the root, each component in modified UTF-7, all beside each other. A name with "." in a component has no place and is refused.
 *
 * Other programs make folders too, and name them as they like: a component that is no modified UTF-7, or that would be no name, stands for
 * itself in UTF-8 (a recipe's `.Entwürfe/`), and INBOX may be written in any case. Where the name that we would give it is there as well, that one counts.
 */
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { encodeMutf7 } from "../../syntax/mutf7.ts";
import { syncDirectory } from "../durable.ts";
import { canonicalName, components, nameOfEntry } from "../folder-names.ts";
import { StoreFault } from "../mailbox.ts";
import type { OddNames } from "../odd-names.ts";
import { emptyControl, linkControl } from "./control.ts";
import { isFolder, isUsable, makeFolder, refuseOthers, removeEmptyFolder, trash } from "./folders.ts";
import type { FoundDirectory, Layout, MaildirLocation, RenameStep } from "./layout.ts";

export class PlusPlus implements Layout {
  readonly root: string;
  readonly inbox: string;
  readonly control: string;
  readonly separator = ".";
  readonly holders = false;

  readonly #names: OddNames;

  constructor({ root, inbox, control = root }: MaildirLocation, names: OddNames) {
    this.#names = names;
    this.root = root;
    this.inbox = inbox;
    this.control = control;
  }

  /** Without a dot: other programs take those for folders. */
  get side(): string {
    return `${this.root}/posthorn`;
  }

  path(name: string): string {
    if (name === "INBOX") return this.inbox;
    const entry = entryOf(name);
    const other = otherEntry(this.root, name, entry);
    if (other === undefined && entry.length > 255) throw new StoreFault("bad-name", "mailbox name is too long");
    const path = `${this.root}/${other ?? entry}`;
    refuseOthers(path, [this.inbox, this.control]);
    return path;
  }

  controlOf(name: string, path: string): string {
    if (this.control === this.root) return path;
    return `${this.control}/${name === "INBOX" ? ".INBOX" : basename(path)}`;
  }

  has(path: string): boolean {
    return isFolder(path === this.inbox ? path : this.root, path);
  }

  holds(name: string): boolean {
    return this.folders().some((folder) => folder.name.startsWith(`${name}/`));
  }

  folders(): readonly FoundDirectory[] {
    const found = new Map<string, string>();
    for (const entry of this.#names.entries(this.root, (one) => one.isDirectory() && one.name.startsWith("."))) {
      if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
      const name = folderName(entry.name);
      const path = `${this.root}/${entry.name}`;
      if (name === undefined || path === this.inbox || (found.has(name) && entry.name !== entryOf(name)) || !isUsable(this.root, path)) continue;
      found.set(name, path);
    }
    return [...found].map(([name, path]) => ({ name, path, selectable: true }));
  }

  async make(name: string): Promise<void> {
    const path = this.path(name);
    if (this.control !== this.root && name !== "INBOX" && !this.has(path)) emptyControl(this.controlOf(name, path));
    makeFolder(name === "INBOX" ? path : this.root, path);
    await syncDirectory(this.root);
  }

  /** The folder vanishes by one rename; emptying what it left is done again by the next removal if it dies here. */
  remove(name: string): void {
    const path = this.path(name);
    rmSync(`${this.root}/${trash}`, { recursive: true, force: true });
    renameSync(path, `${this.root}/${trash}`);
    rmSync(`${this.root}/${trash}`, { recursive: true, force: true });
    if (this.control !== this.root) emptyControl(this.controlOf(name, path));
  }

  removeEmpty(name: string): boolean {
    return removeEmptyFolder(this.path(name));
  }

  /**
   * Folders move one by one, children first: killed in between, some have the old name and some the new, and the same command
   * again moves the rest.
   */
  renames(name: string, next: string, folders: readonly string[]): readonly RenameStep[] {
    return folders.map((one) => {
      const other = next + one.slice(name.length);
      const run = (): void => {
        const from = this.path(one);
        const to = this.path(other);
        const [old, control] = [this.controlOf(one, from), this.controlOf(other, to)];
        if (this.control !== this.root) linkControl(old, control);
        renameSync(from, to);
        if (this.control !== this.root) emptyControl(old);
      };
      return { folders: [{ name: one, next: other }], run };
    });
  }

  async settle(): Promise<void> {
    await syncDirectory(this.root);
    if (this.control !== this.root) await syncDirectory(this.control);
  }
}

const entryOf = (name: string): string =>
  components(name, (part) => part.includes("."))
    .map((part) => `.${encodeMutf7(part)}`)
    .join("");

/** What somebody else named so, where we have not. */
function otherEntry(root: string, name: string, entry: string): string | undefined {
  // Any other name is written in one way only.
  if (!/[^\x20-\x7e]|&|^INBOX\//.test(name)) return undefined;
  if (entry.length <= 255 && lstatSync(`${root}/${entry}`, { throwIfNoEntry: false }) !== undefined) return undefined;
  return existsSync(root) ? readdirSync(root).find((one) => folderName(one) === name) : undefined;
}

/** Canonical name of a directory entry of the root; undefined when it is no folder, or could only be INBOX. */
function folderName(entry: string): string | undefined {
  if (!entry.startsWith(".") || entry.length < 2) return undefined;
  const parts = entry.slice(1).split(".");
  const names = parts.map((part) => nameOfEntry(part, (name) => name.includes(".")));
  if (!names.every((name) => name !== undefined)) return undefined;
  const name = canonicalName(names.join("/"));
  return name === "INBOX" ? undefined : name;
}
