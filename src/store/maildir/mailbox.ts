/**
 * One Maildir folder as a mailbox: what sessions do with its messages. sync.ts reads what is on disk, folder.ts holds it.
 *
 * Every method that changes something runs alone (Serial), so a scan never meets a rename of our own. Reading waits for nobody.
 */
import { toCrlf } from "../../message/line-ends.ts";
import { errno, faulting, storeFault } from "../faults.ts";
import { crlfOctets } from "../incoming.ts";
import { noChanges } from "../hearers.ts";
import { Hearing } from "../hearing.ts";
import type { Changes, FlagChange, Mailbox, Message, ModSeq, NewMessage, Resynced, Text, Uid } from "../mailbox.ts";
import type { MessageList } from "../message-list.ts";
import { Serial } from "../serial.ts";
import { UidRuns } from "../uid-runs.ts";
import { forget, prepareAll, sweep } from "./deliver.ts";
import { flagging } from "./flagging.ts";
import { Folder, type MaildirPlace } from "./folder.ts";
import { completing, isReadOnly } from "./folders.ts";
import { octetsLater, readNow } from "./message-file.ts";
import { rowsOf } from "./own-changes.ts";
import { Put, type Copied } from "./put.ts";
import type { Quota } from "./quota.ts";
import { Recent } from "./recent.ts";
import { Removal } from "./removal.ts";
import { readAnew } from "./resync.ts";
import { baseOf, fieldsOf, pathOf } from "./row.ts";
import { Sync } from "./sync.ts";
import { fieldText } from "./uidlist.ts";

export interface MailboxContext {
  readonly nextUidValidity: () => number;
  readonly facts: ((octets: Buffer) => Buffer) | undefined;
  readonly log: (line: string) => void;
  readonly alone: boolean;
  readonly quota: Quota;
}

export class MaildirMailbox implements Mailbox {
  readonly #folder: Folder;
  readonly #context: MailboxContext;
  readonly #sync: Sync;
  readonly #put: Put;
  readonly #recent: Recent;
  readonly #removal: Removal;
  readonly #serial = new Serial();
  readonly #hearing: Hearing;
  /** Looked at again while it is so: a file system may be mounted anew. */
  readOnly = false;

  constructor(place: MaildirPlace, context: MailboxContext) {
    this.#context = context;
    this.#folder = new Folder(place, context.log, context.alone);
    this.#sync = new Sync(this.#folder, context.nextUidValidity);
    this.#put = new Put(this.#folder, this.#sync, context.quota);
    this.#recent = new Recent(this.#folder);
    this.#removal = new Removal(this.#folder, context.quota);
    this.#hearing = new Hearing(() => ["new", "cur"].map((part) => `${place.path}/${part}`), async () => void (await this.refresh()), context.alone);
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
    return this.#folder.index.modSeq as ModSeq;
  }

  get uidNext(): Uid {
    return this.#folder.nextUid as Uid;
  }

  get keywords(): readonly string[] {
    return this.#folder.others.all;
  }

  get canCreateKeywords(): boolean {
    return !this.readOnly && !this.#folder.others.full;
  }

  get messages(): readonly Message[] {
    return this.#folder.list.all;
  }

  get list(): MessageList {
    return this.#folder.list;
  }

  numbers(name: "uid" | "size" | "internalDate"): Float64Array | Uint32Array | undefined {
    const { telling, table } = this.#folder;
    if (!telling.allTold) return undefined;
    return table.numbers(name === "internalDate" ? "date" : name) as Float64Array | Uint32Array;
  }

  fingerprint(uid: Uid): number | undefined {
    const row = this.#folder.rowOf(uid);
    return row < 0 ? undefined : this.#folder.files.fingerprint(row);
  }

  /** First look. Throws StoreFault "nonexistent" when there is no such folder. */
  async open(now: number): Promise<void> {
    const { path } = this.#folder.place;
    await faulting(async () => {
      this.readOnly = isReadOnly(path);
      if (!this.readOnly) await completing(path, async () => sweep(path, now));
      await this.look();
    });
  }

  /** True when a look would find all as it was, and sessions were told all: nearly always. At once, with no more than what such a look takes. Never throws. */
  isCurrent(): boolean {
    try {
      return this.#serial.isIdle && this.#folder.telling.isTold && this.#sync.isIdle;
    } catch {
      return false;
    }
  }

  async refresh(): Promise<Changes> {
    return this.isCurrent() ? noChanges : await this.look();
  }

  /** As `refresh`, where it was found that not all is as it was. */
  look(): Promise<Changes> {
    const folder = this.#folder;
    const look = async (): Promise<Changes> => {
      this.readOnly &&= isReadOnly(folder.place.path);
      if (folder.counts !== undefined && this.#sync.isIdle) return noChanges;
      await this.#load();
      await this.#sync.run();
      return this.#tell();
    };
    return this.#serial.run(() => faulting(() => folder.working(() => completing(folder.place.path, look))));
  }

  load(): Promise<void> | undefined {
    return this.#folder.counts === undefined ? undefined : this.#alone(async () => undefined);
  }

  /** What was only counted so far is read. */
  async #load(): Promise<void> {
    const counted = this.#folder.list;
    if (this.#folder.load()) return;
    await this.#sync.run();
    // For sessions that were told how many there are.
    try {
      void counted.all;
    } catch (error) {
      this.#context.log(`${this.#folder.place.path}: ${String(error)}`);
    }
    this.#tell();
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const loaded = async (): Promise<T> => {
      await this.#load();
      return await work();
    };
    return this.#serial.run(() => faulting(() => this.#folder.working(loaded)));
  }

  #tell(): Changes {
    const changes = this.#folder.tell();
    this.#hearing.tell(changes);
    return changes;
  }

  // ------------------------------------------------------------ reading

  async read(uid: Uid): Promise<Buffer | undefined> {
    const folder = this.#folder;
    try {
      const row = folder.rowOf(uid);
      if (row < 0) return undefined;
      if ((folder.files.namedSize(row) ?? 0) > readNow) {
        const octets = await octetsLater(pathOf(folder.place.path, folder.table, row)).catch((error: unknown) => {
          if (errno(error) !== "ENOENT") throw error;
        });
        if (octets !== undefined) return folder.files.measured(uid, toCrlf(octets));
      }
      return folder.files.octetsOf(uid);
    } catch (error) {
      throw storeFault(error);
    }
  }

  readHead(uid: Uid, into?: Buffer): Buffer | undefined {
    try {
      return this.#folder.files.headOf(uid, into);
    } catch (error) {
      throw storeFault(error);
    }
  }

  readStored(uid: Uid, into?: Buffer): Buffer | "later" | undefined {
    const folder = this.#folder;
    try {
      const row = folder.rowOf(uid);
      if (row < 0) return undefined;
      return (folder.files.namedSize(row) ?? 0) > readNow ? "later" : folder.files.storedOf(uid, into);
    } catch (error) {
      throw storeFault(error);
    }
  }

  readText(uid: Uid): Text | "later" | undefined {
    const folder = this.#folder;
    try {
      const row = folder.rowOf(uid);
      if (row < 0) return undefined;
      return (folder.files.namedSize(row) ?? 0) > readNow ? "later" : folder.files.textOf(uid);
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
    if (row < 0 || this.readOnly) return;
    this.#folder.cache.keep(row, facts);
    this.#folder.index.saveSoon();
  }

  // ------------------------------------------------------------ changing

  async claimRecent(peek: boolean): Promise<UidRuns> {
    if (this.#recent.any === false && this.#serial.isIdle) return new UidRuns();
    return await this.#alone(async () => {
      const { uids, fresh } = this.#recent.find();
      if (uids.size > 0 && !peek && !this.readOnly) await this.#hearing.unwatched(fresh.length, () => this.#recent.claim(fresh));
      return uids;
    });
  }

  setFlags(uids: readonly Uid[], change: FlagChange, changed?: (flagged: readonly Message[]) => void): Promise<readonly Message[]> {
    const { uidValidity } = this;
    return this.#alone(async () => {
      // Numbered anew since: the caller's UIDs mean other messages.
      if (this.uidValidity !== uidValidity) return [];
      return await flagging({ folder: this.#folder, hearing: this.#hearing, tell: () => this.#tell() }, uids, change, changed);
    });
  }

  append(messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    return faulting(async () => {
      const prepared = await prepareAll(this.#folder.place.path, messages);
      return this.#alone(async () => {
        try {
          const uids = await this.#put.append(prepared, messages);
          this.#tell();
          const { facts } = this.#context;
          if (facts !== undefined) this.#keepLater(uids, (i) => crlfOctets(messages[i]), facts);
          return uids;
        } catch (error) {
          for (const one of prepared) forget(one.temporary);
          throw error;
        }
      });
    });
  }

  /** Facts are made when whoever waits for the messages has been told. @param octetsOf what they are made of, by place in `uids` */
  #keepLater(uids: readonly Uid[], octetsOf: (i: number) => Buffer | undefined, make: (octets: Buffer) => Buffer): void {
    setImmediate(() => {
      uids.forEach((uid, i) => {
        const octets = this.#folder.rowOf(uid) < 0 ? undefined : octetsOf(i);
        if (octets !== undefined) this.keepFacts(uid, make(octets));
      });
    });
  }

  copy(uids: readonly Uid[], target: Mailbox, moving = false): Promise<Copied> {
    return faulting(async () => {
      const folder = this.#folder;
      if (target instanceof MaildirMailbox) {
        const linked = await target.#linkIn(folder, uids, moving);
        if (linked !== undefined) {
          target.#keepLater(linked.to, (i) => this.facts(linked.from[i]), (facts) => Buffer.from(facts));
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
        messages.push({ octets, flags, internalDate: folder.files.dateOf(uid) });
      }
      return { from, to: await target.append(messages) };
    });
  }

  #linkIn(source: Folder, uids: readonly Uid[], moving: boolean): Promise<Copied | undefined> {
    return this.#alone(async () => {
      const copied = await this.#put.link(source, uids, moving);
      this.#tell();
      return copied;
    });
  }

  async expunge(uids: readonly Uid[]): Promise<readonly Uid[]> {
    if (uids.length === 0 && this.#removal.settled) return [];
    const { uidValidity } = this;
    return await this.#alone(async () => {
      // Numbered anew since: the caller's UIDs mean other messages.
      if (this.uidValidity !== uidValidity) return [];
      const rows = rowsOf(this.#folder, uids);
      if (rows.length < uids.length) this.#removal.doubt();
      const gone = await this.#hearing.unwatched(rows.length, () => this.#removal.run(rows));
      this.#tell();
      return gone;
    });
  }

  /** Moves every message into another folder, where each gets a new UID (RFC 3501 §6.3.5, renaming INBOX); all or none. */
  moveAll(target: MaildirMailbox): Promise<void> {
    return this.#alone(async () => {
      await this.#sync.run();
      await target.#takeOver(this.#folder);
      this.#tell();
    });
  }

  #takeOver(source: Folder): Promise<void> {
    return this.#alone(async () => {
      await this.#put.takeOver(source);
      this.#tell();
    });
  }

  /** Reads everything anew (`MailStore.resync`). */
  resync(): Promise<Resynced> {
    return this.#alone(() => readAnew(this.#folder, this.#sync, () => this.#tell()));
  }

  // ------------------------------------------------------------ hearing

  watch(hear: (changes: Changes) => void): () => void {
    return this.#hearing.add(hear);
  }

  /** Something was put into the folder by this process. */
  poke(): void {
    this.#hearing.poke();
  }

  /** Facts were added to the cache file by this process. */
  factsCame(): void {
    this.#folder.cache.note();
  }

  /** The folder's directory has another name now. */
  relocated(place: MaildirPlace): void {
    Object.assign(this.#folder.place, place);
    this.#hearing.relocated();
  }

  /** The folder is no more: nothing is written for it. */
  removed(): void {
    // Sessions that have it selected may have been told counts only.
    this.#folder.load();
    this.#folder.index.leave();
  }

  close(): void {
    this.#hearing.stop();
    this.#folder.close();
  }
}
