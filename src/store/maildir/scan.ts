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
import { eachName, entryTypes, type NameVisitor } from "../../sys/directory.ts";
import { offer } from "../../sys/living.ts";
import { errno } from "../faults.ts";
import { copyOctets } from "../octets.ts";
import type { Names } from "./names.ts";
import { inCur, inNew, nowhere, type MaildirTable, type Place } from "./row.ts";

/**
 * Calls `visit` with every name that can be a message's, and where its base ends. One with a line end in it is none, as in Dovecot: the uidlist could not
 * hold it; nor is a directory, a FIFO or a link to nowhere. @param coming as `eachName` has it
 */
export function eachFile(path: string, visit: (octets: Buffer, from: number, baseTo: number, to: number) => void, coming?: (octets: number) => void): void {
  const look: NameVisitor = (octets, from, to, type) => {
    if (type !== entryTypes.file && !isMessage(path, octets, from, to, type)) return;
    const baseTo = endOfBase(octets, from, to);
    if (baseTo > from) visit(octets, from, baseTo, to);
  };
  eachName(path, look, coming);
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
  } catch (error) {
    // One that can not be looked at just now (EIO, no memory) is not gone.
    return !["ENOENT", "ENOTDIR", "EACCES", "ELOOP"].includes(errno(error));
  }
}

/** Files that belong to no message yet: their base names in one buffer, the rest in columns, which may have room behind the last file. */
export class Strangers {
  length = 0;
  #octets: Buffer = Buffer.alloc(0);
  #end = 0;
  /** Where each base name begins and ends. */
  from = new Uint32Array(0);
  to = new Uint32Array(0);
  /** Each a Place. */
  place = new Uint32Array(0);
  /** Numbers of what follows the base names. */
  set = new Uint32Array(0);
  /** Octets that names of the next files have at most. */
  #coming = 0;

  /** Some more files may come, whose names have fewer octets than this: room for all is made at once, when the first does. */
  expect(octets: number): void {
    this.#coming = octets;
  }

  /** Where the base names lie. */
  get names(): Buffer {
    return this.#octets.subarray(0, this.#end);
  }

  add(octets: Buffer, from: number, to: number, place: Place, set: number): void {
    const at = this.#end;
    const end = at + to - from;
    const i = this.length;
    if (end > this.#octets.length) this.#octets = withRoom(this.#octets, at, Math.max(end, at + this.#coming, at * 2));
    if (i === this.from.length) this.#grow();
    copyOctets(octets, from, to, this.#octets, at);
    this.from[i] = at;
    this.to[i] = end;
    this.place[i] = place;
    this.set[i] = set;
    this.length = i + 1;
    this.#end = end;
  }

  #grow(): void {
    const room = Math.max(leastFiles, this.length + Math.floor(this.#coming / entryLength), this.length * 2);
    // Of one piece, and not of zeros first: only what is used takes memory.
    const octets = Buffer.allocUnsafeSlow(4 * columns.length * room);
    for (const [i, column] of columns.entries()) {
      const grown = new Uint32Array(octets.buffer, 4 * i * room, room);
      grown.set(this[column]);
      this[column] = grown;
    }
  }
}

const columns = ["from", "to", "place", "set"] as const;
const leastFiles = 64;
/** Of a name that is short for a message's, where the kernel tells it: then there is room for all, mostly. */
const entryLength = 48;

function withRoom(octets: Buffer, used: number, room: number): Buffer {
  const grown = Buffer.allocUnsafeSlow(room);
  octets.copy(grown, 0, 0, used);
  return grown;
}

/** Numbers of what follows the base names. Thousands of files have the same few, so that no string need be made of each. */
class Suffixes {
  readonly #table: MaildirTable;
  readonly #known = new Map<number, Suffix>();

  constructor(table: MaildirTable) {
    this.#table = table;
  }

  numberOf(octets: Buffer, from: number, to: number): number {
    const sum = sumOf(octets, from, to);
    const known = this.#known.get(sum);
    if (known?.is(octets, from, to) === true) return known.set;
    const set = this.#table.numberOf(octets.toString("latin1", from, to));
    this.#known.set(sum, new Suffix(Buffer.from(octets.subarray(from, to)), set));
    return set;
  }
}

function sumOf(octets: Buffer, from: number, to: number): number {
  let sum = to - from;
  for (let i = from; i < to; i++) sum = (Math.imul(sum, 31) + octets[i]) | 0;
  return sum;
}

/** A class, since V8 takes plain objects of any kind for one kind when they begin alike, and compiles anew who uses them when there is another. */
class Suffix {
  readonly set: number;
  readonly #octets: Buffer;

  constructor(octets: Buffer, set: number) {
    this.#octets = octets;
    this.set = set;
  }

  is(octets: Buffer, from: number, to: number): boolean {
    const own = this.#octets;
    if (own.length !== to - from) return false;
    for (let i = 0; i < own.length; i++) if (own[i] !== octets[from + i]) return false;
    return true;
  }
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
  /** A message was met in the other directory than the one it was known to be in, where another file may have its name still. */
  readonly elsewhere: boolean;
  /** A message that appeared has two files. */
  readonly double: boolean;
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
  let elsewhere = false;
  let double = false;
  const none = table.length === 0;
  for (const place of [inNew, inCur] as const) {
    if (!places.includes(place)) continue;
    const look = (octets: Buffer, from: number, baseTo: number, to: number): void => {
      const row = none ? -1 : names.rowOf(octets, from, baseTo);
      const set = suffixes.numberOf(octets, baseTo, to);
      if (row < 0) {
        strangers.add(octets, from, baseTo, place, set);
        return;
      }
      const { at } = table;
      if (met[row] === 1 && at.place[row] !== nowhere) twice.push({ uid: at.uid[row], place: at.place[row] as Place, set: at.set[row] });
      met[row] = 1;
      if (at.place[row] === nowhere) {
        const uid = at.uid[row];
        double ||= appeared.has(uid);
        appeared.set(uid, { uid, place, set });
      } else {
        elsewhere ||= at.place[row] !== place;
        if (set !== at.set[row]) renamed.push(at.uid[row]);
        table.set("set", row, set);
        table.set("place", row, place);
      }
    };
    eachFile(`${folder}/${place === inNew ? "new" : "cur"}`, look, (octets) => strangers.expect(octets));
  }
  offer("strangers", strangers);
  offer("suffixes", suffixes);
  return { met, strangers, renamed, appeared, twice, elsewhere, double };
}

/** A path to a file whose name is a latin1 string of octets. */
export function octetPath(directory: string, file: string): string | Buffer {
  return /^[\x20-\x7e]*$/.test(file) ? `${directory}/${file}` : Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(file, "latin1")]);
}
