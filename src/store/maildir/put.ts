/**
 * Putting messages into a folder: appended, or copied from another. Each method runs alone in the mailbox; sessions are told by it afterwards.
 */
import { linkSync } from "node:fs";
import { syncDirectory } from "../durable.ts";
import { errno } from "../faults.ts";
import type { Flags, NewMessage, Uid } from "../mailbox.ts";
import { forget, newBase, placeFor, show, type Prepared } from "./deliver.ts";
import { sizeIn } from "./filename.ts";
import { lettersFor } from "./flag-plan.ts";
import type { Folder } from "./folder.ts";
import { changing } from "./own-changes.ts";
import type { Quota } from "./quota.ts";
import { inCur, inNew, type NewFiles, type Place } from "./row.ts";
import { octetPath } from "./scan.ts";
import type { Sync } from "./sync.ts";
import { takeOver } from "./take-over.ts";

/** `from[i]` became `to[i]`. */
export interface Copied {
  readonly from: readonly Uid[];
  readonly to: readonly Uid[];
}

/** Flags as letters of a name and keywords that have no letter. */
export type Written = Awaited<ReturnType<typeof lettersFor>>;
const unflagged: Written = { letters: "", others: [] };

/** A file just put into the folder. */
export interface NewFile {
  readonly place: Place;
  readonly suffix: string;
  readonly base: Buffer;
}

export class Put {
  readonly #folder: Folder;
  readonly #sync: Sync;
  readonly #quota: Quota;

  constructor(folder: Folder, sync: Sync, quota: Quota) {
    this.#folder = folder;
    this.#sync = sync;
    this.#quota = quota;
  }

  /** Makes files in tmp/ messages, all or none. The caller removes what is left in tmp/ when it throws. */
  async append(prepared: readonly Prepared[], messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    const octets = prepared.reduce((sum, { base }) => sum + (sizeIn(Buffer.from(base), "S") ?? 0), 0);
    if (!messages.every(({ exempt }) => exempt === true)) this.#quota.require(octets, messages.length);
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
    this.#quota.changed(octets, messages.length);
    return uids;
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
    let named: Promise<unknown> = Promise.resolve();
    const directory = (place: Place): string => `${folder.place.path}/${place === inNew ? "new" : "cur"}`;
    try {
      await folder.uidlist.locked(async () => {
        folder.keywords.look();
        this.#sync.look();
        if (folder.pending) this.#sync.admitListed();
        const entries = items.map((item, i) => ({ item, i }));
        await changing(folder, entries, ({ item, i }, made) => {
          const file = put(item, i);
          if (file === undefined) return;
          files.push(file);
          others.push(keywordsOf(i));
          if (file.place === inNew) made.new++;
          else made.cur++;
        });
        const lines = files.flatMap(({ base }, i) => (others[i].length === 0 ? [] : [{ base: base.toString("latin1"), keywords: others[i].join(" ") }]));
        if (lines.length > 0) await folder.others.keep(lines);
        // Both fsyncs at once: the file system writes them together.
        named = Promise.all([...new Set(files.map(({ place }) => directory(place)))].map(syncDirectory));
        named.catch(() => undefined);
        first = await this.#sync.list(listedFiles(this.#folder, files));
      });
      // Commit point: names, and with the uidlist (fsynced by now) their UIDs.
      await named;
    } catch (error) {
      if (first > 0) folder.takeBack(first);
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
    return uids;
  }

  /**
   * Messages never change, so a copy is a second name of the same file: octets and mtime (INTERNALDATE) come along, and were
   * durable before. Undefined when the kernel allows no hard links here.
   */
  async link(source: Folder, uids: readonly Uid[], moving: boolean): Promise<Copied | undefined> {
    const folder = this.#folder;
    const from: Uid[] = [];
    const chosen = uids.filter((uid) => source.rowOf(uid) >= 0);
    const quota = this.#quota;
    if (!moving) quota.require(chosen.reduce((sum, uid) => sum + (source.files.storedSize(uid) ?? 0), 0), chosen.length);
    const wanted = await this.#flagsHere(source, chosen);
    const dates: number[] = [];
    let octets = 0;
    try {
      const to = await this.#enlist(
        chosen,
        (uid) => {
          const { letters } = wanted.get(uid) ?? unflagged;
          const size = source.files.sizeOf(uid);
          const stored = source.files.storedSize(uid);
          if (stored === undefined) return undefined;
          const base = newBase(stored, size);
          const { directory, file, suffix } = placeFor(base, letters);
          if (source.files.withFile(uid, (path) => (linkSync(path, `${folder.place.path}/${directory}/${file}`), true)) === undefined) return undefined;
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
  }

  /** All messages of another folder become this one's. */
  async takeOver(source: Folder): Promise<void> {
    const { table } = source;
    const rows = Array.from({ length: table.length }, (_, row) => row).filter((row) => source.visible(row) >= 0);
    await takeOver(this.#folder, this.#sync, source, await this.#flagsHere(source, rows.map((row) => table.at.uid[row] as Uid)));
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
}

/** As the uidlist is told of them. */
export function listedFiles(folder: Folder, files: readonly NewFile[]): NewFiles {
  const octets = Buffer.concat(files.map(({ base }) => base));
  let end = 0;
  const to = Uint32Array.from(files, ({ base }) => (end += base.length));
  const from = Uint32Array.from(files, ({ base }, i) => to[i] - base.length);
  return { length: files.length, octets, from, to, place: Uint32Array.from(files, ({ place }) => place), set: Uint32Array.from(files, ({ suffix }) => folder.table.numberOf(suffix)) };
}
