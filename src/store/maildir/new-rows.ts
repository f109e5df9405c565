/** Rows of messages that were not known, from the names of their files or their lines of the uidlist. */
import { sizeIn, timeIn } from "./filename.ts";
import type { MaildirTable, NewFiles, Place } from "./row.ts";
import { sizeWritten } from "./uidlist.ts";

export interface NewRow {
  readonly uid: number;
  readonly place: Place;
  readonly set: number;
  readonly modSeq: number;
}

/** Adds a row; its number. The name is octets of a file name or a uidlist line, whose fields follow it. */
export function addRow(table: MaildirTable, { uid, place, set, modSeq }: NewRow, octets: Buffer, from: number, to: number, fields: string): number {
  const nameAt = table.keep(octets, from, to);
  if (fields !== "") table.keep(Buffer.from(fields, "latin1"));
  const seconds = timeIn(octets, from, to);
  return table.add({
    uid,
    set,
    modSeq,
    size: sizeWritten(octets, from, to, fields) ?? NaN,
    date: NaN,
    saved: seconds === undefined ? NaN : seconds * 1000,
    factsAt: 0,
    factsLength: 0,
    nameAt,
    nameLength: to - from + fields.length,
    place,
    more: 0,
    baseLength: to - from,
  });
}

/**
 * Rows of files with the UIDs from `first` on, filled in behind the last row of a table, so that they need only be added when their UIDs are durable. Until then
 * nobody adds others: whoever gives UIDs runs alone (Serial).
 */
export class PreparedRows {
  readonly #table: MaildirTable;
  readonly #files: NewFiles;

  constructor(table: MaildirTable, first: number, changing: number, files: NewFiles) {
    this.#table = table;
    this.#files = files;
    const { length: from } = table;
    const to = from + files.length;
    table.reserve(to, files.octets);
    const { uid, place, set, more, modSeq, date, factsAt, factsLength } = table.room;
    for (const column of [factsAt, factsLength, more]) column.fill(0, from, to);
    modSeq.fill(changing, from, to);
    date.fill(NaN, from, to);
    place.set(files.place, from);
    set.set(files.set, from);
    for (let i = 0; i < files.length; i++) uid[from + i] = first + i;
    this.#fillNames();
  }

  get count(): number {
    return this.#files.length;
  }

  #fillNames(): void {
    const { length: at } = this.#table;
    const { size, saved, nameAt, nameLength, baseLength } = this.#table.room;
    const { length, octets, from, to } = this.#files;
    for (let i = 0, row = at; i < length; i++, row++) {
      size[row] = sizeIn(octets, "W", from[i], to[i]) ?? NaN;
      saved[row] = (timeIn(octets, from[i], to[i]) ?? NaN) * 1000;
      nameAt[row] = from[i];
      nameLength[row] = baseLength[row] = to[i] - from[i];
    }
  }

  /** The first one's number. */
  add(): number {
    const table = this.#table;
    // 0 where an empty table has taken the names over.
    const base = table.keep(this.#files.octets);
    const first = table.addRows(this.count);
    const { nameAt } = table.room;
    if (base > 0) for (let row = first; row < table.length; row++) nameAt[row] += base;
    return first;
  }
}
