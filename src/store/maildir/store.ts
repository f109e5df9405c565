/** A user's Maildir: INBOX and folders (layout.ts), one shared MaildirMailbox for each that is open. */
import { existsSync } from "node:fs";
import { TurnMap } from "../../sys/turn.ts";
import { makeDirectories, makeSide } from "../durable.ts";
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
import type { MaildirPlace } from "./folder.ts";
import { completeFolder, hasNew } from "./folders.ts";
import { layoutOf, type Layout, type MaildirLocation, type RenameStep } from "./layout.ts";
import { MaildirMailbox } from "./mailbox.ts";
import { Quota, folderUsage, noQuota, type QuotaPolicy } from "./quota.ts";

/** Folders kept in memory although no session has them open: STATUS after STATUS need not read them again. */
const kept = 16;

export class MaildirStore implements MailStore {
  readonly separator = "/";
  readonly #layout: Layout;
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
  constructor(location: MaildirLocation, autoCreate: readonly string[], quota: QuotaPolicy = noQuota, hooks: StoreHooks = {}) {
    const layout = layoutOf(location, (line) => hooks.log?.(line));
    const { root, inbox, control, separator } = layout;
    this.#layout = layout;
    const paths = (): string[] => [inbox, ...layout.folders().flatMap(({ path, selectable }) => (selectable ? path : []))];
    this.#quota = new Quota(control, quota, paths, control === inbox ? `${inbox}/tmp` : control);
    this.#deliveries = new Deliveries(this.#quota);
    this.#hooks = hooks;
    if (hooks.facts !== undefined) this.#delivered = new DeliveredFacts(hooks.facts, (path) => void this.#factsCame(path), (line) => hooks.log?.(line));
    this.#special = specialUses(autoCreate);
    this.#subscriptions = new Subscriptions(`${control}/subscriptions`, separator, { path: `${root}/courierimapsubscribed`, parse: parseCourierSubscriptions });
  }

  get side(): string {
    return this.#layout.side;
  }

  /** Makes INBOX when it is not there. */
  start(): Promise<void> {
    return faulting(async () => {
      const { root, inbox, control } = this.#layout;
      for (const directory of [root, control]) if (directory !== inbox) makeDirectories(directory, 0o700);
      if (!this.#layout.has(inbox)) await this.#make("INBOX");
      makeSide(this.side);
    });
  }

  folders(): Promise<readonly Folder[]> {
    return faulting(async () => {
      if (!this.#autoCreated) for (const name of this.#special.keys()) if (!this.#isThere(name)) await this.#make(name);
      this.#autoCreated = true;
      const found = [{ name: "INBOX", path: this.#layout.inbox, selectable: true }, ...this.#layout.folders()];
      return folderList(
        found.map(({ name, path, selectable }) => ({ name, selectable, inferiors: true, marked: selectable ? hasNew(path) : undefined })),
        this.#special,
      );
    });
  }

  async #make(name: string, toHold = false): Promise<void> {
    this.#seen.forget();
    await this.#layout.make(name, toHold);
  }

  #isThere(own: string): boolean {
    return this.#layout.has(this.#layout.path(own));
  }

  /** Of others, as a directory. */
  #isHolder(own: string): boolean {
    return this.#layout.holders && this.#layout.holds(own);
  }

  #placeOf(own: string): MaildirPlace {
    const path = this.#layout.path(own);
    return { path, control: this.#layout.controlOf(own, path), name: own };
  }

  create(name: string): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      const toHold = name.endsWith("/");
      if (this.#isThere(own) || (toHold && this.#isHolder(own))) throw new StoreFault("exists", "mailbox exists");
      refuseTilde(own);
      await this.#make(own, toHold);
    });
  }

  remove(name: string): Promise<void> {
    return this.#serial.run(() =>
      faulting(async () => {
        const own = canonicalName(name);
        if (own === "INBOX") throw new StoreFault("bad-name", "INBOX can not be removed");
        const { octets, messages } = !this.#isThere(own) && this.#isHolder(own) ? { octets: 0, messages: 0 } : folderUsage(this.#require(own));
        this.#layout.remove(own);
        this.#seen.forget();
        (await this.#open.peek(own))?.removed();
        this.#quota.changed(-octets, -messages);
        void this.#open.drop(own);
        await this.#layout.settle(own);
      }),
    );
  }

  /** Folders that are there as soon as anybody asks for them. */
  #isMadeAnew(own: string): boolean {
    return own === "INBOX" || this.#special.has(own);
  }

  /** True when the folder is there; it has all its directories then. */
  #isComplete(path: string): boolean {
    if (!this.#layout.has(path)) return false;
    completeFolder(path);
    return true;
  }

  /** Path of a folder that is there. Throws StoreFault "nonexistent", or "not-selectable" for a name that only has children. */
  #require(own: string): string {
    const path = this.#layout.path(own);
    if (this.#layout.has(path)) return path;
    if (this.#layout.holds(own)) throw new StoreFault("not-selectable", "mailbox holds no messages, only other mailboxes");
    throw new StoreFault("nonexistent", "no such mailbox");
  }

  #children(own: string): string[] {
    return this.#layout.folders().flatMap(({ name, selectable }) => (selectable && name.startsWith(`${own}/`) ? name : []));
  }

  /** Killed in between, the same command again moves the rest. So the new name may be one that only has children. INBOX stays; its messages move. */
  rename(from: string, to: string): Promise<void> {
    return this.#serial.run(() =>
      faulting(async () => {
        const own = canonicalName(from);
        const target = canonicalName(to);
        refuseTilde(target);
        if (this.#isThere(target) || this.#isHolder(target)) throw new StoreFault("exists", "mailbox exists");
        if (own === "INBOX") return await this.#moveInbox(target);
        if (target.startsWith(`${own}/`)) throw new StoreFault("bad-name", "a mailbox can not move into itself");
        const moving = this.#children(own);
        if (this.#isThere(own)) moving.push(own);
        if (moving.length === 0 && !this.#isHolder(own)) throw new StoreFault("nonexistent", "no such mailbox");
        // All names are looked at before the first one changes.
        for (const name of moving) if (this.#isThere(target + name.slice(own.length))) throw new StoreFault("exists", "mailbox exists");
        for (const step of this.#layout.renames(own, target, moving)) await this.#move(step);
        await this.#layout.settle(own, target);
      }),
    );
  }

  async #move({ folders, run }: RenameStep): Promise<void> {
    const open = await Promise.all(folders.map(async ({ name }) => await this.#open.peek(name)));
    run();
    this.#seen.forget();
    folders.forEach(({ name, next }, i) => {
      open[i]?.relocated(this.#placeOf(next));
      this.#open.renamed(name, next);
    });
  }

  async #moveInbox(target: string): Promise<void> {
    try {
      await this.#make(target);
      await this.#using("INBOX", (inbox) => this.#using(target, (other) => inbox.moveAll(other)));
    } catch (error) {
      // Asked for again, it can be made again.
      const mailbox = await this.#open.peek(target);
      if (this.#layout.removeEmpty(target)) {
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
      if (on) this.#layout.path(own);
      await this.#subscriptions.set(own, on);
    });
  }

  status(name: string): Promise<FolderStatus> {
    return statusOf(this, name);
  }

  async open(name: string, as: Opened = "known"): Promise<Mailbox> {
    let made = false;
    const own = canonicalName(name);
    const mailbox = this.#open.join(own) ?? (await this.#take(own, () => (made = true)));
    try {
      if (as !== "known" && !made && !mailbox.isCurrent()) await this.#look(own, mailbox);
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
      await mailbox.look();
    } catch (error) {
      if (own !== "INBOX" || this.#isThere(own)) throw error;
      await faulting(() => this.#make(own));
      await mailbox.look();
    }
  }

  isAtHand(name: string): boolean {
    return this.#open.made(name)?.isCurrent() ?? false;
  }

  async expect(name: string): Promise<boolean> {
    try {
      const own = canonicalName(name);
      // Without an index it is a matter of more than milliseconds.
      if (!existsSync(`${this.#layout.path(own)}/posthorn.index`)) return false;
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
        if (this.#isMadeAnew(own) && !this.#isThere(own)) await this.#make(own);
        const { facts, log = () => undefined, alone = false } = this.#hooks;
        this.#require(own);
        const place = this.#placeOf(own);
        if (!existsSync(`${place.path}/cur`)) completeFolder(place.path);
        if (place.control !== place.path) makeDirectories(place.control, 0o700);
        const mailbox = new MaildirMailbox(place, { nextUidValidity: () => nextUidValidity(this.#layout.control, Date.now()), facts, log, alone, quota: this.#quota });
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
    const name = this.#open.names().find((one) => this.#layout.path(one) === path);
    if (name !== undefined) (await this.#open.peek(name))?.factsCame();
  }

  release(mailbox: Mailbox): void {
    this.#open.release(mailbox.name);
  }

  deliver(name: string, message: NewMessage, create: boolean): Promise<void> {
    return faulting(async () => {
      const own = canonicalName(name);
      const path = this.#layout.path(own);
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
