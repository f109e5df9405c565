/**
 * A user's mbox files: INBOX is one file anywhere, the other folders are files below a directory, whose subdirectories are
 * folders that hold no messages. Names lie on disk in modified UTF-7, as Dovecot's; what is no such name stands for itself in UTF-8. Side files of ours are in
 * `.imap/.posthorn` there: `.imap` is Dovecot's for the same, and neither lists it as a folder; its file of UIDVALIDITY values is shared.
 */
import { existsSync, lstatSync, renameSync, rmdirSync, statSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { isForbidden, makeDirectories, makeSide, syncDirectory } from "../durable.ts";
import { errno, faulting } from "../faults.ts";
import { canonicalName, components, folderList, nameOfEntry, specialUses, type FoundFolder } from "../folder-names.ts";
import { StoreFault, type Folder, type FolderStatus, type Mailbox, type MailStore, type NewMessage, type Opened, type Resynced } from "../mailbox.ts";
import type { StoreHooks } from "../hooks.ts";
import { depthLimit, entryIn, look } from "../nested-entries.ts";
import { OddNames } from "../odd-names.ts";
import { OpenMailboxes } from "../open-mailboxes.ts";
import { Serial } from "../serial.ts";
import { statusOf } from "../status.ts";
import { Subscriptions, parseMailboxList, type ForeignSubscriptions } from "../subscriptions.ts";
import { nextUidValidity } from "../uid-validity.ts";

import { createMbox, type LockPolicy } from "./lock.ts";
import { MboxMailbox } from "./mailbox.ts";
import { forgetSide, renameSide, Side } from "./side.ts";

const kept = 16;

export interface MboxSettings {
  readonly root: string;
  readonly inbox: string;
  /** The user's home directory, where UW imapd has its file of subscriptions. */
  readonly home: string;
  readonly sizeLimit: number;
  readonly lock: Omit<LockPolicy, "locker">;
  /** `mailbox_auto_create` */
  readonly autoCreate: readonly string[];
  readonly hooks: StoreHooks;
}

export class MboxStore implements MailStore {
  readonly separator = "/";
  readonly #settings: MboxSettings;
  readonly #inboxLock: LockPolicy;
  readonly side: string;
  readonly #special: ReadonlyMap<string, string | undefined>;
  readonly #open = new OpenMailboxes<MboxMailbox>(kept);
  readonly #subscriptions: Subscriptions;
  readonly #serial = new Serial();
  readonly #names: OddNames;
  #autoCreated = false;

  /** @param inboxLock how INBOX is locked; it may need help with its dotlock */
  constructor(settings: MboxSettings, inboxLock: LockPolicy) {
    this.#settings = settings;
    this.#inboxLock = inboxLock;
    this.#names = new OddNames((line) => settings.hooks.log?.(line));
    this.side = `${settings.root}/.imap/.posthorn`;
    this.#special = specialUses(settings.autoCreate);
    this.#subscriptions = new Subscriptions(`${settings.root}/.subscriptions`, "/", uwSubscriptions(settings));
  }

  start(): Promise<void> {
    return faulting(async () => {
      makeSide(this.side);
      if (!lstatSync(this.#settings.inbox, { throwIfNoEntry: false })) {
        try {
          createMbox(this.#settings.inbox);
        } catch (error) {
          // A file in the system spool is made by mailboxd; without one there is no mail yet.
          if (!isForbidden(error)) throw error;
        }
      }
    });
  }

  #path(own: string): string {
    if (own === "INBOX") return this.#settings.inbox;
    // "~" at the beginning of a name is a home directory to Dovecot and UW.
    if (own.startsWith("~")) throw new StoreFault("bad-name", "a mailbox name can not begin with ~");
    const parts = components(own, isOthers);
    if (parts.length > depthLimit) throw new StoreFault("bad-name", "mailbox name is too long");
    const path = parts.reduce((directory, part) => entryIn(directory, part, isOthers), this.#settings.root);
    if (path === this.#settings.inbox) throw new StoreFault("bad-name", "that file is INBOX");
    this.#requireInside(dirname(path));
    return path;
  }

  /** No directory on the way may be a symbolic link. */
  #requireInside(directory: string): void {
    for (let path = directory; path.length > this.#settings.root.length; path = dirname(path))
      if (look(path)?.isSymbolicLink() === true) throw new StoreFault("permission", "permission denied", new Error(`${path} is a symbolic link`));
  }

  folders(): Promise<readonly Folder[]> {
    return faulting(async () => {
      if (!this.#autoCreated) for (const name of this.#special.keys()) if (look(this.#path(name)) === undefined) this.#make(name);
      this.#autoCreated = true;
      const inbox: FoundFolder = { name: "INBOX", selectable: true, inferiors: false, marked: marked(this.#settings.inbox) };
      const others = this.#listed("", this.#settings.root, 0);
      // A directory of that name holds folders below INBOX, where that is elsewhere.
      const { root } = this.#settings;
      return folderList([...others, { ...inbox, inferiors: this.#settings.inbox !== `${root}/INBOX` }], this.#special);
    });
  }

  #listed(prefix: string, directory: string, depth: number): FoundFolder[] {
    if (depth > depthLimit) return [];
    return this.#names.entries(directory, (entry) => (entry.isDirectory() || entry.isFile()) && !isOthers(entry.name)).flatMap((entry): FoundFolder[] => {
      const part = nameOfEntry(entry.name, isOthers);
      const path = `${directory}/${entry.name}`;
      if (part === undefined || path === this.#settings.inbox || path !== entryIn(directory, part, isOthers)) return [];
      const name = prefix + part;
      if (canonicalName(name).startsWith("INBOX") && canonicalName(name) !== name) return [];
      if (entry.isDirectory()) return [{ name, selectable: false, inferiors: true, marked: undefined }, ...this.#listed(`${name}/`, path, depth + 1)];
      return entry.isFile() && name !== "INBOX" ? [{ name, selectable: true, inferiors: false, marked: marked(path) }] : [];
    });
  }

  #make(own: string): void {
    createMbox(this.#path(own));
  }

  create(name: string): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      const path = this.#path(own);
      if (own === "INBOX" || look(path) !== undefined) throw new StoreFault("exists", "mailbox exists");
      // "name/" asks for a folder that will have others in it; a file could not.
      if (name.endsWith("/")) makeDirectories(path, 0o700);
      else this.#make(own);
      await syncDirectory(dirname(path));
    });
  }

  remove(name: string): Promise<void> {
    return this.#serial.run(() =>
      faulting(async () => {
        const own = canonicalName(name);
        if (own === "INBOX") throw new StoreFault("bad-name", "INBOX can not be removed");
        const path = this.#path(own);
        const stats = look(path);
        if (stats === undefined) throw new StoreFault("nonexistent", "no such mailbox");
        if (stats.isDirectory()) {
          try {
            rmdirSync(path);
          } catch (error) {
            if (errno(error) === "ENOTEMPTY") throw new StoreFault("not-selectable", "mailbox holds other mailboxes");
            throw error;
          }
        } else {
          unlinkSync(path);
          (await this.#open.peek(own))?.removed();
          forgetSide(this.side, own);
        }
        void this.#open.drop(own);
        await syncDirectory(dirname(path));
      }),
    );
  }

  rename(from: string, to: string): Promise<void> {
    return this.#serial.run(() =>
      faulting(async () => {
        const own = canonicalName(from);
        const target = canonicalName(to);
        const path = this.#path(target);
        if (target === "INBOX" || look(path) !== undefined) throw new StoreFault("exists", "mailbox exists");
        if (own === "INBOX") return await this.#moveInbox(target);
        const old = this.#path(own);
        if (look(old) === undefined) throw new StoreFault("nonexistent", "no such mailbox");
        if (target.startsWith(`${own}/`)) throw new StoreFault("bad-name", "a mailbox can not move into itself");
        if (look(old)?.isFile() === true) await this.#finish(own);
        makeDirectories(dirname(path), 0o700);
        renameSync(old, path);
        // Killed in between, the folder is read anew under its new name.
        renameSide(this.side, own, target);
        for (const name of this.#open.names()) {
          if (name !== own && !name.startsWith(`${own}/`)) continue;
          const next = target + name.slice(own.length);
          (await this.#open.peek(name))?.relocated(this.#path(next), next);
          this.#open.renamed(name, next);
        }
        await syncDirectory(dirname(path));
        await syncDirectory(dirname(old));
      }),
    );
  }

  /** Completes what a killed process began, while the folder has the name the journal knows. */
  async #finish(own: string): Promise<void> {
    const mailbox = await this.#take(own);
    await mailbox.open().finally(() => this.release(mailbox));
  }

  async #moveInbox(target: string): Promise<void> {
    this.#make(target);
    const inbox = await this.#take("INBOX");
    const other = await this.#take(target);
    try {
      await other.open();
      await inbox.moveAll(other);
    } finally {
      this.release(inbox);
      this.release(other);
    }
  }

  subscriptions(): Promise<readonly string[]> {
    return faulting(async () => this.#subscriptions.read());
  }

  subscribe(name: string, on: boolean): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      if (on) this.#path(own);
      await this.#subscriptions.set(own, on);
    });
  }

  status(name: string): Promise<FolderStatus> {
    return statusOf(this, name);
  }

  async open(name: string, as: Opened = "known"): Promise<Mailbox> {
    const own = canonicalName(name);
    const open = as === "counted" ? this.#open.join(own) : undefined;
    if (open?.isCurrent() === true) return open;
    if (open !== undefined) this.release(open);
    return await this.#lookAndOpen(own, as);
  }

  #lookAndOpen(own: string, as: Opened): Promise<Mailbox> {
    return faulting(async () => {
      const path = this.#path(own);
      if (this.#special.has(own) && look(path) === undefined) this.#make(own);
      this.#require(own, path);
      const mailbox = await this.#take(own);
      try {
        await mailbox.open(as !== "known");
        if (as !== "counted") await mailbox.load();
      } catch (error) {
        this.release(mailbox);
        throw error;
      }
      return mailbox;
    });
  }

  isAtHand(name: string): boolean {
    return this.#open.made(name)?.isCurrent() ?? false;
  }

  async expect(name: string): Promise<boolean> {
    try {
      const own = canonicalName(name);
      // Without an index it is a matter of more than milliseconds.
      if (!existsSync(new Side(this.side, own).path("index"))) return false;
      const mailbox = await this.#take(own);
      await mailbox.open().finally(() => this.release(mailbox));
      return true;
    } catch {
      return false;
    }
  }

  #require(own: string, path: string): void {
    const stats = look(path);
    if (stats === undefined && own !== "INBOX") throw new StoreFault("nonexistent", "no such mailbox");
    if (stats?.isDirectory() === true) throw new StoreFault("not-selectable", "mailbox holds no messages, only other mailboxes");
  }

  /** The shared object; not read yet. */
  #take(own: string): Promise<MboxMailbox> {
    const { root, sizeLimit, lock, hooks } = this.#settings;
    return this.#open.take(own, async () => {
      const policy = { lock: own === "INBOX" ? this.#inboxLock : { ...lock, locker: undefined }, sizeLimit, nextUidValidity: () => nextUidValidity(dirname(this.side), Date.now()), hooks };
      makeDirectories(root, 0o700);
      makeSide(this.side);
      return new MboxMailbox({ path: this.#path(own), name: own, side: this.side }, policy);
    });
  }

  resync(name: string): Promise<Resynced> {
    return faulting(async () => {
      const own = canonicalName(name);
      this.#require(own, this.#path(own));
      const mailbox = await this.#take(own);
      return await mailbox.resync().finally(() => this.release(mailbox));
    });
  }

  release(mailbox: Mailbox): void {
    this.#open.release(mailbox.name);
  }

  deliver(name: string, message: NewMessage, create: boolean): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      const path = this.#path(own);
      if (!create && !this.#special.has(own)) this.#require(own, path);
      const mailbox = await this.#take(own);
      await mailbox.deliver(message).finally(() => this.release(mailbox));
    });
  }

  async close(): Promise<void> {
    await this.#open.closeAll();
  }
}

/** Other programs' own files, and locks. */
const isOthers = (part: string): boolean => part.startsWith(".") || part.endsWith(".lock");

/** Undefined where the mailboxes lie outside the home directory: UW's names would mean other files. */
function uwSubscriptions({ root, home }: MboxSettings): ForeignSubscriptions | undefined {
  if (root !== home && !root.startsWith(`${home}/`)) return undefined;
  return { path: `${home}/.mailboxlist`, parse: (text) => parseMailboxList(text, root.slice(home.length + 1)) };
}

/** mbox convention: written after it was read last. */
function marked(path: string): boolean | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : stats.size > 0 && stats.mtimeMs > stats.atimeMs;
}
