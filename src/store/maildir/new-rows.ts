/** Rows of messages that were not known, from the names of their files or their lines of the uidlist. */
import { timeIn } from "./filename.ts";
import type { MaildirTable, NewFiles, Place, Told } from "./row.ts";
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

/** Adds rows with the UIDs from `first` on; the first one's number. */
export function addRows(table: MaildirTable, first: number, changing: number, files: NewFiles, told: Told): number {
  const { length } = files;
  const base = table.keep(files.octets);
  const firstRow = table.addRows(length);
  const { uid, place, set, modSeq, size, date, saved, nameAt, nameLength, baseLength } = table.fresh;
  modSeq.fill(changing, firstRow);
  date.fill(NaN, firstRow);
  place.set(files.place, firstRow);
  set.set(files.set, firstRow);
  size.set(told.size, firstRow);
  saved.set(told.saved, firstRow);
  for (let i = 0, row = firstRow; i < length; i++, row++) {
    uid[row] = first + i;
    nameAt[row] = base + files.from[i];
    nameLength[row] = baseLength[row] = files.to[i] - files.from[i];
  }
  return firstRow;
}
