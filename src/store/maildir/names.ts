/**
 * Which message a base name belongs to: an open hash of UIDs, 4 octets each. The names themselves lie in the table. Of two messages with one name
 * (a file that came back after its message was expunged) the later counts.
 */
import type { Table } from "../index/table.ts";
import type { maildirSchema } from "./row.ts";

export class Names {
  readonly #table: Table<typeof maildirSchema>;
  #uids = new Uint32Array(64);
  #used = 0;

  constructor(table: Table<typeof maildirSchema>) {
    this.#table = table;
    this.#build();
  }

  #build(): void {
    let size = 64;
    while (size < this.#table.length * 2 + 64) size *= 2;
    this.#uids = new Uint32Array(size);
    this.#used = 0;
    for (let row = 0; row < this.#table.length; row++) this.#insert(row);
  }

  /** Takes in a row just added. */
  added(row: number): void {
    // Expunged ones still take their place.
    if ((this.#used + 1) * 4 > this.#uids.length * 3) this.#build();
    else this.#insert(row);
  }

  #insert(row: number): void {
    const { heap, at } = this.#table;
    const from = at.nameAt[row];
    const mask = this.#uids.length - 1;
    let place = hash(heap, from, from + at.baseLength[row]) & mask;
    while (this.#uids[place] !== 0) place = (place + 1) & mask;
    this.#uids[place] = at.uid[row];
    this.#used++;
  }

  /** The row of a base name, -1 when there is none. */
  rowOf(octets: Buffer, from: number, to: number): number {
    const table = this.#table;
    const { at, heap } = table;
    const mask = this.#uids.length - 1;
    let found = -1;
    for (let place = hash(octets, from, to) & mask; this.#uids[place] !== 0; place = (place + 1) & mask) {
      const row = table.rowOf(this.#uids[place]);
      if (row > found && at.baseLength[row] === to - from && same(heap, at.nameAt[row], octets, from, to)) found = row;
    }
    return found;
  }
}

function same(heap: Buffer, at: number, octets: Buffer, from: number, to: number): boolean {
  for (let i = from, k = at; i < to; i++, k++) if (heap[k] !== octets[i]) return false;
  return true;
}

/** FNV-1a. */
function hash(octets: Buffer, from: number, to: number): number {
  let sum = 0x811c9dc5;
  for (let i = from; i < to; i++) sum = Math.imul(sum ^ octets[i], 0x01000193);
  return (sum ^ (sum >>> 15)) >>> 0;
}
