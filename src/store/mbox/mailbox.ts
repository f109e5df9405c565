/**
 * One mbox file as a mailbox. Truth is in the file: messages, flags, and in X-UID and X-IMAPbase their UIDs, which are written as
 * soon as they are given. Every operation that changes something locks (lock.ts), looks whether the file is as it was left (reading.ts), does its
 * work and unlocks; changes that fit are made in place (writing.ts), others by a rewrite that survives a crash (journal.ts).
 *
 * Side files (side.ts): the index and the cache of facts, which can be made again, the journal, and NAME.base.
 */
import { rmSync } from "node:fs";
import { faulting, longest, storeFault, tooLong } from "../faults.ts";
import { hashOfText } from "../fingerprint.ts";
import { noChanges } from "../hearers.ts";
import { Hearing } from "../hearing.ts";
import { StoreFault, type Changes, type FlagChange, type Flags, type Mailbox, type Message, type ModSeq, type NewMessage, type Resynced, type Uid } from "../mailbox.ts";
import type { MessageList } from "../message-list.ts";
import { Serial } from "../serial.ts";
import { UidRuns } from "../uid-runs.ts";
import { Contents } from "./contents.ts";
import { copyMessages, storedIn } from "./copy.ts";
import { Deliveries } from "./deliver.ts";
import { MboxFile, type MboxPlace, type MboxPolicy } from "./file.ts";
import { keywordLimit } from "./keywords.ts";
import { expungeRows } from "./expunge.ts";
import { changeStates, within } from "./flagging.ts";
import type { LockedFile } from "./lock.ts";
import type { State } from "./metadata.ts";
import { mboxText, type MboxText } from "./new-message.ts";
import { headOf, octetsOf, storedOctets } from "./octets-of.ts";
import type { Place } from "./parse.ts";
import { readAdded } from "./reading.ts";
import { rowsOf } from "./rows.ts";
import { noStates } from "./states.ts";
import { writeOld, writeStates } from "./writing.ts";

const nobody: State = { flags: new Set(), old: false };

export class MboxMailbox implements Mailbox {
  readonly #place: MboxPlace;
  readonly #serial = new Serial();
  /** An EXPUNGE failed: what it did may not be durable. */
  #owing = false;
  readonly #hearing: Hearing;
  readonly #contents: Contents;
  readonly #file: MboxFile;
  readonly #deliveries: Deliveries;
  #opened: Promise<void> | undefined;
  #removed = false;

  constructor(place: MboxPlace, policy: MboxPolicy) {
    this.#place = place;
    this.#hearing = new Hearing(() => [place.path], async () => void (await this.refresh()), policy.hooks.alone === true);
    this.#file = new MboxFile(place, policy);
    this.#contents = new Contents(() => this.#file.side, policy.nextUidValidity, (line) => policy.hooks.log?.(line));
    this.#file.fill(this.#contents);
    this.#deliveries = new Deliveries(this.#contents, this.#file, policy);
  }

  get name(): string {
    return this.#place.name;
  }

  get id(): string {
    return this.#contents.id;
  }

  get uidValidity(): number {
    return this.#contents.uidValidity;
  }

  get uidNext(): Uid {
    return (this.#contents.lastUid + 1) as Uid;
  }

  get readOnly(): boolean {
    return this.#file.readOnly;
  }

  get keywords(): readonly string[] {
    return this.#contents.keywords.spelled;
  }

  get canCreateKeywords(): boolean {
    return !this.readOnly && this.#contents.keywords.size < keywordLimit;
  }

  get highestModSeq(): ModSeq {
    return this.#contents.index.modSeq as ModSeq;
  }

  get messages(): readonly Message[] {
    return this.#contents.list.all;
  }

  get list(): MessageList {
    return this.#contents.list;
  }

  numbers(name: "uid" | "size" | "internalDate"): Float64Array | Uint32Array | undefined {
    const { allTold, table } = this.#contents;
    return allTold ? (table.numbers(name === "internalDate" ? "date" : name) as Float64Array | Uint32Array) : undefined;
  }

  fingerprint(uid: Uid): number | undefined {
    const { table } = this.#contents;
    const row = table.rowOf(uid);
    return row < 0 ? undefined : hashOfText(`${uid}.${this.uidValidity}.${table.at.print[row]}.${table.at.size[row]}`);
  }

  get edits(): number {
    return this.#contents.edits;
  }

  expungedSince(modSeq: ModSeq): readonly Uid[] | undefined {
    return this.#contents.table.expungedSince(modSeq);
  }

  facts(uid: Uid): Buffer | undefined {
    const row = this.#contents.table.rowOf(uid);
    return row < 0 ? undefined : this.#contents.cache.facts(row);
  }

  keepFacts(uid: Uid, facts: Buffer): void {
    const row = this.#contents.table.rowOf(uid);
    if (row < 0 || this.#removed) return;
    this.#contents.cache.keep(row, facts);
    this.#contents.index.saveSoon();
  }

  /** First look, once; another one with `current`. */
  async open(current = false): Promise<void> {
    const before = this.#opened;
    await this.#openOnce();
    if (current && before !== undefined) await this.refresh();
  }

  #openOnce(): Promise<void> {
    if (this.#opened === undefined) this.#file.lookAtRights();
    this.#opened ??= this.refresh().then(
      () => undefined,
      (error: unknown) => {
        this.#opened = undefined;
        throw error;
      },
    );
    return this.#opened;
  }

  load(): Promise<void> | undefined {
    return this.#contents.index.outline === undefined ? undefined : this.#loaded();
  }

  /** Rows are read; where these turn out damaged, the file is. */
  async #loaded(): Promise<void> {
    void this.#contents.table;
    await this.refresh();
  }

  async refresh(): Promise<Changes> {
    if (this.isCurrent()) return noChanges;
    return await this.#alone(async () => {
      if (this.#file.isCurrent()) return noChanges;
      await this.#file.load();
      return this.#tell();
    });
  }

  /** True when a look would find all as it was, and sessions were told all: nearly always. At once, with no more than what such a look takes. Never throws. */
  isCurrent(): boolean {
    try {
      return this.#serial.isIdle && this.#file.isCurrent();
    } catch {
      return false;
    }
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#serial.run(() => faulting(work));
  }

  /** Runs `work` under the write lock on a file that has been read, and tells what changed. */
  #changing<T>(work: (file: LockedFile) => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      try {
        return await this.#file.writing(work, () => this.#tell());
      } finally {
        this.#tell();
      }
    });
  }

  #tell(): Changes {
    const changes = this.#contents.tell();
    this.#hearing.tell(changes);
    return changes;
  }

  async claimRecent(peek: boolean): Promise<UidRuns> {
    const contents = this.#contents;
    if (contents.noneRecent && this.#serial.isIdle) return new UidRuns();
    const uidsOf = (rows: Uint32Array): UidRuns => UidRuns.of(rows.map((row) => contents.table.at.uid[row]));
    // Rows may turn out damaged, and then are those of the file.
    if (!contents.noneRecent) await this.load();
    const rows = await this.#alone(async () => contents.recent());
    if (peek || this.readOnly || rows.length === 0) return uidsOf(rows);
    return await this.#changing(async (file) => {
      const now = contents.recent();
      const uids = uidsOf(now);
      if (now.length > 0) await writeOld(contents, this.#file.journal, file, now);
      return uids;
    });
  }

  setFlags(uids: readonly Uid[], change: FlagChange): Promise<readonly Message[]> {
    const { uidValidity } = this;
    const contents = this.#contents;
    return this.#changing(async (file) => {
      if (contents.uidValidity !== uidValidity) return [];
      const own: FlagChange = { how: change.how, flags: this.#storable(change.flags, change.how !== "remove") };
      const changed = await changeStates(contents, this.#file.journal, file, uids, own);
      return within(this.#tell().flagged, changed);
    });
  }

  #storable(flags: Flags, make: boolean): Flags {
    const contents = this.#contents;
    return contents.keywords.storable(flags, make, () => (contents.unwritten = true));
  }

  async read(uid: Uid): Promise<Buffer | undefined> {
    const contents = this.#contents;
    const octets = await this.#looking(this.uidValidity, (fd) => {
      const row = contents.table.rowOf(uid);
      return row < 0 ? "gone" : (octetsOf(fd, this.#placeToRead(row)) ?? "changed");
    });
    return octets === "gone" ? undefined : octets;
  }

  /** Where a message is that is to be read. Throws StoreFault "too-long". */
  #placeToRead(row: number): Place {
    const place = this.#contents.place(row);
    const octets = place.end - place.start;
    if (octets > longest) throw tooLong(`${this.#place.path}, UID ${this.#contents.table.at.uid[row]}`, octets);
    return place;
  }

  /**
   * Runs `look` on the file as it is known, which is read again where it is not that; undefined when there is none, or another mailbox in its place.
   *
   * @param look "changed": the stamp was right and a header was not
   */
  #looking<T>(uidValidity: number, look: (fd: number) => T | "changed"): Promise<T | undefined> {
    const contents = this.#contents;
    return this.#alone(async () => {
      for (let tries = 0; tries < 5; tries++) {
        if (contents.uidValidity !== uidValidity) return undefined;
        const seen = await this.#file.reading((fd) => ({ value: look(fd) }));
        if (seen !== undefined && seen !== "stale") {
          if (seen.value !== "changed") return seen.value;
          // All of it is read again.
          contents.stamp = undefined;
        }
        await this.#file.load();
        this.#tell();
        if (seen === undefined) return undefined;
      }
      throw new StoreFault("in-use", "mailbox changes all the time");
    });
  }

  readHead(uid: Uid): Buffer | "later" | undefined {
    return this.#atOnce(uid, (fd, row) => headOf(fd, this.#contents.place(row)));
  }

  readStored(uid: Uid): Buffer | "later" | undefined {
    return this.#atOnce(uid, (fd, row) => this.#file.unlessChanged(fd, storedOctets(fd, this.#placeToRead(row))));
  }

  #atOnce(uid: Uid, read: (fd: number, row: number) => Buffer | undefined): Buffer | "later" {
    const { table, settled } = this.#contents;
    const row = table.rowOf(uid);
    try {
      const fd = settled && row >= 0 ? this.#file.readable : undefined;
      return (fd === undefined ? undefined : read(fd, row)) ?? "later";
    } catch (error) {
      throw storeFault(error);
    }
  }

  append(messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    if (messages.length === 0) return Promise.resolve([]);
    const contents = this.#contents;
    let texts: MboxText[] = [];
    return this.#changing(async (file) => {
      const first = contents.lastUid + 1;
      const states = messages.map((message): State => ({ flags: this.#storable(message.flags, true), old: false }));
      contents.lastUid += messages.length;
      const isEmpty = contents.table.length === 0 && contents.pseudo === undefined;
      // The base goes first: a UID above it would not be believed.
      if (!isEmpty) {
        contents.unwritten = true;
        await writeStates(contents, this.#file.journal, file, noStates);
      }
      texts = messages.map((message, i) => mboxText(message, first + i, states[i] ?? nobody, isEmpty && i === 0 ? contents.base : undefined, Date.now()));
      await this.#file.add(file, texts);
      // They are there by now: who is told that it failed appends them again.
      await readAdded(contents, file).catch(() => (contents.stamp = undefined));
      return messages.map((_, i) => (first + i) as Uid);
    }).then((uids) => {
      this.#deliveries.keepFacts(uids, texts);
      return uids;
    });
  }

  /** Delivers without reading the file: X-UID is left out, for the next look to put in. */
  deliver(message: NewMessage): Promise<void> {
    return this.#deliveries.add(message, (work) => void this.#serial.run(work), () => this.#hearing.poke());
  }

  copy(uids: readonly Uid[], target: Mailbox): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] }> {
    const { uidValidity } = this;
    return faulting(async () => {
      const chosen = new Set(uids);
      const wanted = this.messages.filter(({ uid }) => chosen.has(uid));
      return await copyMessages(this, wanted, target, (some) => this.#looking(uidValidity, (fd) => storedIn(fd, this.#contents.table, some, (row) => this.#placeToRead(row)) ?? "changed"));
    });
  }

  async expunge(uids: readonly Uid[]): Promise<readonly Uid[]> {
    if (uids.length === 0 && !this.#owing) return [];
    const { uidValidity } = this;
    const contents = this.#contents;
    return await this.#changing(async (file) => {
      // Another file is in its place: the caller's UIDs mean other messages.
      if (contents.uidValidity !== uidValidity) return [];
      const going = Array.from(rowsOf(contents.table, uids));
      const gone = going.map((row) => (contents.table.at.uid[row] ?? 0) as Uid);
      this.#owing = true;
      await expungeRows(contents, this.#file.journal, file, going);
      this.#owing = false;
      return gone;
    });
  }

  /** Moves every message into another mailbox (RFC 3501 §6.3.5, renaming INBOX). Killed in between, they are in both. */
  async moveAll(target: MboxMailbox): Promise<void> {
    await this.refresh();
    const uids = this.messages.map(({ uid }) => uid);
    await this.copy(uids, target);
    await this.expunge(uids);
  }

  /** Reads the file anew, with nothing believed of what the index said (`MailStore.resync`). What a crash had left is mended and logged. */
  resync(): Promise<Resynced> {
    return this.#alone(async () => {
      const contents = this.#contents;
      const { uidValidity } = contents;
      contents.reset();
      rmSync(this.#file.side.path("cache"), { force: true });
      await this.#file.load();
      const { arrived, expunged, flagged } = this.#tell();
      contents.index.save();
      const renumbered = contents.uidValidity !== uidValidity;
      return { messages: this.list.length, arrived: arrived.length, expunged: expunged.length, flagged: flagged.length, given: contents.given, dropped: 0, renumbered };
    });
  }

  // ------------------------------------------------------------ hearing

  watch(hear: (changes: Changes) => void): () => void {
    return this.#hearing.add(hear);
  }

  relocated(path: string, name: string): void {
    this.#place.path = path;
    this.#place.name = name;
    this.#file.relocated();
    this.#contents.relocated();
    this.#hearing.relocated();
  }

  /** The folder is gone, and its side files will be. */
  removed(): void {
    this.#removed = true;
    // Sessions that have it selected may have been told counts only.
    void this.#contents.table;
    this.#contents.close();
  }

  /** Behind what is under way. */
  async close(): Promise<void> {
    this.#hearing.stop();
    if (!this.#removed) await this.#serial.run(async () => this.#contents.close());
  }
}

