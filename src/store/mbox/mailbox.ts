/**
 * One mbox file as a mailbox. Truth is in the file: messages, flags, and in X-UID and X-IMAPbase their UIDs, which are written as
 * soon as they are given. Every operation locks (lock.ts), looks whether the file is as it was left, reads what changed, does its
 * work and unlocks; changes that fit are made in place, others by a rewrite that survives a crash (journal.ts).
 *
 * Another program's append is found by size and time: when every header we know is where and as it was, only the end is parsed. Anything
 * else is parsed from the start. X-UID is believed while it ascends and stays at or below the last UID of X-IMAPbase; the
 * first message without one, and all after it, get new UIDs.
 *
 * A side file NAME.base repeats UIDVALIDITY and the last UID, since some programs drop X-IMAPbase with the first message. Without it nothing
 * is lost but that clients read the mailbox anew.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { crc32 } from "node:zlib";
import { toCrlf } from "../../message/line-ends.ts";
import { syncFile, writeFully } from "../durable.ts";
import { faulting, storeFault } from "../faults.ts";
import { changeFlags, sameFlags, systemFlag } from "../flags.ts";
import { Hearers, noChanges } from "../hearers.ts";
import { StoreFault, type Changes, type FlagChange, type Flags, type Mailbox, type Message, type ModSeq, type NewMessage, type Uid } from "../mailbox.ts";
import { Serial, breathe } from "../serial.ts";
import { watchPaths, type Watching } from "../watch.ts";
import { Journal, type Piece } from "./journal.ts";
import { createMbox, withMbox, type LockPolicy, type LockedFile } from "./lock.ts";
import { fitBase, fitMetadata, formatBase, formatMetadata, metadataBlock, metadataFields, parseBase, parseState, fieldValue, type Base, type State } from "./metadata.ts";
import { mboxText, pseudoMessage } from "./new-message.ts";
import { parseMbox, type Found } from "./parse.ts";
import { Side } from "./side.ts";
import { FileWindow, forHeaders } from "./window.ts";

export interface MboxPlace {
  path: string;
  name: string;
  /** Directory of side files. */
  readonly side: string;
}

export interface MboxPolicy {
  readonly lock: LockPolicy;
  /** `mailbox_size_limit`, octets; 0 is none. */
  readonly sizeLimit: number;
  readonly nextUidValidity: () => number;
}

interface Entry {
  readonly found: Found;
  readonly state: State;
  readonly message: Message;
  readonly uidValidity: number;
  /** The file has this UID in X-UID. */
  readonly written: boolean;
}

interface Delivery {
  readonly message: NewMessage;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Keywords of one mailbox: X-IMAPbase is one line. */
const keywordLimit = 100;
const nobody: State = { flags: new Set(), old: false };

export class MboxMailbox implements Mailbox {
  readonly #place: MboxPlace;
  readonly #policy: MboxPolicy;
  readonly #serial = new Serial();
  readonly #hearers = new Hearers();
  #journal: Journal;
  #watching: Watching | undefined;
  #opened: Promise<void> | undefined;

  #known: { readonly inode: bigint; readonly size: bigint; readonly changed: bigint } | undefined;
  #pseudo: Found | undefined;
  #entries: readonly Entry[] = [];
  /** So that what did not change need not be made again. */
  readonly #made = new WeakMap<Found, Entry>();
  #messages: readonly Message[] = [];
  /** The entries `#messages` was made of. */
  #told: readonly Entry[] = this.#entries;
  #uidValidity = 0;
  #lastUid = 0;
  /** Lower case to the spelling told to clients. */
  #keywords = new Map<string, string>();
  #readOnly = false;
  /** The file does not say all we know: a UID, a keyword, UIDVALIDITY. */
  #unwritten = false;
  #inbound: Delivery[] = [];

  constructor(place: MboxPlace, policy: MboxPolicy) {
    this.#place = place;
    this.#policy = policy;
    this.#journal = new Journal(new Side(place.side, place.name));
  }

  get name(): string {
    return this.#place.name;
  }

  get id(): string {
    return `${this.#uidValidity}`;
  }

  get uidValidity(): number {
    return this.#uidValidity;
  }

  get highestModSeq(): ModSeq {
    return 1 as ModSeq;
  }

  expungedSince(): readonly Uid[] | undefined {
    return undefined;
  }

  facts(): Buffer | undefined {
    return undefined;
  }

  keepFacts(): void {}

  get uidNext(): Uid {
    return (this.#lastUid + 1) as Uid;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  get keywords(): readonly string[] {
    return [...this.#keywords.values()];
  }

  get canCreateKeywords(): boolean {
    return !this.#readOnly && this.#keywords.size < keywordLimit;
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** First look, once. */
  open(): Promise<void> {
    this.#opened ??= this.refresh().then(
      () => undefined,
      (error: unknown) => {
        this.#opened = undefined;
        throw error;
      },
    );
    return this.#opened;
  }

  refresh(): Promise<Changes> {
    return this.#alone(() => this.#sync());
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#serial.run(() => faulting(work));
  }

  // ------------------------------------------------------------ locking

  /** Runs `work` under the write lock on a file that has been read; the file is made when it is not there. */
  async #writing<T>(work: (file: LockedFile) => Promise<T>): Promise<T> {
    if (this.#readOnly) throw new StoreFault("permission", "mailbox is read-only");
    for (let tries = 0; ; tries++) {
      const result = await withMbox(this.#place.path, "write", this.#policy.lock, async (file) => {
        await this.#load(file, true);
        return { value: await work(file) };
      });
      if (result !== undefined) return result.value;
      if (tries > 2) throw new StoreFault("nonexistent", "no such mailbox");
      createMbox(this.#place.path);
    }
  }

  async #sync(): Promise<Changes> {
    return this.#isSame() ? noChanges : await this.#reload();
  }

  /** One stat without a lock: a writer at work changes the time again before it unlocks. */
  #isSame(): boolean {
    const known = this.#known;
    if (known === undefined || this.#unwritten) return false;
    const now = statSync(this.#place.path, { bigint: true, throwIfNoEntry: false });
    return now?.ino === known.inode && now.size === known.size && now.mtimeNs === known.changed;
  }

  async #reload(): Promise<Changes> {
    if (!this.#readOnly) {
      try {
        return (await withMbox(this.#place.path, "write", this.#policy.lock, async (file) => this.#load(file, true))) ?? this.#adoptNothing();
      } catch (error) {
        // A mailbox we may only read is still a mailbox, and so is one on a full disk.
        const { kind } = storeFault(error);
        if ((kind !== "permission" && kind !== "no-space") || error instanceof StoreFault) throw error;
        this.#readOnly = kind === "permission";
      }
    }
    return (await withMbox(this.#place.path, "read", this.#policy.lock, async (file) => this.#load(file, false))) ?? this.#adoptNothing();
  }

  // ------------------------------------------------------------ from disk to memory

  /** Takes over the file as it is; under a lock. Under the write lock it also writes UIDs that are missing. */
  async #load(file: LockedFile, mayWrite: boolean): Promise<Changes> {
    if (mayWrite && this.#journal.pending) await this.#journal.recover(file.fd);
    if (!this.#isKnown(file)) await this.#read(file);
    if (this.#unwritten && mayWrite) await this.#write(file, new Map());
    return this.#tell();
  }

  #isKnown(file: LockedFile): boolean {
    const { ino, size, mtimeNs } = file.stats();
    const known = this.#known;
    return known !== undefined && known.inode === ino && known.size === size && known.changed === mtimeNs;
  }

  #noteIdentity(file: LockedFile): void {
    const { ino, size, mtimeNs } = file.stats();
    this.#known = { inode: ino, size, changed: mtimeNs };
  }

  /** @param appended the only change since it was read is an append of our own */
  async #read(file: LockedFile, appended = false): Promise<void> {
    const stats = file.stats();
    const window = new FileWindow(file.fd, Number(stats.size));
    const known = [...(this.#pseudo === undefined ? [] : [this.#pseudo]), ...this.#entries.map((entry) => entry.found)];
    const last = known.at(-1);
    const grown = this.#known !== undefined && last !== undefined && this.#known.inode === stats.ino && stats.size >= this.#known.size && (appended || isIntact(new FileWindow(file.fd, Number(stats.size), forHeaders), known));
    // The last message is parsed again: what followed its end may be different now.
    const found = grown ? [...known.slice(0, -1), ...(await parseMbox(window, last.start))] : await parseMbox(window, 0);
    this.#adopt(found, window);
    this.#noteIdentity(file);
  }

  /** There is no file: no messages. */
  #adoptNothing(): Changes {
    this.#known = undefined;
    this.#settleBase(undefined);
    this.#pseudo = undefined;
    this.#entries = [];
    this.#unwritten = false;
    return this.#tell();
  }

  #adopt(found: readonly Found[], window: FileWindow): void {
    const first = found[0];
    const isPseudo = first !== undefined && fieldValue(first.fields, "x-imap") !== undefined && window.bytes(first.header, first.body - first.header).includes("FOLDER INTERNAL DATA");
    const text = first === undefined ? undefined : isPseudo ? fieldValue(first.fields, "x-imap") : fieldValue(first.fields, "x-imapbase");
    const base = text === undefined ? undefined : parseBase(text);
    this.#settleBase(base);
    for (const keyword of base?.keywords ?? []) this.#spell(keyword);
    this.#pseudo = isPseudo ? first : undefined;
    const messages = isPseudo ? found.slice(1) : found;
    const trusted = this.#lastUid;
    let previous = 0;
    let listed = true;
    const entries = messages.map((one): Entry => {
      const known = this.#made.get(one);
      if (known !== undefined && known.written && listed && known.uidValidity === this.#uidValidity && known.message.uid > previous && known.message.uid <= trusted) {
        previous = known.message.uid;
        return known;
      }
      const given = Number(/^\d{1,10}$/.exec(fieldValue(one.fields, "x-uid") ?? "")?.[0] ?? 0);
      listed &&= given > previous && given <= trusted;
      const uid = listed ? given : ++this.#lastUid;
      previous = uid;
      return this.#entry(one, uid, parseState(one.fields, (keyword) => this.#spell(keyword)));
    });
    this.#unwritten = found.length > 0 && (!listed || base === undefined || base.uidValidity !== this.#uidValidity || base.lastUid < this.#lastUid || base.keywords.length < this.#keywords.size);
    this.#entries = entries;
    this.#noteBase();
  }

  /** UIDVALIDITY and last UID: of the file, else of memory, else of the side file, else new. */
  #settleBase(base: Base | undefined): void {
    if (base !== undefined) {
      if (this.#uidValidity !== base.uidValidity) {
        this.#lastUid = 0;
        this.#entries = [];
        this.#keywords = new Map();
      }
      this.#uidValidity = base.uidValidity;
      const side = this.#sideBase();
      this.#lastUid = Math.max(this.#lastUid, base.lastUid, side?.uidValidity === base.uidValidity ? side.lastUid : 0);
    } else if (this.#uidValidity === 0) {
      const side = this.#sideBase();
      this.#uidValidity = side?.uidValidity ?? this.#policy.nextUidValidity();
      this.#lastUid = side?.lastUid ?? 0;
    }
  }

  #sideBase(): Base | undefined {
    try {
      return parseBase(readFileSync(this.#journal.side.path("base"), "latin1").trim());
    } catch {
      return undefined;
    }
  }

  #noteBase(): void {
    if (this.#readOnly) return;
    const side = this.#sideBase();
    if (side?.uidValidity === this.#uidValidity && side.lastUid === this.#lastUid) return;
    const temporary = this.#journal.side.path("base.tmp");
    try {
      this.#journal.side.ready();
      rmSync(temporary, { force: true });
      writeFileSync(temporary, `${this.#uidValidity} ${this.#lastUid}\n`, { mode: 0o600, flag: "wx" });
      renameSync(temporary, this.#journal.side.path("base"));
    } catch (error) {
      // Only a second copy: on a full disk the mailbox itself comes first.
      if (storeFault(error).kind !== "no-space") throw error;
    }
  }

  #spell(keyword: string): string {
    const lower = keyword.toLowerCase();
    let known = this.#keywords.get(lower);
    if (known === undefined) {
      known = keyword;
      this.#keywords.set(lower, known);
    }
    return known;
  }

  #entry(found: Found, uid: number, state: State): Entry {
    const message: Message = { uid: uid as Uid, flags: state.flags, size: found.size, internalDate: found.from.date, saveDate: undefined, modSeq: 1 as ModSeq, guid: `${uid}.${this.#uidValidity}` };
    const entry = { found, state, message, uidValidity: this.#uidValidity, written: fieldValue(found.fields, "x-uid") === String(uid) };
    this.#made.set(found, entry);
    return entry;
  }

  /** Brings `messages` up to date and tells what changed; after UIDs are written. */
  #tell(): Changes {
    if (this.#told === this.#entries) return noChanges;
    this.#told = this.#entries;
    const own = `.${this.#uidValidity}`;
    const old = new Map<string | number, Message>();
    // UIDs of an earlier UIDVALIDITY mean other messages.
    for (const message of this.#messages) old.set(message.guid.endsWith(own) ? message.uid : message.guid, message);
    const arrived: Message[] = [];
    const flagged: Message[] = [];
    const messages = this.#entries.map(({ message }) => {
      const before = old.get(message.uid);
      old.delete(message.uid);
      if (before === undefined) arrived.push(message);
      else if (!sameFlags(before.flags, message.flags)) flagged.push(message);
      else return before;
      return message;
    });
    if (arrived.length === 0 && flagged.length === 0 && old.size === 0) return noChanges;
    this.#messages = messages;
    const changes = { arrived, flagged, expunged: [...old.values()].map((message) => message.uid) };
    this.#hearers.tell(changes);
    return changes;
  }

  // ------------------------------------------------------------ from memory to disk

  get #base(): Base {
    return { uidValidity: this.#uidValidity, lastUid: this.#lastUid, keywords: this.keywords };
  }

  /**
   * Writes states of messages (those in `wanted`, and every one whose UID the file does not have yet) and the base. In place
   * where all fits; from the first message on that does not, everything is rewritten with room to spare. Durable when it resolves.
   */
  async #write(file: LockedFile, wanted: ReadonlyMap<Entry, State>): Promise<void> {
    file.stillOurs();
    const edits: { readonly at: number; readonly text: string }[] = [];
    const touched = new Set<Found>();
    const entries = this.#entries.map((entry) => ({ entry, state: wanted.get(entry) ?? entry.state }));
    let from = -1;
    const top = this.#pseudo ?? entries[0]?.entry.found;
    const fits = top === undefined || this.#fitTop(top, edits);
    if (!fits) from = this.#pseudo === undefined ? 0 : -2;
    if (from === -1) {
      for (const [i, { entry, state }] of entries.entries()) {
        if (entry.written && !wanted.has(entry)) continue;
        const block = metadataBlock(entry.found.fields);
        const text = block === undefined ? undefined : fitMetadata(entry.message.uid, state, block.end - block.start);
        if (block === undefined || text === undefined) {
          from = i;
          break;
        }
        edits.push({ at: entry.found.header + block.start, text });
        touched.add(entry.found);
      }
    }
    for (const { at, text } of edits) writeFully(file.fd, Buffer.from(text, "latin1"), at);
    if (from === -1) await syncFile(file.fd);
    else await this.#rewriteFrom(file, Math.max(0, from), from === -2, entries);
    this.#unwritten = false;
    if (top !== undefined) touched.add(top);
    await this.#reread(file, from === -1 ? touched : undefined);
  }

  /** Brings X-IMAPbase (X-IMAP of the pseudo message) up to date; false when there is no room. */
  #fitTop(top: Found, edits: { readonly at: number; readonly text: string }[]): boolean {
    const name = this.#pseudo === undefined ? "x-imapbase" : "x-imap";
    const field = top.fields.find((one) => one.name === name);
    if (field === undefined) return false;
    const text = fitBase(name === "x-imap" ? "X-IMAP" : "X-IMAPbase", this.#base, field.end - field.start);
    if (text === undefined || Buffer.byteLength(text) !== field.end - field.start) return false;
    edits.push({ at: top.header + field.start, text });
    return true;
  }

  async #rewriteFrom(file: LockedFile, from: number, withPseudo: boolean, entries: readonly { readonly entry: Entry; readonly state: State }[]): Promise<void> {
    const window = new FileWindow(file.fd, Number(file.stats().size));
    const pieces: Piece[] = [];
    let at = entries[from]?.entry.found.start ?? window.size;
    if (withPseudo && this.#pseudo !== undefined) {
      at = this.#pseudo.start;
      pieces.push(pseudoMessage(this.#base, hostname(), Date.now()));
    }
    for (const [i, { entry, state }] of entries.entries()) {
      if (i < from) continue;
      pieces.push(...this.#pieces(window, entry, state, i === 0 && this.#pseudo === undefined));
    }
    await this.#journal.rewrite(file.fd, at, pieces);
  }

  /** A message with its metadata anew; Content-Length only where the body needs it. */
  #pieces(window: FileWindow, { found, message }: Entry, state: State, isFirst: boolean): Piece[] {
    const octets = Buffer.from(window.bytes(found.start, found.body - found.start));
    const parts: Buffer[] = [octets.subarray(0, found.header - found.start)];
    const header = octets.subarray(found.header - found.start);
    const text = header.toString("latin1");
    const blank = /(?:^|\n)(\r?\n)$/.exec(text)?.[1]?.length ?? 0;
    let from = 0;
    for (const field of found.fields) {
      if (field.name === "content-length" && found.counted) continue;
      parts.push(header.subarray(from, field.start));
      from = field.end;
    }
    parts.push(header.subarray(from, header.length - blank));
    if (header.length - blank > 0 && header[header.length - blank - 1] !== 0x0a) parts.push(Buffer.from("\n"));
    parts.push(Buffer.from(`${isFirst ? formatBase("X-IMAPbase", this.#base) : ""}${formatMetadata(message.uid, state)}\n`, "latin1"));
    const endsInLine = found.end === found.body || window.bytes(found.end - 1, 1)[0] === 0x0a;
    return [Buffer.concat(parts), { from: found.body, to: found.end }, Buffer.from(endsInLine ? "\n" : "\n\n")];
  }

  /** After a write of our own: of `touched` messages the header, or everything when messages moved. */
  async #reread(file: LockedFile, touched: ReadonlySet<Found> | undefined): Promise<void> {
    const window = new FileWindow(file.fd, Number(file.stats().size), touched === undefined ? undefined : forHeaders);
    let found: Found[];
    if (touched !== undefined) {
      const known = [...(this.#pseudo === undefined ? [] : [this.#pseudo]), ...this.#entries.map((entry) => entry.found)];
      found = known.map((one) => (touched.has(one) ? withHeader(window, one) : one));
    } else found = await parseMbox(window, 0);
    this.#adopt(found, window);
    if (this.#unwritten) throw new StoreFault("corrupt", "mailbox could not be written as it should be");
    this.#noteIdentity(file);
  }

  claimRecent(peek: boolean): Promise<readonly Uid[]> {
    return this.#alone(async () => {
      const recent = this.#entries.filter((entry) => !entry.state.old);
      const uids = recent.map((entry) => entry.message.uid);
      if (peek || this.#readOnly || recent.length === 0) return uids;
      return await this.#writing(async (file) => {
        const now = this.#entries.filter((entry) => !entry.state.old);
        if (now.length > 0) await this.#write(file, new Map(now.map((entry) => [entry, { ...entry.state, old: true }])));
        return now.map((entry) => entry.message.uid);
      });
    });
  }

  setFlags(uids: readonly Uid[], change: FlagChange): Promise<readonly Message[]> {
    const { uidValidity } = this;
    return this.#alone(() =>
      this.#writing(async (file) => {
        if (this.#uidValidity !== uidValidity) return [];
        const own: FlagChange = { how: change.how, flags: this.#storable(change.flags, change.how !== "remove") };
        const wanted = new Map<Entry, State>();
        for (const entry of this.#chosen(uids)) {
          const flags = changeFlags(entry.state.flags, own);
          if (!sameFlags(flags, entry.state.flags)) wanted.set(entry, { ...entry.state, flags });
        }
        if (wanted.size === 0) return [];
        await this.#write(file, wanted);
        this.#tell();
        const changed = new Set([...wanted.keys()].map((entry) => entry.message.uid));
        return this.#messages.filter((message) => changed.has(message.uid));
      }),
    );
  }

  /** In this mailbox's spelling; what can not be stored is left out. Throws StoreFault "limit" for a keyword too many. */
  #storable(flags: Flags, make: boolean): Flags {
    const own = new Set<string>();
    for (const flag of flags) {
      const system = systemFlag(flag);
      if (system !== undefined) own.add(system);
      else if (!flag.startsWith("\\") && flag !== "") {
        if (/[^\x21-\x7e]/.test(flag)) throw new StoreFault("limit", "keyword can not be stored");
        const known = this.#keywords.get(flag.toLowerCase());
        if (known === undefined && this.#keywords.size >= keywordLimit && make) throw new StoreFault("limit", `a mailbox can hold ${keywordLimit} keywords`);
        if (known !== undefined || make) own.add(this.#spell(flag));
      }
    }
    return own;
  }

  #byUid(uid: Uid): Entry | undefined {
    let low = 0;
    let high = this.#entries.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle];
      if (entry === undefined || entry.message.uid === uid) return entry;
      if (entry.message.uid < uid) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  #chosen(uids: readonly Uid[]): Entry[] {
    const chosen = new Set<number>(uids);
    return this.#entries.filter((entry) => chosen.has(entry.message.uid));
  }

  read(uid: Uid): Promise<Buffer | undefined> {
    const { uidValidity } = this;
    return this.#alone(async () => {
      for (let tries = 0; tries < 5; tries++) {
        if (this.#uidValidity !== uidValidity) return undefined;
        const result = await withMbox(this.#place.path, "read", this.#policy.lock, async (file) => {
          if (!this.#isKnown(file)) return "changed" as const;
          const entry = this.#byUid(uid);
          return entry === undefined ? "gone" : visible(new FileWindow(file.fd, Number(file.stats().size), 0), entry.found);
        });
        if (Buffer.isBuffer(result)) return toCrlf(result);
        if (result === "gone") return undefined;
        await this.#reload();
        if (result === undefined) return undefined;
      }
      throw new StoreFault("in-use", "mailbox changes all the time");
    });
  }

  append(messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    if (messages.length === 0) return Promise.resolve([]);
    return this.#alone(() =>
      this.#writing(async (file) => {
        const first = this.#lastUid + 1;
        const states = messages.map((message): State => ({ flags: this.#storable(message.flags, true), old: false }));
        this.#lastUid += messages.length;
        const isEmpty = this.#entries.length === 0 && this.#pseudo === undefined;
        // The base goes first: a UID above it would not be believed.
        if (!isEmpty) await this.#write(file, new Map());
        const texts = messages.map((message, i) => mboxText(message, first + i, states[i] ?? nobody, isEmpty && i === 0 ? this.#base : undefined, Date.now()));
        await this.#add(file, texts);
        await this.#read(file, true);
        this.#tell();
        return messages.map((_, i) => (first + i) as Uid);
      }),
    );
  }

  /** Appends texts; refuses what would make the file too large. */
  async #add(file: LockedFile, texts: readonly Buffer[]): Promise<void> {
    file.stillOurs();
    const size = Number(file.stats().size);
    const tail = new FileWindow(file.fd, size).bytes(Math.max(0, size - 2), 2).toString("latin1");
    const gap = size === 0 || tail === "\n\n" ? "" : tail.endsWith("\n") ? "\n" : "\n\n";
    const octets = Buffer.concat([Buffer.from(gap), ...texts]);
    const { sizeLimit } = this.#policy;
    if (sizeLimit > 0 && size + octets.length > sizeLimit) throw new StoreFault("too-large", `mailbox would be larger than ${sizeLimit} octets`);
    await this.#journal.append(file.fd, octets);
  }

  /**
   * Delivers without reading the file: X-UID is left blank, for the next look to fill in. Deliveries that wait together are
   * appended under one lock with one fsync.
   */
  deliver(message: NewMessage): Promise<void> {
    return new Promise((done, failed) => {
      this.#inbound.push({ message, done, failed });
      if (this.#inbound.length > 1) return;
      void this.#serial.run(() => this.#drain()).catch(failed);
    });
  }

  async #drain(): Promise<void> {
    const batch = this.#inbound;
    this.#inbound = [];
    try {
      await faulting(() => this.#deliverAll(batch));
    } catch (error) {
      if (batch.length === 1) batch[0]?.failed(error);
      else {
        // One may be to blame: each by itself.
        for (const one of batch) await faulting(() => this.#deliverAll([one])).then(one.done, one.failed);
      }
      return;
    }
    for (const one of batch) one.done();
    this.#watching?.soon();
  }

  async #deliverAll(batch: readonly Delivery[]): Promise<void> {
    for (let tries = 0; ; tries++) {
      const done = await withMbox(this.#place.path, "write", this.#policy.lock, async (file) => {
        if (this.#journal.pending) await this.#journal.recover(file.fd);
        const isEmpty = file.stats().size === 0n;
        if (isEmpty) this.#settleBase(undefined);
        let uid = isEmpty ? this.#lastUid : 0;
        const base = isEmpty ? { ...this.#base, lastUid: this.#lastUid + batch.length } : undefined;
        const texts = batch.map(({ message }, i) => mboxText(message, isEmpty ? ++uid : 0, { flags: new Set(message.flags), old: false }, i === 0 ? base : undefined, Date.now()));
        await this.#add(file, texts);
        return true;
      });
      if (done !== undefined) return;
      if (tries > 2) throw new StoreFault("nonexistent", "no such mailbox");
      createMbox(this.#place.path);
    }
  }

  copy(uids: readonly Uid[], target: Mailbox): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] }> {
    return faulting(async () => {
      const from: Uid[] = [];
      const messages: NewMessage[] = [];
      for (const { message } of this.#chosen(uids)) {
        const octets = await this.read(message.uid);
        if (octets === undefined) continue;
        from.push(message.uid);
        messages.push({ octets, flags: message.flags, internalDate: message.internalDate });
        await breathe();
      }
      return { from, to: messages.length === 0 ? [] : await target.append(messages) };
    });
  }

  expunge(uids: readonly Uid[]): Promise<readonly Uid[]> {
    const { uidValidity } = this;
    return this.#alone(() =>
      this.#writing(async (file) => {
        // Another file is in its place: the caller's UIDs mean other messages.
        if (this.#uidValidity !== uidValidity) return [];
        const going = new Set(this.#chosen(uids));
        const index = this.#entries.findIndex((entry) => going.has(entry));
        if (index < 0) return [];
        file.stillOurs();
        const window = new FileWindow(file.fd, Number(file.stats().size));
        const kept = this.#entries.filter((entry) => !going.has(entry));
        const pieces: Piece[] = [];
        for (const entry of this.#entries.slice(index)) {
          if (going.has(entry)) continue;
          if (entry === kept[0] && this.#pseudo === undefined) pieces.push(...this.#pieces(window, entry, entry.state, true));
          else pieces.push({ from: entry.found.start, to: entry.found.next });
        }
        if (kept.length === 0 && this.#pseudo === undefined) pieces.push(pseudoMessage(this.#base, hostname(), Date.now()));
        await this.#journal.rewrite(file.fd, this.#entries[index]?.found.start ?? 0, pieces);
        await this.#read(file);
        this.#tell();
        return [...going].map((entry) => entry.message.uid);
      }),
    );
  }

  /** Moves every message into another mailbox (RFC 3501 §6.3.5, renaming INBOX). Killed in between, they are in both. */
  async moveAll(target: MboxMailbox): Promise<void> {
    await this.refresh();
    const uids = this.#messages.map((message) => message.uid);
    await this.copy(uids, target);
    await this.expunge(uids);
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
    return watchPaths([this.#place.path], () => true, async () => void (await this.refresh()));
  }

  #stopWatch(): void {
    this.#watching?.stop();
    this.#watching = undefined;
  }

  relocated(path: string, name: string): void {
    this.#place.path = path;
    this.#place.name = name;
    this.#journal = new Journal(new Side(this.#place.side, name));
    if (this.#watching === undefined) return;
    this.#stopWatch();
    this.#watching = this.#startWatch();
  }

  close(): void {
    this.#stopWatch();
  }
}

/** True when every message begins where it did, with the same header. */
function isIntact(window: FileWindow, known: readonly Found[]): boolean {
  return known.every(({ start, body, crc }) => crc32(window.bytes(start, body - start)) === crc);
}

/** The same message after its header was changed in place. */
function withHeader(window: FileWindow, found: Found): Found {
  const octets = window.bytes(found.start, found.body - found.start);
  return { ...found, fields: metadataFields(octets.toString("latin1", found.header - found.start)), crc: crc32(octets) };
}

/** The message without its metadata. */
function visible(window: FileWindow, found: Found): Buffer {
  const octets = window.bytes(found.header, found.end - found.header);
  const parts: Buffer[] = [];
  let from = 0;
  for (const field of found.fields) {
    parts.push(octets.subarray(from, field.start));
    from = field.end;
  }
  parts.push(octets.subarray(from));
  return Buffer.concat(parts);
}
