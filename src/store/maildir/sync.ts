/**
 * From disk to memory: what other programs did to a folder, and UIDs for what has none.
 *
 * - `cur/` and `new/` say which messages there are and their flags (scan.ts: how a scan can be trusted);
 * - `dovecot-uidlist` says which UID a base name has (uidlist-file.ts); a file without a line gets the next UID under its lock;
 * - `dovecot-keywords` says what the letters a-z mean, `posthorn-keywords` what there is beyond them.
 *
 * Only what changed is read: a directory whose mtime is as it was is not scanned, of a uidlist that grew only the end is read.
 *
 * Legal states after a kill at any moment, and what the next sync makes of them: a file in tmp/ (nothing, later swept); a file
 * without a UID (gets one); a line without a file (passed over; dropped when the list is written anew); a message of a
 * half-done COPY (stays, it is whole); a message of a half-done expunge (stays until asked again). A file whose base name has a UID
 * that was known to be expunged is a new message with a new UID, since UIDs must ascend.
 */
import { existsSync } from "node:fs";
import { offer } from "../../sys/living.ts";
import { storeFault } from "../faults.ts";
import { StoreFault } from "../mailbox.ts";
import { adoptKeywords, adoptList, markAdopted } from "./adopt.ts";
import { separate } from "./doubles.ts";
import type { Folder } from "./folder.ts";
import { isReadOnly } from "./folders.ts";
import { PreparedRows } from "./new-rows.ts";
import { inOrder } from "./order.ts";
import { fieldsOf, inCur, inNew, nowhere, type NewFiles, type Place } from "./row.ts";
import { visit, type Sighting } from "./scan.ts";
import { newGuid, type UidlistReader } from "./uidlist-file.ts";
import { lastUid, LineWriter, passedOver, withField, type UidlistHeader } from "./uidlist.ts";

/** Between two scans of a folder that is being changed, ms. */
const pause = 25;

export class Sync {
  readonly #folder: Folder;
  readonly #nextUidValidity: () => number;
  /** Counts for `resync`. */
  given = 0;
  renumbered = false;
  /** Files of messages that were not there before had one name. */
  #double = false;
  /** The uidlist is another server's, and not written yet. */
  #adopted = false;
  /** There is no list, nor can one be made: UIDs hold as long as the folder is open. */
  #passing = false;

  constructor(folder: Folder, nextUidValidity: () => number) {
    this.#folder = folder;
    this.#nextUidValidity = nextUidValidity;
  }

  /** Finds out what changed; `Folder.tell` says it. */
  async run(): Promise<void> {
    const folder = this.#folder;
    folder.looking();
    folder.keywords.look();
    if (folder.header === undefined) await adoptKeywords(folder);
    this.look();
    folder.others.look(false);
    if (folder.rewrite || folder.header === undefined) await this.#scan([inNew, inCur]);
    else {
      const places: Place[] = [];
      if (!folder.fresh.isKnown()) places.push(inNew);
      if (!folder.cur.isKnown()) places.push(inCur);
      if (places.length > 0) await this.#scan(places);
    }
    // Of two files of one name the first has a UID now.
    const double = this.#double;
    this.#double = false;
    if (double) await this.#scan([inNew, inCur]);
    this.#double = false;
  }

  /** Whether `run` would find everything as it was; asked before the table is read. */
  get isIdle(): boolean {
    const { header, rewrite, keywords, uidlist, others, fresh, cur } = this.#folder;
    return header !== undefined && !rewrite && keywords.isSame && uidlist.isSame && others.isSame && fresh.isKnown() && cur.isKnown();
  }

  // ------------------------------------------------------------ the uidlist

  /** Takes over what the uidlist says now. */
  look(): void {
    const folder = this.#folder;
    this.#look();
    if (folder.nextUid <= lastUid) return;
    folder.log(`${folder.place.control}/dovecot-uidlist: no UIDs are left: they begin anew`);
    folder.forgetAll();
    folder.rewrite = true;
  }

  #look(): void {
    const folder = this.#folder;
    if (this.#passing) {
      if (isReadOnly(folder.place.path)) return;
      // Mounted anew, it gets its list from what is known.
      this.#passing = false;
      folder.rewrite = true;
    }
    const reading = new ListReading(folder);
    const first = folder.header === undefined;
    switch (folder.uidlist.look(reading)) {
      case "same":
        return;
      case "missing":
        if (folder.header !== undefined || !adoptList(folder, reading, this.#nextUidValidity)) return this.#lost("is gone");
        this.#adopted = true;
        return reading.end();
      case "corrupt":
        return this.#lost("can not be read");
      case "appended":
      case "replaced":
        reading.end();
        // Nothing else tells which UIDs were given since a copy was made: the index was not put back with it, or is another one.
        if (first && folder.uidlist.isOld) folder.nextUid += passedOver;
    }
    if (folder.uidlist.spoilt > 0) folder.log(`${folder.place.control}/dovecot-uidlist: ${folder.uidlist.spoilt} lines can not be read`);
  }

  /** Without a list, what we know is written back. Others may have given UIDs since we looked: those are passed over. */
  #lost(how: string): void {
    const folder = this.#folder;
    if (folder.rewrite) return;
    if (!existsSync(folder.place.path)) throw new StoreFault("nonexistent", "no such mailbox");
    folder.rewrite = true;
    if (folder.header === undefined) {
      if (how !== "is gone") folder.log(`${folder.place.control}/dovecot-uidlist ${how}: UIDs begin anew`);
      return;
    }
    folder.log(`${folder.place.control}/dovecot-uidlist ${how}: written from what is known`);
    folder.nextUid += passedOver;
  }

  // ------------------------------------------------------------ the directories

  async #scan(places: readonly Place[]): Promise<void> {
    const folder = this.#folder;
    for (let tries = 0; ; tries++) {
      const { seen, quiet } = this.#visit(places);
      if (seen.elsewhere && places.length < 2) return await this.#scan([inNew, inCur]);
      if (seen.twice.length > 0 && tries < 4 && separate(folder, seen.twice)) continue;
      const missing = this.#missing(seen, places);
      if (missing.length === 0 || quiet) {
        folder.drop(missing);
        return await this.#identify(seen, quiet);
      }
      if (places.length < 2) return await this.#scan([inNew, inCur]);
      if (tries === 4) {
        await this.#identify(seen, false);
        folder.cur.doubt();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Scans directories. Quiet: what is missing is gone. */
  #visit(places: readonly Place[]): { readonly seen: Sighting; readonly quiet: boolean } {
    const folder = this.#folder;
    const scans = places.map((place) => (place === inNew ? folder.fresh : folder.cur).scanning());
    const seen = visit(folder.place.path, places, folder.table, folder.names);
    for (const uid of seen.renamed) folder.flagged(uid);
    const quiet = scans.map((ended) => ended());
    // What left new/ is in cur/, or gone; cur/ alone tells when only new/ was scanned.
    return { seen, quiet: places.includes(inCur) ? (quiet.at(places.indexOf(inCur)) ?? false) : folder.cur.isKnown() };
  }

  /** Rows of messages that should have been met, and were not. */
  #missing(seen: Sighting, places: readonly Place[]): number[] {
    const { place } = this.#folder.table.at;
    const missing: number[] = [];
    for (let row = 0; row < seen.met.length; row++) if (seen.met[row] === 0 && places.includes(place[row] as Place)) missing.push(row);
    return missing;
  }

  /** Files that the uidlist names become messages; others get a UID first. */
  async #identify(seen: Sighting, quiet: boolean): Promise<void> {
    const folder = this.#folder;
    this.#admit(seen);
    this.#double ||= seen.double;
    if (seen.strangers.length > 0 || folder.rewrite || folder.header === undefined) {
      try {
        await folder.uidlist.locked(() => this.#giveUids(seen));
      } catch (error) {
        // On a full disk, where we may not write, or while another program holds the lock, what has a UID can still be read, and expunged.
        const { kind, cause } = storeFault(error);
        if (kind === "permission" && (folder.header === undefined || this.#passing) && isReadOnly(folder.place.path)) this.#pass(seen);
        else if (folder.header === undefined || (kind !== "no-space" && kind !== "permission" && kind !== "in-use")) throw error;
        else {
          if (kind === "in-use") folder.log(`${folder.place.path}: mail without a UID is not shown yet: ${String(cause)}`);
          folder.fresh.doubt();
          folder.cur.doubt();
        }
      }
    }
    if (quiet) folder.highest = Math.max(folder.highest, folder.nextUid - 1);
    this.#forgetLate();
  }

  /** Files whose UID was in the list before they were seen. */
  #admit(seen: Sighting): void {
    const folder = this.#folder;
    for (const { uid, place, set } of [...seen.appeared.values()].sort((a, b) => a.uid - b.uid)) {
      const row = folder.table.rowOf(uid);
      if (row < 0) continue;
      if (uid <= folder.highest) {
        // Too late for this UID: the next scan meets a file without one.
        folder.cur.doubt();
        folder.fresh.doubt();
        continue;
      }
      folder.table.set("place", row, place);
      folder.table.set("set", row, set);
      folder.arrived(row);
    }
  }

  /** Lines whose file may not appear any more, since sessions have seen a higher UID. */
  #forgetLate(): void {
    const folder = this.#folder;
    const { table } = folder;
    const late: number[] = [];
    for (let row = table.rowWith("place", nowhere); row >= 0 && table.at.uid[row] <= folder.highest; row = table.rowWith("place", nowhere, row + 1)) late.push(row);
    folder.drop(late);
  }

  /** Under the uidlist lock. */
  async #giveUids(before: Sighting): Promise<void> {
    const folder = this.#folder;
    const { header, nextUid } = folder;
    this.look();
    let seen = before;
    // A message another program listed since our scan must come before the UIDs we give.
    if (header !== folder.header || nextUid !== folder.nextUid || !folder.fresh.isKnown() || !folder.cur.isKnown()) {
      seen = this.#visit([inNew, inCur]).seen;
      this.#admit(seen);
      // Who is not met now is for the next scan to judge.
      if (this.#missing(seen, [inNew, inCur]).length > 0) folder.cur.doubt();
    }
    const files = inOrder(seen.strangers);
    this.#double ||= files.length < seen.strangers.length;
    const first = await this.list(files);
    this.given += files.length;
    folder.arrivedFrom(first);
  }

  /** Gives UIDs that nobody else hears of. */
  #pass({ strangers }: Sighting): void {
    const folder = this.#folder;
    if (!this.#passing) folder.log(`${folder.place.control}/dovecot-uidlist can not be written: UIDs hold as long as the folder is open`);
    this.#passing = true;
    folder.rewrite = false;
    folder.header ??= { uidValidity: this.#nextUidValidity(), guid: newGuid(), others: "", nextUid: folder.nextUid };
    const first = folder.nextUid;
    folder.addAll(new PreparedRows(folder.table, first, folder.changing, inOrder(strangers)));
    folder.arrivedFrom(first);
  }

  /** What another program listed becomes messages, before we give UIDs. Only under the uidlist lock. */
  admitListed(): void {
    this.#admit(this.#visit([inNew, inCur]).seen);
    this.#folder.fresh.doubt();
    this.#folder.cur.doubt();
  }

  // ------------------------------------------------------------ new UIDs

  /**
   * Gives files the next UIDs and makes that durable; they have rows then. Only under the uidlist lock, after `look`.
   *
   * @returns the first UID
   */
  async list(files: NewFiles): Promise<number> {
    const folder = this.#folder;
    const { table } = folder;
    const first = folder.nextUid;
    const durable = this.#write(files, first);
    // While the disk writes.
    const rows = new PreparedRows(table, first, folder.changing, files);
    offer("prepared rows", rows);
    await durable;
    folder.addAll(rows);
    return first;
  }

  /** Lines of files, at the end of the list or of a new one. Durable when it resolves. */
  async #write(files: NewFiles, first: number): Promise<void> {
    const folder = this.#folder;
    const { table, uidlist } = folder;
    const last = first + files.length - 1;
    const overgrown = folder.dead > 256 && folder.dead > table.length;
    if (folder.header !== undefined && !folder.rewrite && !overgrown && uidlist.appendable) {
      if (files.length > 0) await uidlist.append((lines) => addLines(lines, files, first), last);
      return;
    }
    if (folder.header === undefined) this.renumbered = true;
    const known = folder.header ?? { uidValidity: this.#nextUidValidity(), guid: "", others: "" };
    const header: UidlistHeader = { ...known, guid: known.guid === "" ? newGuid() : known.guid, nextUid: last + 1 };
    const write = (lines: LineWriter): void => {
      for (let row = 0; row < table.length; row++) {
        const at = table.at.nameAt[row];
        lines.add(table.at.uid[row], this.#fields(row), table.heap, at, at + table.at.baseLength[row]);
      }
      addLines(lines, files, first);
    };
    await uidlist.replace(header, write, last);
    if (this.#adopted) markAdopted(folder);
    this.#adopted = false;
    folder.header = header;
    folder.rewrite = false;
    folder.dead = 0;
  }

  /** Fields of a line, with the size that was counted, where neither they nor the name say that. */
  #fields(row: number): string {
    const folder = this.#folder;
    const { at } = folder.table;
    const fields = at.nameLength[row] > at.baseLength[row] ? fieldsOf(folder.table, row) : "";
    return folder.files.hasOtherSize(row) ? withField(fields, "W", at.size[row]) : fields;
  }
}

function addLines(lines: LineWriter, { length, octets, from, to }: NewFiles, first: number): void {
  for (let i = 0; i < length; i++) lines.add(first + i, "", octets, from[i], to[i]);
}

/** Takes lines of the uidlist over into a folder. */
class ListReading implements UidlistReader {
  readonly #folder: Folder;
  #known: number;
  #last: number;
  /** Of the rows known before, when another list is read. */
  #listed: Uint8Array | undefined;
  readonly #void = new Set<number>();
  /** The header does not say what comes next. */
  #nextUnknown = false;

  constructor(folder: Folder) {
    this.#folder = folder;
    this.#known = folder.table.length;
    this.#last = this.#known === 0 ? 0 : folder.table.at.uid[this.#known - 1];
  }

  begin(header: UidlistHeader): void {
    const folder = this.#folder;
    const old = folder.header;
    if (old !== undefined && (old.uidValidity !== header.uidValidity || (old.guid !== "" && header.guid !== "" && old.guid !== header.guid))) {
      folder.log(`${folder.place.control}/dovecot-uidlist is another one: UIDs of before are void`);
      folder.forgetAll();
    }
    folder.header = header;
    this.#nextUnknown = header.nextUid > lastUid;
    // Without either of them Dovecot would number anew.
    folder.rewrite = header.guid === "" || header.nextUid === 0 || this.#nextUnknown;
    if (!this.#nextUnknown) folder.nextUid = Math.max(folder.nextUid, header.nextUid);
    folder.dead = 0;
    const { table } = folder;
    folder.drop(Array.from({ length: table.length }, (_, row) => row).filter((row) => table.at.place[row] === nowhere));
    folder.dead = 0;
    this.#known = table.length;
    this.#last = this.#known === 0 ? 0 : table.at.uid[this.#known - 1];
    this.#listed = new Uint8Array(this.#known);
  }

  readonly line = (uid: number, octets: Buffer, fieldsFrom: number, fieldsTo: number, from: number, to: number): void => {
    const folder = this.#folder;
    const { table, names } = folder;
    folder.nextUid = Math.max(folder.nextUid, uid + 1);
    const same = names.rowOf(octets, from, to);
    if (same >= 0 && table.at.uid[same] === uid) {
      if (this.#listed !== undefined) this.#listed[same] = 1;
      return;
    }
    // Another program gave another UID: for clients that is another message.
    if (same >= 0 && same < this.#known) this.#refuse(same);
    else if (same >= 0) this.#void.add(table.at.uid[same]);
    if (uid > this.#last) folder.add(uid, nowhere, 0, octets, from, to, octets.toString("latin1", fieldsFrom, fieldsTo));
    else folder.dead++;
  };

  #refuse(row: number): void {
    if (this.#listed === undefined) this.#void.add(this.#folder.table.at.uid[row]);
    else this.#listed[row] = 0;
  }

  /** After the last line. */
  end(): void {
    const folder = this.#folder;
    if (this.#nextUnknown) folder.nextUid += passedOver;
    const { table } = folder;
    const rows: number[] = [];
    for (let row = 0; row < table.length; row++) if ((this.#listed !== undefined && row < this.#known && this.#listed[row] === 0) || this.#void.has(table.at.uid[row])) rows.push(row);
    // Files of the one are to be given UIDs, those of the other to be found.
    if (rows.length > 0 || table.length > this.#known) {
      this.#folder.cur.doubt();
      this.#folder.fresh.doubt();
    }
    this.#folder.drop(rows);
  }
}
