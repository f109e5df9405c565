/**
 * Which message files there are. The race that every Maildir reader lives with: readdir(3) says nothing about a name
 * that is added or removed while it reads. A flag change by another program renames `X:2,` to `X:2,S`, so a scan
 * may see X twice, or not at all although X is there all the time.
 *
 * - Twice is harmless: the same base name is one message; cur/ counts before new/.
 * - new/ is read before cur/, so a message moved from new/ to cur/ between the two is seen twice, not missed.
 * - Missed can only happen to a file renamed within cur/ during the scan. So a scan is *quiet* when nothing was renamed meanwhile
 *   (directory.ts knows). Only a quiet scan proves that a message is gone; after any other the message stays listed and the next refresh scans
 *   again.
 *
 * Two files of one base name that are both there are two messages (doubles.ts).
 *
 * A scan is a visit of names: known ones are looked up and the rows of those that have another name now are put right; the others are collected.
 */
import { statSync } from "node:fs";
import { eachName, entryTypes } from "../../sys/directory.ts";
import { copyOctets } from "../octets.ts";
import type { Names } from "./names.ts";
import { inCur, inNew, nowhere, type MaildirTable, type Place } from "./row.ts";

/**
 * Calls `visit` with every name that can be a message's, and where its base ends. One with a line end in it is none, as in Dovecot: the uidlist could not
 * hold it; nor is a directory, a FIFO or a link to nowhere.
 */
export function eachFile(path: string, visit: (octets: Buffer, from: number, baseTo: number, to: number) => void): void {
  eachName(path, (octets, from, to, type) => {
    if (type !== entryTypes.file && !isMessage(path, octets, from, to, type)) return;
    const baseTo = endOfBase(octets, from, to);
    if (baseTo > from) visit(octets, from, baseTo, to);
  });
}

/** Where the first colon is, or the end; -1 when there is a line end. */
function endOfBase(octets: Buffer, from: number, to: number): number {
  let end = to;
  for (let i = from; i < to; i++) {
    const octet = octets[i];
    if (octet === 0x0a || octet === 0x0d) return -1;
    if (octet === 0x3a && end === to) end = i;
  }
  return end;
}

function isMessage(path: string, octets: Buffer, from: number, to: number, type: number): boolean {
  if (type !== entryTypes.link) return type === entryTypes.unknown;
  try {
    return statSync(Buffer.concat([Buffer.from(`${path}/`), octets.subarray(from, to)])).isFile();
  } catch {
    return false;
  }
}

/** Files that belong to no message yet: their base names in one buffer, the rest in columns. */
export class Strangers {
  #octets: Buffer = Buffer.alloc(0);
  #end = 0;
  length = 0;
  /** By file; there may be room behind the last one. */
  at = { from: new Uint32Array(0), to: new Uint32Array(0), place: new Uint32Array(0), set: new Uint32Array(0) };

  /** Where the base names lie. */
  get names(): Buffer {
    return this.#octets.subarray(0, this.#end);
  }

  add(octets: Buffer, from: number, to: number, place: Place, set: number): void {
    const at = this.#end;
    const end = at + to - from;
    if (end > this.#octets.length) this.#growNames(end);
    if (this.length === this.at.from.length) this.#growColumns();
    copyOctets(octets, from, to, this.#octets, at);
    const i = this.length++;
    this.at.from[i] = at;
    this.at.to[i] = end;
    this.at.place[i] = place;
    this.at.set[i] = set;
    this.#end = end;
  }

  #growNames(room: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(leastNames, 2 * room));
    this.#octets.copy(grown, 0, 0, this.#end);
    this.#octets = grown;
  }

  #growColumns(): void {
    const { from, to, place, set } = this.at;
    this.at = { from: grown(from), to: grown(to), place: grown(place), set: grown(set) };
  }
}

/** Room for the first names, octets, and for so many files. */
const leastNames = 64 * 1024;
const leastFiles = 1024;

function grown(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(leastFiles, 2 * column.length));
  larger.set(column);
  return larger;
}

/** Numbers of what follows the base names. Thousands of files have the same few, so that no string need be made of each. */
class Suffixes {
  readonly #table: MaildirTable;
  readonly #known = new Map<number, { readonly octets: Buffer; readonly set: number }>();

  constructor(table: MaildirTable) {
    this.#table = table;
  }

  numberOf(octets: Buffer, from: number, to: number): number {
    let sum = to - from;
    for (let i = from; i < to; i++) sum = (Math.imul(sum, 31) + octets[i]) | 0;
    const known = this.#known.get(sum);
    if (known !== undefined && equal(known.octets, octets, from, to)) return known.set;
    const set = this.#table.numberOf(octets.toString("latin1", from, to));
    this.#known.set(sum, { octets: Buffer.from(octets.subarray(from, to)), set });
    return set;
  }
}

function equal(one: Buffer, octets: Buffer, from: number, to: number): boolean {
  if (one.length !== to - from) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== octets[from + i]) return false;
  return true;
}

/** A message that the uidlist names, whose file has come. */
export interface Appeared {
  readonly uid: number;
  readonly place: Place;
  readonly set: number;
}

/** What a visit of one or both directories found. */
export interface Sighting {
  /** By row as they were at the time: 1 for those met. */
  readonly met: Uint8Array;
  readonly strangers: Strangers;
  /** UIDs of messages whose file has another name than the row said. */
  readonly renamed: number[];
  readonly appeared: ReadonlyMap<number, Appeared>;
  /** Names of messages that were met once more under another one. */
  readonly twice: readonly Twice[];
}

/** The name met first of a message that has another by now: its row's. */
export interface Twice {
  readonly uid: number;
  readonly place: Place;
  readonly set: number;
}

/** Looks at directories, new/ before cur/, and puts place and set of known messages right. */
export function visit(folder: string, places: readonly Place[], table: MaildirTable, names: Names): Sighting {
  const met = new Uint8Array(table.length);
  const strangers = new Strangers();
  const suffixes = new Suffixes(table);
  const renamed: number[] = [];
  const appeared = new Map<number, Appeared>();
  const twice: Twice[] = [];
  const none = table.length === 0;
  for (const place of [inNew, inCur] as const) {
    if (!places.includes(place)) continue;
    eachFile(`${folder}/${place === inNew ? "new" : "cur"}`, (octets, from, baseTo, to) => {
      const row = none ? -1 : names.rowOf(octets, from, baseTo);
      const set = suffixes.numberOf(octets, baseTo, to);
      if (row < 0) {
        strangers.add(octets, from, baseTo, place, set);
        return;
      }
      const { at } = table;
      if (met[row] === 1 && at.place[row] !== nowhere) twice.push({ uid: at.uid[row], place: at.place[row] as Place, set: at.set[row] });
      met[row] = 1;
      if (at.place[row] === nowhere) appeared.set(at.uid[row], { uid: at.uid[row], place, set });
      else {
        if (set !== at.set[row]) renamed.push(at.uid[row]);
        table.set("set", row, set);
        table.set("place", row, place);
      }
    });
  }
  return { met, strangers, renamed, appeared, twice };
}

/** A path to a file whose name is a latin1 string of octets. */
export function octetPath(directory: string, file: string): string | Buffer {
  return /^[\x20-\x7e]*$/.test(file) ? `${directory}/${file}` : Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(file, "latin1")]);
}
