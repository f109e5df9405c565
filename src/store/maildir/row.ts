/**
 * A message of a Maildir as a row of the index table. Its name is the base name, followed by the fields of its uidlist line; its set is what follows
 * the base name in the file's name (":2,FS"), as found; `more` are keywords that no letter stands for, in one string, separated by spaces.
 */
import type { Schema } from "../index/columns.ts";
import type { Table } from "../index/table.ts";
import { octetPath } from "./scan.ts";

export const maildirSchema = { place: "u8", more: "set", baseLength: "u32" } as const satisfies Schema;
export type MaildirTable = Table<typeof maildirSchema>;

/** Where the file is. Nowhere: the uidlist names it, and no file has been met. */
export const inCur = 0;
export const inNew = 1;
export const nowhere = 2;
export type Place = typeof inCur | typeof inNew | typeof nowhere;

/** Files without a UID, in the order in which they are to have theirs: `length` of them, base names in `octets`, which an empty table keeps as they are. */
export interface NewFiles {
  readonly length: number;
  readonly octets: Buffer;
  /** Where each base name begins and ends. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
  /** Each a Place. */
  readonly place: Uint32Array;
  /** Numbers of what follows the base names. */
  readonly set: Uint32Array;
}

export const directoryOf = (place: number): "cur" | "new" => (place === inNew ? "new" : "cur");

/** latin1: octets of the name. */
export function baseOf(table: MaildirTable, row: number): string {
  const at = table.at.nameAt[row];
  return table.heap.toString("latin1", at, at + table.at.baseLength[row]);
}

/** Whether these octets are the base name. */
export function isBase({ at, heap }: MaildirTable, row: number, octets: Buffer, from: number, to: number): boolean {
  const length = to - from;
  if (at.baseLength[row] !== length) return false;
  const name = at.nameAt[row];
  for (let i = 0; i < length; i++) if (heap[name + i] !== octets[from + i]) return false;
  return true;
}

/** Fields of the uidlist line as written, "" for none. */
export function fieldsOf(table: MaildirTable, row: number): string {
  const at = table.at.nameAt[row];
  return table.heap.toString("latin1", at + table.at.baseLength[row], at + table.at.nameLength[row]);
}

export const fileOf = (table: MaildirTable, row: number): string => baseOf(table, row) + table.setAt(table.at.set[row]);

/** The file's name into `to`, with a NUL behind it; false when it has no room. */
export function putName(to: Buffer, table: MaildirTable, row: number): boolean {
  const { at, heap } = table;
  const suffix = table.setAt(at.set[row]);
  const base = at.nameAt[row];
  const length = at.baseLength[row];
  if (length + suffix.length >= to.length) return false;
  for (let i = 0; i < length; i++) to[i] = heap[base + i] ?? 0;
  putEnd(to, length, suffix);
  return true;
}

/** What follows the base name in a name that is octets, and its NUL. */
export function putEnd(name: Buffer, at: number, suffix: string): void {
  const { length } = suffix;
  for (let i = 0; i < length; i++) name[at + i] = suffix.charCodeAt(i);
  name[at + length] = 0;
}

export const pathOf = (folder: string, table: MaildirTable, row: number): string | Buffer => octetPath(`${folder}/${directoryOf(table.at.place[row])}`, fileOf(table, row));
