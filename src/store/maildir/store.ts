/** A user's Maildir++: INBOX and folders (folders.ts), one shared MaildirMailbox for each that is open. */
import { existsSync, renameSync } from "node:fs";
import { TurnMap } from "../../sys/turn.ts";
import { makeDirectories, syncDirectory } from "../durable.ts";
import { faulting } from "../faults.ts";
import { canonicalName, folderList, specialUses } from "../folder-names.ts";
import type { StoreHooks } from "../hooks.ts";
import { StoreFault, type Folder, type FolderStatus, type Mailbox, type MailStore, type NewMessage, type Opened, type Resynced } from "../mailbox.ts";
import { OpenMailboxes } from "../open-mailboxes.ts";
import { Serial } from "../serial.ts";
import { statusOf } from "../status.ts";
import { Subscriptions, parseCourierSubscriptions } from "../subscriptions.ts";
import { nextUidValidity } from "../uid-validity.ts";
import { DeliveredFacts } from "./delivered-facts.ts";
import { Deliveries } from "./deliveries.ts";
import { completeFolder, folderPath, hasNew, isFolder, listFolders, makeFolder, removeEmptyFolder, removeFolder } from "./folders.ts";
import { MaildirMailbox } from "./mailbox.ts";
import { Quota, folderUsage, noQuota, type QuotaPolicy } from "./quota.ts";

/** Folders kept in memory although no session has them open: STATUS after STATUS need not read them again. */
const kept = 16;

export class MaildirStore implements MailStore {
  readonly separator = "/";
  readonly #root: string;
  readonly #special: ReadonlyMap<string, string | undefined>;
  readonly #open = new OpenMailboxes<MaildirMailbox>(kept);
  readonly #subscriptions: Subscriptions;
  readonly #serial = new Serial();
  readonly #hooks: StoreHooks;
  readonly #quota: Quota;
  readonly #deliveries: Deliveries;
  /** Directories that deliveries found to be folders. */
  readonly #seen = new TurnMap<boolean>();
  readonly #delivered: DeliveredFacts | undefined;
  #autoCreated = false;

  /** @param autoCreate `mailbox_auto_create` */
  constructor(root: string, autoCreate: readonly string[], quota: QuotaPolicy = noQuota, hooks: StoreHooks = {}) {
    this.#root = root;
    this.#quota = new Quota(root, quota, () => [root, ...listFolders(root).map(({ path }) => path)]);
    this.#deliveries = new Deliveries(this.#quota);
    this.#hooks = hooks;
    if (hooks.facts !== undefined) this.#delivered = new DeliveredFacts(hooks.facts, (path) => void this.#factsCame(path), (line) => hooks.log?.(line));
    this.#special = specialUses(autoCreate);
    this.#subscriptions = new Subscriptions(`${root}/subscriptions`, ".", { path: `${root}/courierimapsubscribed`, parse: parseCourierSubscriptions });
  }

  /** Without a dot: other programs take those for folders. */
  get side(): string {
    return `${this.#root}/posthorn`;
  }

  /** Makes INBOX when it is not there. */
  start(): Promise<void> {
    return faulting(async () => {
      if (!isFolder(this.#root, this.#root)) makeFolder(this.#root, this.#root);
      makeDirectories(this.side, 0o700);
    });
  }

  folders(): Promise<readonly Folder[]> {
    return faulting(async () => {
      if (!this.#autoCreated) for (const name of this.#special.keys()) if (!isFolder(this.#root, folderPath(this.#root, name))) await this.#make(name);
      this.#autoCreated = true;
      const found = [{ name: "INBOX", path: this.#root }, ...listFolders(this.#root)];
      return folderList(
        found.map(({ name, path }) => ({ name, selectable: true, inferiors: true, marked: hasNew(path) })),
        this.#special,
      );
    });
  }

  async #make(name: string): Promise<void> {
    this.#seen.forget();
    makeFolder(this.#root, folderPath(this.#root, name));
    await syncDirectory(this.#root);
  }

  create(name: string): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      const path = folderPath(this.#root, own);
      if (isFolder(this.#root, path)) throw new StoreFault("exists", "mailbox exists");
      refuseTilde(own);
      await this.#make(own);
    });
  }

  remove(name: string): Promise<void> {
    return this.#serial.run(() =>
      faulting(async () => {
        const own = canonicalName(name);
        if (own === "INBOX") throw new StoreFault("bad-name", "INBOX can not be removed");
        const { octets, messages } = folderUsage(this.#require(own));
        removeFolder(this.#root, folderPath(this.#root, own));
        this.#seen.forget();
        (await this.#open.peek(own))?.removed();
        this.#quota.changed(-octets, -messages);
        void this.#open.drop(own);
        await syncDirectory(this.#root);
      }),
    );
  }

  /** Folders that are there as soon as anybody asks for them. */
  #isMadeAnew(own: string): boolean {
    return own === "INBOX" || this.#special.has(own);
  }

  /** True when the folder is there; it has all its directories then. */
  #isComplete(path: string): boolean {
    if (!isFolder(this.#root, path)) return false;
    completeFolder(path);
    return true;
  }

  /** Path of a folder that is there. Throws StoreFault "nonexistent", or "not-selectable" for a name that only has children. */
  #require(own: string): string {
    const path = folderPath(this.#root, own);
    if (isFolder(this.#root, path)) return path;
    if (this.#children(own).length > 0) throw new StoreFault("not-selectable", "mailbox holds no messages, only other mailboxes");
    throw new StoreFault("nonexistent", "no such mailbox");
  }

  #children(own: string): string[] {
    return listFolders(this.#root).flatMap(({ name }) => (name.startsWith(`${own}/`) ? name : []));
  }

  /**
   * Folders move one by one, children first: killed in between, some have the old name and some the new, and the same command
   * again moves the rest. So the new name may be one that only has children. INBOX stays; its messages move.
   */
  rename(from: string, to: string): Promise<void> {
    return this.#serial.run(() =>
      faulting(async () => {
        const own = canonicalName(from);
        const target = canonicalName(to);
        const path = folderPath(this.#root, target);
        refuseTilde(target);
        if (isFolder(this.#root, path)) throw new StoreFault("exists", "mailbox exists");
        if (own === "INBOX") return await this.#moveInbox(target);
        if (target.startsWith(`${own}/`)) throw new StoreFault("bad-name", "a mailbox can not move into itself");
        const moving = this.#children(own);
        if (isFolder(this.#root, folderPath(this.#root, own))) moving.push(own);
        if (moving.length === 0) throw new StoreFault("nonexistent", "no such mailbox");
        const moves = moving.map((name) => ({ name, next: target + name.slice(own.length) }));
        // All names are looked at before the first one changes.
        for (const { next } of moves) if (isFolder(this.#root, folderPath(this.#root, next))) throw new StoreFault("exists", "mailbox exists");
        for (const { name, next } of moves) await this.#move(name, next);
        await syncDirectory(this.#root);
      }),
    );
  }

  async #move(name: string, next: string): Promise<void> {
    const path = folderPath(this.#root, next);
    const mailbox = await this.#open.peek(name);
    renameSync(folderPath(this.#root, name), path);
    this.#seen.forget();
    mailbox?.relocated(path, next);
    this.#open.renamed(name, next);
  }

  async #moveInbox(target: string): Promise<void> {
    try {
      await this.#make(target);
      await this.#using("INBOX", (inbox) => this.#using(target, (other) => inbox.moveAll(other)));
    } catch (error) {
      // Asked for again, it can be made again.
      const mailbox = await this.#open.peek(target);
      if (removeEmptyFolder(folderPath(this.#root, target))) {
        this.#seen.forget();
        mailbox?.removed();
        void this.#open.drop(target);
      }
      throw error;
    }
  }

  async #using(own: string, work: (mailbox: MaildirMailbox) => Promise<void>): Promise<void> {
    const mailbox = await this.#take(own);
    await work(mailbox).finally(() => this.release(mailbox));
  }

  subscriptions(): Promise<readonly string[]> {
    return faulting(async () => this.#subscriptions.read());
  }

  subscribe(name: string, on: boolean): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      if (on) folderPath(this.#root, own);
      await this.#subscriptions.set(own, on);
    });
  }

  status(name: string): Promise<FolderStatus> {
    return statusOf(this, name);
  }

  async open(name: string, as: Opened = "known"): Promise<Mailbox> {
    let made = false;
    const own = canonicalName(name);
    const mailbox = await this.#take(own, () => (made = true));
    try {
      if (as !== "known" && !made) await this.#look(own, mailbox);
      if (as !== "counted") await mailbox.load();
    } catch (error) {
      this.release(mailbox);
      throw error;
    }
    return mailbox;
  }

  /** INBOX is made anew where it is gone. */
  async #look(own: string, mailbox: MaildirMailbox): Promise<void> {
    try {
      await mailbox.refresh();
    } catch (error) {
      if (own !== "INBOX" || isFolder(this.#root, this.#root)) throw error;
      await faulting(() => this.#make(own));
      await mailbox.refresh();
    }
  }

  async expect(name: string): Promise<boolean> {
    try {
      const own = canonicalName(name);
      // Without an index it is a matter of more than milliseconds.
      if (!existsSync(`${folderPath(this.#root, own)}/posthorn.index`)) return false;
      this.release(await this.#take(own));
      return true;
    } catch {
      return false;
    }
  }

  /** @param making called when it was not open; it is then as on disk */
  #take(own: string, making?: () => void): Promise<MaildirMailbox> {
    return faulting(() =>
      this.#open.take(own, async () => {
        making?.();
        const path = folderPath(this.#root, own);
        if (this.#isMadeAnew(own) && !isFolder(this.#root, path)) await this.#make(own);
        const { facts, log = () => undefined, alone = false } = this.#hooks;
        const place = { path: this.#require(own), name: own };
        if (!existsSync(`${place.path}/cur`)) completeFolder(place.path);
        const mailbox = new MaildirMailbox(place, { nextUidValidity: () => nextUidValidity(this.#root, Date.now()), facts, log, alone, quota: this.#quota });
        try {
          await mailbox.open(Date.now());
        } catch (error) {
          mailbox.close();
          throw error;
        }
        return mailbox;
      }),
    );
  }

  async #factsCame(path: string): Promise<void> {
    const name = this.#open.names().find((one) => folderPath(this.#root, one) === path);
    if (name !== undefined) (await this.#open.peek(name))?.factsCame();
  }

  release(mailbox: Mailbox): void {
    this.#open.release(mailbox.name);
  }

  deliver(name: string, message: NewMessage, create: boolean): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      const path = folderPath(this.#root, own);
      if (!this.#seen.get(path, () => this.#isComplete(path))) {
        if (!create && !this.#isMadeAnew(own)) this.#require(own);
        await this.#make(own);
      }
      if (message.flags.size > 0) {
        // Flags are letters in the name, and keywords need the folder's table.
        const mailbox = await this.#take(own);
        await mailbox.append([message]).finally(() => this.release(mailbox));
        return;
      }
      const base = await this.#deliveries.deliver(path, message);
      this.#delivered?.add({ path, base, message });
      (await this.#open.peek(own))?.poke();
    });
  }

  resync(name: string): Promise<Resynced> {
    return faulting(async () => {
      const mailbox = await this.#take(canonicalName(name));
      try {
        return await mailbox.resync();
      } finally {
        this.#quota.recount();
        this.release(mailbox);
      }
    });
  }

  async close(): Promise<void> {
    this.#delivered?.finish();
    await this.#open.closeAll();
  }
}

/** Dovecot takes "~" at the beginning of a name for a home directory, and would list such a folder but never open it. */
function refuseTilde(own: string): void {
  if (own.startsWith("~")) throw new StoreFault("bad-name", "a mailbox name can not begin with ~");
}
