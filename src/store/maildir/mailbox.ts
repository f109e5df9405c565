/**
 * One Maildir folder as a mailbox: what sessions do with its messages. sync.ts reads what is on disk, folder.ts holds it.
 *
 * Every method that changes something runs alone (Serial), so a scan never meets a rename of our own. Reading waits for nobody.
 */
import { accessSync, constants, linkSync, renameSync, unlinkSync } from "node:fs";
import { crlfCopy, toCrlf } from "../../message/line-ends.ts";
import { syncDirectory } from "../durable.ts";
import { errno, faulting, storeFault } from "../faults.ts";
import { Hearers } from "../hearers.ts";
import type { Changes, FlagChange, Flags, Mailbox, Message, ModSeq, NewMessage, Resynced, Uid } from "../mailbox.ts";
import { Serial, batchSize, breathe } from "../serial.ts";
import { watchPaths, type Watching } from "../watch.ts";
import { forget, newBase, placeFor, prepareAll, show, sweep } from "./deliver.ts";
import { lettersIn, sizeIn } from "./filename.ts";
import { FlagPlan, lettersFor } from "./flag-plan.ts";
import { Folder, type MaildirPlace } from "./folder.ts";
import { headOf, octetsLater, readNow, withOctets } from "./message-file.ts";
import type { Quota } from "./quota.ts";
import { baseOf, fieldsOf, inCur, inNew, pathOf, type Place } from "./row.ts";
import { octetPath } from "./scan.ts";
import { Sync, type NewFiles } from "./sync.ts";
import { fieldText } from "./uidlist.ts";

export interface MailboxContext {
  readonly nextUidValidity: () => number;
  readonly facts: ((octets: Buffer) => Buffer) | undefined;
  readonly log: (line: string) => void;
  readonly quota: Quota;
}

/** Flags as letters of a name and keywords that have no letter. */
type Written = Awaited<ReturnType<typeof lettersFor>>;
const unflagged: Written = { letters: "", others: [] };

/** A file just put into the folder. */
interface NewFile {
  readonly place: Place;
  readonly suffix: string;
  readonly base: Buffer;
}

/** Events that own path operations made, by directory. */
interface Made {
  cur: number;
  new: number;
}

export class MaildirMailbox implements Mailbox {
  readonly #folder: Folder;
  readonly #context: MailboxContext;
  readonly #sync: Sync;
  readonly #serial = new Serial();
  readonly #hearers = new Hearers();
  #watching: Watching | undefined;
  #readOnly = false;

  constructor(place: MaildirPlace, context: MailboxContext) {
    this.#context = context;
    this.#folder = new Folder(place, context.log);
    this.#sync = new Sync(this.#folder, context.nextUidValidity);
  }

  get name(): string {
    return this.#folder.place.name;
  }

  get id(): string {
    return this.#folder.header?.guid ?? "";
  }

  get uidValidity(): number {
    return this.#folder.header?.uidValidity ?? 0;
  }

  get highestModSeq(): ModSeq {
    return this.#folder.table.modSeq;
  }

  get uidNext(): Uid {
    return this.#folder.nextUid as Uid;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  get keywords(): readonly string[] {
    return this.#folder.allKeywords;
  }

  get canCreateKeywords(): boolean {
    return !this.#readOnly && !this.#folder.keywordsFull;
  }

  get messages(): readonly Message[] {
    return this.#folder.messages;
  }

  /** First look. Throws StoreFault "nonexistent" when there is no such folder. */
  async open(now: number): Promise<void> {
    const { path } = this.#folder.place;
    await faulting(async () => {
      try {
        accessSync(`${path}/cur`, constants.W_OK);
      } catch (error) {
        if (errno(error) !== "EACCES" && errno(error) !== "EROFS") throw error;
        this.#readOnly = true;
      }
      if (!this.#readOnly) sweep(path, now);
      await this.refresh();
    });
  }

  refresh(): Promise<Changes> {
    return this.#alone(async () => {
      await this.#sync.run();
      return this.#tell();
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#serial.run(() => faulting(work));
  }

  #tell(): Changes {
    const changes = this.#folder.tell();
    this.#hearers.tell(changes);
    return changes;
  }

  // ------------------------------------------------------------ reading

  async read(uid: Uid): Promise<Buffer | undefined> {
    const folder = this.#folder;
    try {
      const row = folder.rowOf(uid);
      if (row < 0) return undefined;
      if ((folder.namedSize(row) ?? 0) > readNow) {
        const octets = await octetsLater(pathOf(folder.place.path, folder.table, row)).catch((error: unknown) => {
          if (errno(error) !== "ENOENT") throw error;
        });
        if (octets !== undefined) return toCrlf(octets);
      }
      return folder.withFile(uid, (path) => withOctets(path, crlfCopy));
    } catch (error) {
      throw storeFault(error);
    }
  }

  readHead(uid: Uid): Buffer | undefined {
    try {
      return this.#folder.withFile(uid, headOf);
    } catch (error) {
      throw storeFault(error);
    }
  }

  names(uid: Uid): { readonly file: string; readonly guid: string | undefined; readonly uidl: string | undefined } | undefined {
    const { table } = this.#folder;
    const row = this.#folder.rowOf(uid);
    if (row < 0) return undefined;
    const fields = fieldsOf(table, row);
    return { file: baseOf(table, row), guid: fieldText(fields, "G"), uidl: fieldText(fields, "P") };
  }

  expungedSince(modSeq: ModSeq): readonly Uid[] | undefined {
    return this.#folder.table.expungedSince(modSeq);
  }

  facts(uid: Uid): Buffer | undefined {
    const row = this.#folder.rowOf(uid);
    return row < 0 ? undefined : this.#folder.cache.facts(row);
  }

  keepFacts(uid: Uid, facts: Buffer): void {
    const row = this.#folder.rowOf(uid);
    if (row < 0 || this.#readOnly) return;
    this.#folder.cache.keep(row, facts);
    this.#folder.index.saveSoon();
  }

  // ------------------------------------------------------------ changing

  /**
   * Runs path operations of our own on each of these, with a breath after every batch. When the directories were known before, they are
   * afterwards, unless somebody else did something meanwhile.
   */
  async #changing<T>(items: readonly T[], work: (item: T, made: Made) => void): Promise<Made> {
    const { cur, fresh } = this.#folder;
    const known = [fresh.isKnown(), cur.isKnown()];
    const changes = [fresh.changing(), cur.changing()];
    const made: Made = { cur: 0, new: 0 };
    try {
      for (let i = 0; i < items.length; i++) {
        if (i > 0 && i % batchSize === 0) {
          for (const change of changes) change.tick();
          await breathe();
        }
        work(items[i], made);
      }
      return made;
    } finally {
      if (known[0]) changes[0].done(made.new);
      if (known[1]) changes[1].done(made.cur);
    }
  }

  claimRecent(peek: boolean): Promise<readonly Uid[]> {
    return this.#alone(async () => {
      const { table, recent } = this.#folder;
      const { uid, place } = table.at;
      const uids: Uid[] = [];
      for (let row = 0; row < table.length; row++) if (place[row] === inNew || (place[row] === inCur && recent.has(uid[row]))) uids.push(uid[row] as Uid);
      if (!peek && !this.#readOnly) {
        const plan = new FlagPlan(this.#folder, undefined);
        await this.#changing(uids, (one, made) => void this.#rename(one, plan, true, made));
        recent.clear();
        this.#folder.index.saveSoon();
      }
      return uids;
    });
  }

  /**
   * Renames a message's file into cur/ with other letters; follows it when another program renamed it. False when the file is gone.
   *
   * @param claim also move it out of new/ when the letters stay
   */
  #rename(uid: Uid, plan: FlagPlan, claim: boolean, made: Made): boolean {
    const folder = this.#folder;
    const { table } = folder;
    for (let tries = 0; tries < 8; tries++) {
      const row = folder.rowOf(uid);
      if (row < 0) return false;
      const [set, place] = [table.at.set[row], table.at.place[row]];
      const next = plan.next(set);
      if (next === undefined && (place === inCur || !claim)) return true;
      const suffix = next ?? `:2,${lettersIn(table.setAt(set))}`;
      try {
        renameSync(pathOf(folder.place.path, table, row), octetPath(`${folder.place.path}/cur`, baseOf(table, row) + suffix));
      } catch (error) {
        if (errno(error) !== "ENOENT") throw error;
        if (!folder.follow(uid)) return false;
        continue;
      }
      made.cur += place === inCur ? 2 : 1;
      if (place === inNew) made.new++;
      table.set("set", row, table.numberOf(suffix));
      table.set("place", row, inCur);
      if (next !== undefined) folder.flagged(uid);
      return true;
    }
    return false;
  }

  setFlags(uids: readonly Uid[], change: FlagChange): Promise<readonly Message[]> {
    const { uidValidity } = this;
    return this.#alone(async () => {
      const folder = this.#folder;
      // Numbered anew since: the caller's UIDs mean other messages.
      if (this.uidValidity !== uidValidity) return [];
      const plan = new FlagPlan(folder, { how: change.how, ...(await lettersFor(folder, change.flags, change.how !== "remove")) });
      const met = new Set<number>();
      const made = await this.#changing(uids, (uid, events) => {
        const isNew = folder.table.at.place[folder.rowOf(uid)] === inNew;
        if (!this.#rename(uid, plan, false, events)) return;
        met.add(uid);
        if (isNew && folder.table.at.place[folder.rowOf(uid)] === inCur) folder.recent.add(uid);
      });
      // Commit points: the renames are durable with this fsync, keywords without a letter with that of their file.
      if (made.cur > 0) await syncDirectory(`${folder.place.path}/cur`);
      await plan.others([...met]);
      return this.#tell().flagged.filter(({ uid }) => met.has(uid));
    });
  }

  append(messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    return faulting(async () => {
      const prepared = await prepareAll(this.#folder.place.path, messages);
      const { quota } = this.#context;
      const octets = prepared.reduce((sum, { base }) => sum + (sizeIn(Buffer.from(base), "S") ?? 0), 0);
      return this.#alone(async () => {
        try {
          if (!messages.every(({ exempt }) => exempt === true)) quota.require(octets, messages.length);
          const flags: Written[] = [];
          for (const one of messages) flags.push(await lettersFor(this.#folder, one.flags, true));
          const uids = await this.#enlist(
            prepared,
            (one, i) => {
              const { directory, suffix } = show(this.#folder.place.path, one, flags[i].letters);
              return { place: directory === "new" ? inNew : inCur, suffix, base: Buffer.from(one.base) };
            },
            (i) => flags[i].others,
          );
          quota.changed(octets, messages.length);
          this.#keepLater(uids, messages);
          return uids;
        } catch (error) {
          for (const one of prepared) forget(one.temporary);
          throw error;
        }
      });
    });
  }

  /** Facts are made when whoever waits for the append has been told. */
  #keepLater(uids: readonly Uid[], messages: readonly NewMessage[]): void {
    const { facts } = this.#context;
    if (facts === undefined) return;
    setImmediate(() => {
      uids.forEach((uid, i) => {
        if (this.#folder.rowOf(uid) >= 0) this.keepFacts(uid, facts(toCrlf(messages[i].octets)));
      });
    });
  }

  /**
   * Puts files into the folder and gives them their UIDs, all or none. Both under the uidlist lock: else another program might
   * see a file and give it a UID before we do. Durable when it resolves.
   *
   * @param put  makes a file visible in cur/ or new/; undefined when there is nothing to put
   * @param keywordsOf keywords without a letter of the item
   */
  async #enlist<T>(items: readonly T[], put: (item: T, i: number) => NewFile | undefined, keywordsOf: (i: number) => readonly string[]): Promise<readonly Uid[]> {
    const folder = this.#folder;
    const files: NewFile[] = [];
    const others: (readonly string[])[] = [];
    let first = 0;
    const directory = (place: Place): string => `${folder.place.path}/${place === inNew ? "new" : "cur"}`;
    try {
      await folder.uidlist.locked(async () => {
        folder.keywords.look();
        this.#sync.look();
        if (folder.pending) this.#sync.admitListed();
        const entries = items.map((item, i) => ({ item, i }));
        await this.#changing(entries, ({ item, i }, made) => {
          const file = put(item, i);
          if (file === undefined) return;
          files.push(file);
          others.push(keywordsOf(i));
          if (file.place === inNew) made.new++;
          else made.cur++;
        });
        await folder.keepOthers(files.map(({ base }, i) => ({ base: base.toString("latin1"), keywords: others[i].join(" ") })).filter(({ keywords }) => keywords !== ""));
        first = await this.#sync.list(this.#listed(files));
      });
      // Commit point: names, and with the uidlist (fsynced by now) their UIDs.
      await Promise.all([...new Set(files.map(({ place }) => directory(place)))].map(syncDirectory));
    } catch (error) {
      for (const { place, base, suffix } of files) forget(octetPath(directory(place), base.toString("latin1") + suffix));
      folder.fresh.doubt();
      folder.cur.doubt();
      throw error;
    }
    const uids = files.map((_, i) => (first + i) as Uid);
    uids.forEach((uid, i) => {
      const row = folder.table.rowOf(uid);
      folder.arrived(row);
      if (files[i].place === inCur) folder.recent.add(uid);
    });
    this.#tell();
    return uids;
  }

  #listed(files: readonly NewFile[]): NewFiles {
    const octets = Buffer.concat(files.map(({ base }) => base));
    const ends: number[] = [];
    for (const { base } of files) ends.push((ends.at(-1) ?? 0) + base.length);
    const sets = files.map(({ suffix }) => this.#folder.table.numberOf(suffix));
    return { length: files.length, octets, from: (i) => ends[i] - files[i].base.length, to: (i) => ends[i], place: (i) => files[i].place, set: (i) => sets[i] };
  }

  copy(uids: readonly Uid[], target: Mailbox, moving = false): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] }> {
    return faulting(async () => {
      const folder = this.#folder;
      if (target instanceof MaildirMailbox) {
        const linked = await target.#linkIn(folder, uids, moving);
        if (linked !== undefined) {
          this.#copyFactsLater(linked, target);
          return linked;
        }
      }
      const from: Uid[] = [];
      const messages: NewMessage[] = [];
      for (const uid of uids) {
        const row = folder.rowOf(uid);
        if (row < 0) continue;
        const flags = folder.flagsOf(row);
        const octets = await this.read(uid);
        if (octets === undefined) continue;
        from.push(uid);
        messages.push({ octets, flags, internalDate: folder.dateOf(uid) });
      }
      return { from, to: await target.append(messages) };
    });
  }

  #copyFactsLater({ from, to }: { readonly from: readonly Uid[]; readonly to: readonly Uid[] }, target: MaildirMailbox): void {
    setImmediate(() => {
      from.forEach((uid, i) => {
        const facts = this.facts(uid);
        if (facts !== undefined) target.keepFacts(to[i], facts);
      });
    });
  }

  /**
   * Messages never change, so a copy is a second name of the same file: octets and mtime (INTERNALDATE) come along, and were
   * durable before. Undefined when the kernel allows no hard links here.
   */
  #linkIn(source: Folder, uids: readonly Uid[], moving: boolean): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] } | undefined> {
    return this.#alone(async () => {
      const folder = this.#folder;
      const from: Uid[] = [];
      const chosen = uids.filter((uid) => source.rowOf(uid) >= 0);
      const { quota } = this.#context;
      if (!moving) quota.require(chosen.reduce((sum, uid) => sum + (source.storedSize(uid) ?? 0), 0), chosen.length);
      const wanted = await this.#flagsHere(source, chosen);
      const dates: number[] = [];
      let octets = 0;
      try {
        const to = await this.#enlist(
          chosen,
          (uid) => {
            const { letters } = wanted.get(uid) ?? unflagged;
            const size = source.sizeOf(uid);
            const stored = source.storedSize(uid);
            if (stored === undefined) return undefined;
            const base = newBase(stored, size);
            const { directory, file, suffix } = placeFor(base, letters);
            if (source.withFile(uid, (path) => (linkSync(path, `${folder.place.path}/${directory}/${file}`), true)) === undefined) return undefined;
            from.push(uid);
            octets += stored;
            dates.push(source.table.at.date[source.rowOf(uid)]);
            return { place: directory === "new" ? inNew : inCur, suffix, base: Buffer.from(base) };
          },
          (i) => (wanted.get(chosen[i]) ?? unflagged).others,
        );
        quota.changed(octets, to.length);
        to.forEach((uid, i) => folder.table.set("date", folder.table.rowOf(uid), dates[i]));
        return { from, to };
      } catch (error) {
        if (["EXDEV", "EMLINK", "EPERM", "ENOTSUP"].includes(errno(error))) return undefined;
        throw error;
      }
    });
  }

  /** Flags of another folder's messages as they are written in this one. */
  async #flagsHere(source: Folder, uids: readonly Uid[]): Promise<ReadonlyMap<Uid, Written>> {
    const written = new Map<Flags, Written>();
    const wanted = new Map<Uid, Written>();
    for (const uid of uids) {
      const row = source.rowOf(uid);
      if (row < 0) continue;
      const flags = source.flagsOf(row);
      let own = written.get(flags);
      if (own === undefined) written.set(flags, (own = await lettersFor(this.#folder, flags, true)));
      wanted.set(uid, own);
    }
    return wanted;
  }

  expunge(uids: readonly Uid[]): Promise<readonly Uid[]> {
    const { uidValidity } = this;
    return this.#alone(async () => {
      const folder = this.#folder;
      // Numbered anew since: the caller's UIDs mean other messages.
      if (this.uidValidity !== uidValidity) return [];
      const gone: Uid[] = [];
      let octets = 0;
      const directories = new Set<string>();
      try {
        await this.#changing(uids, (uid, made) => {
          for (let tries = 0; tries < 8; tries++) {
            const row = folder.rowOf(uid);
            if (row < 0) return;
            const isNew = folder.table.at.place[row] === inNew;
            const size = folder.storedSize(uid) ?? 0;
            try {
              unlinkSync(pathOf(folder.place.path, folder.table, row));
            } catch (error) {
              if (errno(error) !== "ENOENT") throw error;
              // Gone already: the next refresh says so.
              if (!folder.follow(uid)) return;
              continue;
            }
            made[isNew ? "new" : "cur"]++;
            gone.push(uid);
            octets += size;
            directories.add(`${folder.place.path}/${isNew ? "new" : "cur"}`);
            return;
          }
        });
      } finally {
        folder.drop(gone.map((uid) => folder.table.rowOf(uid)).sort((a, b) => a - b));
      }
      await Promise.all([...directories].map(syncDirectory));
      this.#context.quota.changed(-octets, -gone.length);
      this.#tell();
      return gone.sort((a, b) => a - b);
    });
  }

  /** Moves every message into another folder, where each gets a new UID (RFC 3501 §6.3.5, renaming INBOX). */
  moveAll(target: MaildirMailbox): Promise<void> {
    return this.#alone(async () => {
      await this.#sync.run();
      const folder = this.#folder;
      const [from, to] = [folder.place.path, target.#folder.place.path];
      const rows = Array.from({ length: folder.table.length }, (_, row) => row).filter((row) => folder.visible(row) >= 0);
      const moved: number[] = [];
      try {
        for (const row of rows) {
          const { letters, others } = await lettersFor(target.#folder, folder.flagsOf(row), true);
          const base = baseOf(folder.table, row);
          const { directory, file } = placeFor(base, letters);
          if (others.length > 0) await target.#folder.keepOthers([{ base, keywords: others.join(" ") }]);
          renameSync(pathOf(from, folder.table, row), octetPath(`${to}/${directory}`, file));
          moved.push(row);
        }
      } finally {
        folder.cur.doubt();
        folder.fresh.doubt();
        folder.drop(moved);
      }
      await Promise.all(["cur", "new"].flatMap((directory) => [syncDirectory(`${from}/${directory}`), syncDirectory(`${to}/${directory}`)]));
      this.#tell();
      await target.refresh();
    });
  }

  /** Reads everything anew (`MailStore.resync`). */
  resync(): Promise<Resynced> {
    return this.#alone(async () => {
      const folder = this.#folder;
      const { uidValidity } = this;
      folder.doubtAll();
      this.#sync.given = 0;
      await this.#sync.run();
      const dropped = folder.dead + folder.uidlist.spoilt;
      folder.rewrite ||= dropped > 0;
      await this.#sync.run();
      const { arrived, expunged, flagged } = this.#tell();
      folder.index.save();
      const messages = folder.messages.length;
      return { messages, arrived: arrived.length, expunged: expunged.length, flagged: flagged.length, given: this.#sync.given, dropped, renumbered: this.uidValidity !== uidValidity };
    });
  }

  // ------------------------------------------------------------ hearing

  watch(hear: (changes: Changes) => void): () => void {
    const stop = this.#hearers.add(hear);
    this.#watching ??= this.#startWatch();
    return () => {
      stop();
      if (this.#hearers.none) this.#stopWatch();
    };
  }

  #startWatch(): Watching {
    const everything = (): boolean => true;
    const { path } = this.#folder.place;
    return watchPaths([`${path}/new`, `${path}/cur`], everything, async () => void (await this.refresh()));
  }

  #stopWatch(): void {
    this.#watching?.stop();
    this.#watching = undefined;
  }

  /** Something was put into the folder by this process. */
  poke(): void {
    this.#watching?.soon();
  }

  /** Facts were added to the cache file by this process. */
  factsCame(): void {
    this.#folder.cache.note();
  }

  /** The folder's directory has another name now. */
  relocated(path: string, name: string): void {
    this.#folder.place.path = path;
    this.#folder.place.name = name;
    if (this.#watching === undefined) return;
    this.#stopWatch();
    this.#watching = this.#startWatch();
  }

  /** The folder is no more: nothing is written for it. */
  removed(): void {
    this.#folder.index.leave();
  }

  close(): void {
    this.#stopWatch();
    this.#folder.close();
  }
}
