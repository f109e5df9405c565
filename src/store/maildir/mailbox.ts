/**
 * One Maildir folder. Truth is on disk; this object only remembers what it read:
 *
 * - `cur/` and `new/` say which messages there are and their flags (scan.ts: how a scan can be trusted);
 * - `dovecot-uidlist` says which UID a base name has (uidlist-file.ts); a file without a line gets the next UID under its lock;
 * - `dovecot-keywords` says what the letters a-z mean.
 *
 * Legal states after a kill at any moment, and what the next refresh makes of them: a file in tmp/ (nothing, later swept); a file
 * without a UID (gets one); a line without a file (passed over; dropped when the list is written anew); a message of a
 * half-done COPY (stays, it is whole); a message of a half-done expunge (stays until asked again). A file whose base name has a UID
 * that was known to be expunged is a new message with a new UID, since UIDs must ascend.
 *
 * Every method that changes something runs alone (Serial), so a scan never meets a rename of our own.
 */
import { accessSync, constants, renameSync, unlinkSync } from "node:fs";
import { syncDirectory } from "../durable.ts";
import { errno, faulting, storeFault } from "../faults.ts";
import { sameFlags } from "../flags.ts";
import { Hearers, noChanges } from "../hearers.ts";
import type { Changes, FlagChange, Flags, Mailbox, Message, ModSeq, NewMessage, Uid } from "../mailbox.ts";
import { Serial, batchSize, breathe, inBatches } from "../serial.ts";
import { watchPaths, type Watching } from "../watch.ts";
import { forget, newBase, placeFor, prepare, show, sweep, type Prepared } from "./deliver.ts";
import { byDelivery, fileName, parseFileName, sizeIn, sortLetters } from "./filename.ts";
import { KeywordFile } from "./keywords.ts";
import { MessageFile, fileOf } from "./message-file.ts";
import { octetPath, sameTimes, scan, timesOf, type Found, type Scan, type Times } from "./scan.ts";
import { UidlistFile, newGuid, type UidlistNews } from "./uidlist-file.ts";
import { fieldText, type UidlistHeader, type UidlistLine } from "./uidlist.ts";

export interface MaildirPlace {
  /** The folder's directory; a rename of the folder changes it. */
  path: string;
  name: string;
}

/** Fsyncs of one APPEND under way at once. */
const overlapping = 32;

/** How long a look at the times of directories whose last change was our own may be believed, ms. */
const ownChangeTrust = 2_000;

export class MaildirMailbox implements Mailbox {
  readonly #place: MaildirPlace;
  readonly #nextUidValidity: () => number;
  readonly #serial = new Serial();
  readonly #hearers = new Hearers();
  readonly #keywords: KeywordFile;
  readonly #uidlist: UidlistFile;
  #watching: Watching | undefined;

  #header: UidlistHeader | undefined;
  #nextUid = 1;
  /** Highest UID any session may have seen: a lower one must not appear any more. */
  #highest = 0;
  readonly #files = new Map<string, MessageFile>();
  #messages: readonly Message[] = [];
  /** Lines of the uidlist without a message. */
  #unseen = new Map<string, UidlistLine>();
  /** The uidlist on disk says less than we know: write all of it. */
  #rewrite = false;
  /** Recent although in cur/: appended or flagged by us before any session claimed them. */
  readonly #recent = new Set<Uid>();
  /** The last scan, while nothing happened since. */
  #clean: { times: Times; settled: boolean; own: boolean; at: number } | undefined;
  #readOnly = false;

  /** Known but not told yet. */
  #expunged: Uid[] = [];
  #arrived: MessageFile[] = [];
  readonly #flagged = new Set<MessageFile>();
  /** The state of `dovecot-keywords` the flags of `#messages` were made with. */
  #labelled = 0;

  constructor(place: MaildirPlace, nextUidValidity: () => number) {
    this.#place = place;
    this.#nextUidValidity = nextUidValidity;
    this.#keywords = new KeywordFile(place);
    this.#uidlist = new UidlistFile(place);
  }

  get name(): string {
    return this.#place.name;
  }

  get place(): MaildirPlace {
    return this.#place;
  }

  get id(): string {
    return this.#header?.guid ?? "";
  }

  get uidValidity(): number {
    return this.#header?.uidValidity ?? 0;
  }

  get highestModSeq(): ModSeq {
    return 1 as ModSeq;
  }

  get uidNext(): Uid {
    return this.#nextUid as Uid;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  get keywords(): readonly string[] {
    return this.#keywords.names;
  }

  get canCreateKeywords(): boolean {
    return !this.#readOnly && !this.#keywords.full;
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** First look. Throws StoreFault "nonexistent" when there is no such folder. */
  async open(now: number): Promise<void> {
    await faulting(async () => {
      try {
        accessSync(`${this.#place.path}/cur`, constants.W_OK);
      } catch (error) {
        if (errno(error) !== "EACCES" && errno(error) !== "EROFS") throw error;
        this.#readOnly = true;
      }
      if (!this.#readOnly) sweep(this.#place.path, now);
      await this.refresh();
    });
  }

  refresh(): Promise<Changes> {
    return this.#alone(() => this.#sync());
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#serial.run(() => faulting(work));
  }

  // ------------------------------------------------------------ from disk to memory

  async #sync(): Promise<Changes> {
    this.#keywords.look();
    const news = this.#uidlist.look();
    this.#take(news);
    if (news.kind !== "same" || this.#rewrite || !this.#isClean()) await this.#rescan();
    return this.#tell();
  }

  /** True when the directories are as the last scan found them. */
  #isClean(): boolean {
    const clean = this.#clean;
    if (clean === undefined || !sameTimes(clean.times, timesOf(this.#place.path))) return false;
    return clean.settled || (clean.own && performance.now() - clean.at < ownChangeTrust);
  }

  /**
   * Runs path operations of our own. When the folder was clean before, the times after them are as good as a scan, except that
   * another program's change in the same instant would hide behind ours; so they count for `ownChangeTrust` only.
   */
  async #changing(work: () => Promise<void>): Promise<void> {
    const wasClean = this.#isClean();
    try {
      await work();
    } finally {
      const clean = this.#clean;
      if (wasClean && clean !== undefined) this.#clean = { times: timesOf(this.#place.path), settled: false, own: true, at: clean.settled ? performance.now() : clean.at };
    }
  }

  /** Takes over what the uidlist says now. */
  #take(news: UidlistNews): void {
    switch (news.kind) {
      case "same":
        return;
      case "missing":
        // Somebody removed it: what we know is written back.
        this.#rewrite = true;
        return;
      case "corrupt":
        this.#forgetAll();
        this.#header = undefined;
        this.#rewrite = true;
        return;
      case "appended":
        for (const line of news.lines) this.#takeLine(line);
        return;
      case "replaced":
        this.#takeList(news.header, news.lines);
    }
  }

  #takeList(header: UidlistHeader, lines: readonly UidlistLine[]): void {
    if (this.#header !== undefined && this.#header.uidValidity !== header.uidValidity) this.#forgetAll();
    this.#header = header;
    this.#rewrite = header.guid === "";
    this.#nextUid = Math.max(this.#nextUid, header.nextUid);
    this.#unseen = new Map();
    const listed = new Set<MessageFile>();
    for (const line of lines) {
      const file = this.#takeLine(line);
      if (file !== undefined) listed.add(file);
    }
    for (const file of this.#files.values()) if (!listed.has(file)) this.#drop(file);
  }

  /** The message the line belongs to, when it is known under this UID. */
  #takeLine(line: UidlistLine): MessageFile | undefined {
    this.#nextUid = Math.max(this.#nextUid, line.uid + 1);
    const file = this.#files.get(line.base);
    if (file?.uid === line.uid) return file;
    // Another program gave another UID: for clients that is another message.
    if (file !== undefined) this.#drop(file);
    this.#unseen.set(line.base, line);
    return undefined;
  }

  #drop(file: MessageFile): void {
    this.#files.delete(file.base);
    this.#unseen.set(file.base, lineOf(file));
    this.#flagged.delete(file);
    this.#recent.delete(file.uid);
    const fresh = this.#arrived.indexOf(file);
    if (fresh >= 0) this.#arrived.splice(fresh, 1);
    else this.#expunged.push(file.uid);
    this.#clean = undefined;
  }

  #forgetAll(): void {
    for (const file of this.#files.values()) this.#drop(file);
    this.#unseen = new Map();
    this.#nextUid = 1;
    this.#highest = 0;
  }

  async #rescan(): Promise<void> {
    let seen = scan(this.#place.path);
    let missing = this.#merge(seen);
    for (let tries = 0; missing.length > 0 && !seen.quiet && tries < 4; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      seen = scan(this.#place.path);
      missing = this.#merge(seen);
    }
    if (seen.quiet) for (const file of missing) this.#drop(file);
    const complete = await this.#identify(seen);
    this.#clean = !complete || (missing.length > 0 && !seen.quiet) ? undefined : { times: seen.times, settled: seen.settled, own: false, at: performance.now() };
  }

  /** Takes over names and flags of known messages. Returns those the scan did not meet. */
  #merge(seen: Scan): MessageFile[] {
    const missing = [];
    for (const file of this.#files.values()) {
      const found = seen.found.get(file.base);
      if (found === undefined) missing.push(file);
      else {
        if (found.letters !== file.letters) this.#flagged.add(file);
        file.moved(found);
      }
    }
    return missing;
  }

  /** Gives every file that has none a MessageFile, and a UID where the uidlist has none. False when some could not get one. */
  async #identify(seen: Scan): Promise<boolean> {
    let complete = true;
    if (this.#header === undefined || this.#rewrite || this.#unlisted(seen).length > 0) {
      try {
        await this.#uidlist.locked(async () => {
          this.#take(this.#uidlist.look());
          // A message another program listed since our scan must come before the UIDs we give now.
          const now = scan(this.#place.path);
          this.#merge(now);
          await this.#addLines(this.#unlisted(now).sort(byDelivery), now);
          this.#admitListed(now);
        });
      } catch (error) {
        // On a full disk, or where we may not write, what has a UID can still be read, and expunged.
        const { kind } = storeFault(error);
        if (this.#header === undefined || (kind !== "no-space" && kind !== "permission")) throw error;
        complete = false;
      }
    }
    this.#admitListed(seen);
    return complete;
  }

  /** Base names of files that need a UID. */
  #unlisted(seen: Scan): string[] {
    return [...seen.found.keys()].filter((base) => !this.#files.has(base) && (this.#unseen.get(base)?.uid ?? 0) <= this.#highest);
  }

  /** Files that have their UID by now become messages. */
  #admitListed(seen: Scan): void {
    const highest = this.#highest;
    const arrived: MessageFile[] = [];
    for (const [base, found] of seen.found) {
      const line = this.#unseen.get(base);
      if (line !== undefined && line.uid > highest && !this.#files.has(base)) arrived.push(this.#admit(line, found));
    }
    for (const file of arrived.sort((a, b) => a.uid - b.uid)) this.#arrived.push(file);
    // The other lines have no file, and never will.
    if (seen.quiet) this.#highest = Math.max(this.#highest, this.#nextUid - 1);
  }

  #admit(line: UidlistLine, found: Found): MessageFile {
    const file = new MessageFile(this.#place, line.uid as Uid, line.base, line.fields, found, this.#keywords.flagsOf(found.letters));
    this.#files.set(line.base, file);
    this.#unseen.delete(line.base);
    this.#highest = Math.max(this.#highest, line.uid);
    return file;
  }

  /** Only under the uidlist lock. */
  async #addLines(bases: readonly string[], seen: Scan | undefined): Promise<readonly UidlistLine[]> {
    let uid = this.#nextUid;
    const lines = bases.map((base) => ({ uid: uid++, fields: "", base }));
    const returned = bases.some((base) => this.#unseen.has(base));
    const overgrown = seen?.quiet === true && this.#unseen.size > 256 && this.#unseen.size > this.#files.size;
    if (lines.length === 0 && !this.#rewrite && this.#header !== undefined) return lines;
    if (this.#header === undefined || this.#rewrite || returned || overgrown || !this.#uidlist.appendable) {
      const header = { ...(this.#header ?? { uidValidity: this.#nextUidValidity(), guid: newGuid(), others: "" }), nextUid: uid };
      if (header.guid === "") header.guid = newGuid();
      const again = new Set(bases);
      const kept = [...this.#unseen.values()].filter((line) => !again.has(line.base) && (seen === undefined || !seen.quiet || seen.found.has(line.base)));
      const known = [...this.#files.values()].map(lineOf);
      await this.#uidlist.replace(header, [...known, ...kept, ...lines].sort((a, b) => a.uid - b.uid));
      this.#unseen = new Map(kept.map((line) => [line.base, line]));
      this.#header = header;
      this.#rewrite = false;
    } else await this.#uidlist.append(lines);
    this.#nextUid = uid;
    for (const line of lines) this.#unseen.set(line.base, line);
    return lines;
  }

  /** Brings `messages` up to date and tells everybody what happened since the last time. */
  #tell(): Changes {
    if (this.#labelled !== this.#keywords.version) for (const file of this.#files.values()) this.#flagged.add(file);
    this.#labelled = this.#keywords.version;
    if (this.#expunged.length === 0 && this.#arrived.length === 0 && this.#flagged.size === 0) return noChanges;
    const fresh = new Set(this.#arrived);
    const flagged: MessageFile[] = [];
    for (const file of this.#flagged) {
      const flags = this.#keywords.flagsOf(file.letters);
      if (flags === file.message.flags) continue;
      const same = sameFlags(file.message.flags, flags);
      file.relabel(flags);
      if (!same && !fresh.has(file)) flagged.push(file);
    }
    const gone = new Set(this.#expunged);
    let messages = this.#messages;
    if (gone.size > 0) messages = messages.filter((message) => !gone.has(message.uid));
    if (this.#arrived.length > 0 || this.#flagged.size > 0) {
      const next = messages.slice();
      for (const file of this.#flagged) if (!fresh.has(file)) next[indexOf(next, file.uid)] = file.message;
      for (const file of this.#arrived) next.push(file.message);
      messages = next;
    }
    const changes: Changes = {
      arrived: this.#arrived.map((file) => file.message),
      expunged: this.#expunged.sort((a, b) => a - b),
      flagged: flagged.map((file) => file.message).sort((a, b) => a.uid - b.uid),
    };
    this.#messages = messages;
    this.#expunged = [];
    this.#arrived = [];
    this.#flagged.clear();
    this.#hearers.tell(changes);
    return changes;
  }

  // ------------------------------------------------------------ from memory to disk

  claimRecent(peek: boolean): Promise<readonly Uid[]> {
    return this.#alone(async () => {
      const recent = [...this.#files.values()].filter((file) => file.directory === "new" || this.#recent.has(file.uid));
      if (!peek && !this.#readOnly) {
        await this.#changing(() => inBatches(recent, (file) => void this.#rename(file, (letters) => letters, true)));
        this.#recent.clear();
      }
      return recent.map((file) => file.uid).sort((a, b) => a - b);
    });
  }

  /**
   * Renames a message's file into cur/ with other letters; follows it when another program renamed it. False when the file is gone.
   *
   * @param change from the letters on disk to the new ones
   * @param claim  also move it out of new/ when the letters stay
   */
  #rename(file: MessageFile, change: (letters: string) => string, claim: boolean): boolean {
    for (let tries = 0; tries < 8; tries++) {
      const now = parseFileName(file.file).letters;
      const letters = change(now);
      if (file.letters !== letters && now === letters) this.#flagged.add(file);
      if (now === letters && (file.directory === "cur" || !claim)) {
        file.letters = letters;
        return true;
      }
      const to = fileName(file.base, letters);
      try {
        renameSync(file.path, octetPath(`${this.#place.path}/cur`, to));
        file.moved({ file: to, directory: "cur", letters });
        return true;
      } catch (error) {
        if (errno(error) !== "ENOENT" || !this.#follow(file)) {
          if (errno(error) !== "ENOENT") throw error;
          return false;
        }
      }
    }
    return false;
  }

  /** A name was out of date: all are looked up again, since one foreign rename seldom comes alone. False when this file is not met. */
  #follow(file: MessageFile): boolean {
    this.#clean = undefined;
    const { found } = scan(this.#place.path);
    for (const other of this.#files.values()) {
      const now = found.get(other.base);
      if (now === undefined) continue;
      if (now.letters !== other.letters) this.#flagged.add(other);
      other.moved(now);
    }
    return found.has(file.base);
  }

  async read(uid: Uid): Promise<Buffer | undefined> {
    try {
      const read = this.#byUid(uid)?.read();
      return read instanceof Promise ? await read : read;
    } catch (error) {
      throw storeFault(error);
    }
  }

  readHead(uid: Uid): Buffer | undefined {
    try {
      return this.#byUid(uid)?.readHead();
    } catch (error) {
      throw storeFault(error);
    }
  }

  names(uid: Uid): { readonly file: string; readonly guid: string | undefined; readonly uidl: string | undefined } | undefined {
    const file = this.#byUid(uid);
    return file === undefined ? undefined : { file: file.base, guid: fieldText(file.fields, "G"), uidl: fieldText(file.fields, "P") };
  }

  expungedSince(): readonly Uid[] | undefined {
    return undefined;
  }

  facts(): Buffer | undefined {
    return undefined;
  }

  keepFacts(): void {}

  #byUid(uid: Uid): MessageFile | undefined {
    const message = this.#messages[indexOf(this.#messages, uid)];
    return message === undefined ? undefined : fileOf(message);
  }

  #chosen(uids: readonly Uid[]): MessageFile[] {
    const chosen: MessageFile[] = [];
    for (const uid of uids) {
      const file = this.#byUid(uid);
      if (file !== undefined && this.#files.get(file.base) === file) chosen.push(file);
    }
    return chosen;
  }

  setFlags(uids: readonly Uid[], change: FlagChange): Promise<readonly Message[]> {
    const { uidValidity } = this;
    return this.#alone(async () => {
      if (this.uidValidity !== uidValidity) return [];
      const letters = await this.#keywords.lettersOf(change.flags, change.how === "remove" ? "none" : "all");
      const changed: MessageFile[] = [];
      // Thousands of messages have the same few letters.
      const known = new Map<string, string>();
      const changeOf = (now: string): string => {
        let next = known.get(now);
        if (next === undefined) known.set(now, (next = this.#change(now, letters, change.how)));
        return next;
      };
      await this.#changing(() =>
        inBatches(this.#chosen(uids), (file) => {
          const before = file.letters;
          const isNew = file.directory === "new";
          if (this.#rename(file, changeOf, false) && file.letters !== before) {
            this.#flagged.add(file);
            changed.push(file);
          }
          if (isNew && file.directory === "cur") this.#recent.add(file.uid);
        }),
      );
      // Commit point: the renames are durable with this fsync.
      if (changed.length > 0) await syncDirectory(`${this.#place.path}/cur`);
      this.#tell();
      return changed.map((file) => file.message).sort((a, b) => a.uid - b.uid);
    });
  }

  #change(now: string, letters: ReadonlySet<string>, how: FlagChange["how"]): string {
    switch (how) {
      case "add":
        return sortLetters([...now, ...letters]);
      case "remove":
        return sortLetters([...now].filter((letter) => !letters.has(letter)));
      case "replace":
        return sortLetters([...letters, ...[...now].filter((letter) => !this.#keywords.means(letter))]);
    }
  }

  append(messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    return faulting(async () => {
      const prepared = await prepareAll(this.#place.path, messages);
      return this.#alone(async () => {
        try {
          const letters: string[] = [];
          for (const one of messages) letters.push(await this.#lettersFor(one.flags));
          return await this.#enlist(async (shown) => {
            await this.#changing(async () => {
              for (const [i, one] of prepared.entries()) {
                const own = letters[i] ?? "";
                shown.push({ base: one.base, letters: own, ...show(this.#place.path, one, own) });
              }
            });
          });
        } catch (error) {
          for (const one of prepared) forget(one.temporary);
          throw error;
        }
      });
    });
  }

  async #lettersFor(flags: Flags): Promise<string> {
    return sortLetters(await this.#keywords.lettersOf(flags, "some"));
  }

  /**
   * Puts files into the folder and gives them their UIDs, all or none. Both under the uidlist lock: else another program might
   * see a file and give it a UID before we do. Durable when it resolves.
   *
   * @param put puts files into cur/ or new/ and says which, as far as it came
   */
  async #enlist(put: (shown: Shown[]) => Promise<void>): Promise<readonly Uid[]> {
    const shown: Shown[] = [];
    let lines: readonly UidlistLine[] = [];
    try {
      await this.#uidlist.locked(async () => {
        this.#keywords.look();
        this.#take(this.#uidlist.look());
        if ([...this.#unseen.values()].some((line) => line.uid > this.#highest)) {
          const now = scan(this.#place.path);
          this.#merge(now);
          this.#admitListed(now);
        }
        await put(shown);
        lines = await this.#addLines(
          shown.map((one) => one.base),
          undefined,
        );
      });
      // Commit point: names, and with the uidlist (fsynced by now) their UIDs.
      await Promise.all([...new Set(shown.map((one) => one.directory))].map((directory) => syncDirectory(`${this.#place.path}/${directory}`)));
    } catch (error) {
      for (const one of shown) forget(octetPath(`${this.#place.path}/${one.directory}`, one.file));
      throw error;
    }
    lines.forEach((line, i) => {
      const one = shown[i];
      if (one === undefined) return;
      const file = this.#admit(line, one);
      this.#arrived.push(file);
      if (one.directory === "cur") this.#recent.add(file.uid);
    });
    this.#tell();
    return lines.map((line) => line.uid as Uid);
  }

  copy(uids: readonly Uid[], target: Mailbox): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] }> {
    return faulting(async () => {
      const files = this.#chosen(uids);
      if (target instanceof MaildirMailbox) {
        const linked = await target.#linkIn(files);
        if (linked !== undefined) return linked;
      }
      const from: Uid[] = [];
      const messages: NewMessage[] = [];
      for (const file of files) {
        const octets = await file.read();
        if (octets === undefined) continue;
        from.push(file.uid);
        messages.push({ octets, flags: file.message.flags, internalDate: file.date });
      }
      return { from, to: await target.append(messages) };
    });
  }

  /**
   * Messages never change, so a copy is a second name of the same file: octets and mtime (INTERNALDATE) come along, and were
   * durable before. Undefined when the kernel allows no hard links here.
   */
  #linkIn(files: readonly MessageFile[]): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] } | undefined> {
    return this.#alone(async () => {
      const from: Uid[] = [];
      const letters = new Map<Flags, string>();
      for (const { message } of files) if (!letters.has(message.flags)) letters.set(message.flags, await this.#lettersFor(message.flags));
      try {
        const to = await this.#enlist(async (shown) => {
          this.#clean = undefined;
          for (const [i, file] of files.entries()) {
            if (i > 0 && i % batchSize === 0) await breathe();
            const base = newBase(sizeIn(file.base, "S") ?? file.storedSize, file.size);
            const own = letters.get(file.message.flags) ?? "";
            const place = placeFor(base, own);
            if (!file.link(octetPath(`${this.#place.path}/${place.directory}`, place.file))) continue;
            shown.push({ base, letters: own, ...place });
            from.push(file.uid);
          }
        });
        return { from, to };
      } catch (error) {
        if (["EXDEV", "EMLINK", "EPERM", "ENOTSUP"].includes(errno(error))) return undefined;
        throw error;
      }
    });
  }

  expunge(uids: readonly Uid[]): Promise<readonly Uid[]> {
    const { uidValidity } = this;
    return this.#alone(async () => {
      // Numbered anew since: the caller's UIDs mean other messages.
      if (this.uidValidity !== uidValidity) return [];
      const gone: MessageFile[] = [];
      const directories = new Set<string>();
      await this.#changing(() =>
        inBatches(this.#chosen(uids), (file) => {
          for (let tries = 0; tries < 8; tries++) {
            try {
              unlinkSync(file.path);
              gone.push(file);
              directories.add(`${this.#place.path}/${file.directory}`);
              return;
            } catch (error) {
              if (errno(error) !== "ENOENT") throw error;
              // Gone already: the next refresh says so.
              if (!this.#follow(file)) return;
            }
          }
        }),
      ).finally(() => {
        const clean = this.#clean;
        for (const file of gone) this.#drop(file);
        this.#clean = clean;
      });
      await Promise.all([...directories].map(syncDirectory));
      this.#tell();
      return gone.map((file) => file.uid).sort((a, b) => a - b);
    });
  }

  /** Moves every message into another folder, where each gets a new UID (RFC 3501 §6.3.5, renaming INBOX). */
  moveAll(target: MaildirMailbox): Promise<void> {
    return this.#alone(async () => {
      await this.#sync();
      const moved = [...this.#files.values()].sort((a, b) => a.uid - b.uid);
      for (const file of moved) {
        const letters = await target.#lettersFor(file.message.flags);
        const place = placeFor(file.base, letters);
        renameSync(file.path, octetPath(`${target.#place.path}/${place.directory}`, place.file));
        this.#drop(file);
      }
      await Promise.all(["cur", "new"].flatMap((directory) => [syncDirectory(`${this.#place.path}/${directory}`), syncDirectory(`${target.#place.path}/${directory}`)]));
      this.#tell();
      await target.refresh();
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
    return watchPaths([`${this.#place.path}/new`, `${this.#place.path}/cur`], everything, async () => void (await this.refresh()));
  }

  #stopWatch(): void {
    this.#watching?.stop();
    this.#watching = undefined;
  }

  /** Something was put into the folder by this process. */
  poke(): void {
    this.#watching?.soon();
  }

  /** The folder's directory has another name now. */
  relocated(path: string, name: string): void {
    this.#place.path = path;
    this.#place.name = name;
    if (this.#watching === undefined) return;
    this.#stopWatch();
    this.#watching = this.#startWatch();
  }

  close(): void {
    this.#stopWatch();
  }
}

interface Shown extends Found {
  readonly base: string;
}

const lineOf = (file: MessageFile): UidlistLine => {
  const size = file.countedSize;
  const fields = size === undefined ? file.fields : `${file.fields} W${size}`.trim();
  return { uid: file.uid, fields, base: file.base };
};

/** Place of a UID in an ascending array, -1 when it is not there. */
function indexOf(messages: readonly Message[], uid: number): number {
  let low = 0;
  let high = messages.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = messages[middle]?.uid ?? 0;
    if (at === uid) return middle;
    if (at < uid) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

async function prepareAll(folder: string, messages: readonly NewMessage[]): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  try {
    for (let at = 0; at < messages.length; at += overlapping) {
      const settled = await Promise.allSettled(messages.slice(at, at + overlapping).map((message) => prepare(folder, message)));
      for (const one of settled) if (one.status === "fulfilled") prepared.push(one.value);
      for (const one of settled) if (one.status === "rejected") throw one.reason;
    }
  } catch (error) {
    for (const one of prepared) forget(one.temporary);
    throw error;
  }
  return prepared;
}
