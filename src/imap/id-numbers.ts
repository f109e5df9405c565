/** Numbers from 0 for the identifiers in facts, in the order they are first seen: a hash table without an object per identifier. */
import { idOctets } from "./facts-ids.ts";

const free = -1;

export class IdNumbers {
  #slots = new Int32Array(1024).fill(free);
  #low = new Int32Array(512);
  #high = new Int32Array(512);
  size = 0;

  /** The number of the identifier at `at`; -1 for the one of zeros, which says that there is none. */
  of(octets: Buffer, at: number): number {
    const low = int32(octets, at);
    const high = int32(octets, at + idOctets / 2);
    if (low === 0 && high === 0) return -1;
    const mask = this.#slots.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const n = this.#slots[slot] ?? free;
      if (n === free) return this.#add(low, high, slot);
      if (this.#low[n] === low && this.#high[n] === high) return n;
    }
  }

  #add(low: number, high: number, slot: number): number {
    const n = this.size++;
    this.#slots[slot] = n;
    this.#low[n] = low;
    this.#high[n] = high;
    if (this.size === this.#low.length) this.#grow();
    return n;
  }

  #grow(): void {
    this.#low = doubled(this.#low);
    this.#high = doubled(this.#high);
    this.#slots = new Int32Array(2 * this.#slots.length).fill(free);
    const mask = this.#slots.length - 1;
    for (let n = 0; n < this.size; n++) {
      let slot = (this.#low[n] ?? 0) & mask;
      while (this.#slots[slot] !== free) slot = (slot + 1) & mask;
      this.#slots[slot] = n;
    }
  }
}

function doubled(values: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const more = new Int32Array(2 * values.length);
  more.set(values);
  return more;
}

const int32 = (octets: Buffer, at: number): number => (octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8) | ((octets[at + 2] ?? 0) << 16) | ((octets[at + 3] ?? 0) << 24);
