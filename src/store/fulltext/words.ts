/**
 * The distinct words of some texts, and which of the texts each is in. A word is what stands between white space, so a text that has none in
 * it is in a message when it is in one of the message's words: no need to look at the message.
 */
import { randomInt } from "node:crypto";

/** Tab, line feed, carriage return, space. */
const isSpace = new Uint8Array(256);
for (const octet of [0x09, 0x0a, 0x0d, 0x20]) isSpace[octet] = 1;

/** FNV-1a, from another start in each process: who sends a message can not choose words that share a slot. */
const hashStart = randomInt(2 ** 32 - 1) | 0;
const hashFactor = 0x01000193;

type Numbers = Int32Array<ArrayBuffer>;

function longer(numbers: Numbers): Numbers {
  const more = new Int32Array(numbers.length * 2);
  more.set(numbers);
  return more;
}

export class WordTable {
  /** The words, one behind the other; word n begins at `#starts[n]`. */
  #octets = Buffer.allocUnsafeSlow(1 << 16);
  #starts: Numbers = new Int32Array(1 << 12);
  #hashes: Numbers = new Int32Array(1 << 12);
  #count = 0;
  /** Open addressing: a word and 1, or 0. */
  #slots: Numbers = new Int32Array(1 << 13);
  /** By word: its last entry and 1. */
  #lasts: Numbers = new Int32Array(1 << 12);
  /** Entries: a text, and the entry before it of the same word and 1. */
  #texts: Numbers = new Int32Array(1 << 13);
  #befores: Numbers = new Int32Array(1 << 13);
  #entries = 0;

  /** Empties it; what it has grown to is kept for the next words. */
  clear(): void {
    this.#slots.fill(0);
    this.#lasts.fill(0, 0, this.#count);
    this.#count = 0;
    this.#entries = 0;
  }

  /** Octets of all words. */
  get octets(): number {
    return this.#starts[this.#count] ?? 0;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds the words of text `number`; numbers do not descend. */
  addText(number: number, text: Buffer): void {
    const { length } = text;
    for (let at = 0; at < length; at++) {
      let hash = hashStart;
      const from = at;
      for (; at < length; at++) {
        const octet = text[at] ?? 0;
        if (octet <= 0x20 && isSpace[octet] === 1) break;
        hash = Math.imul(hash ^ octet, hashFactor);
      }
      if (at > from) this.#enter(this.#wordAt(text, from, at, hash), number);
    }
  }

  /** Adds one word of text `number`; for each word numbers do not descend. */
  addWord(number: number, octets: Buffer, from: number, to: number): void {
    let hash = hashStart;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ (octets[at] ?? 0), hashFactor);
    this.#enter(this.#wordAt(octets, from, to, hash), number);
  }

  #wordAt(octets: Buffer, from: number, to: number, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let taken = this.#slots[slot] ?? 0; taken !== 0; taken = this.#slots[slot] ?? 0) {
      if (this.#hashes[taken - 1] === hash && this.#isWord(taken - 1, octets, from, to)) return taken - 1;
      slot = (slot + 1) & mask;
    }
    const word = this.#append(octets, from, to, hash);
    this.#slots[slot] = word + 1;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return word;
  }

  #isWord(word: number, octets: Buffer, from: number, to: number): boolean {
    const start = this.#starts[word] ?? 0;
    const length = to - from;
    if ((this.#starts[word + 1] ?? 0) - start !== length) return false;
    const known = this.#octets;
    for (let n = 0; n < length; n++) if (known[start + n] !== octets[from + n]) return false;
    return true;
  }

  #append(octets: Buffer, from: number, to: number, hash: number): number {
    const word = this.#count++;
    if (this.#count >= this.#starts.length) {
      this.#starts = longer(this.#starts);
      this.#hashes = longer(this.#hashes);
      this.#lasts = longer(this.#lasts);
    }
    const start = this.#starts[word] ?? 0;
    const end = start + to - from;
    if (end > this.#octets.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(this.#octets.length * 2, end));
      this.#octets.copy(more, 0, 0, start);
      this.#octets = more;
    }
    octets.copy(this.#octets, start, from, to);
    this.#starts[word + 1] = end;
    this.#hashes[word] = hash;
    return word;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let word = 0; word < this.#count; word++) {
      const hash = this.#hashes[word] ?? 0;
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = word + 1;
    }
    this.#slots = slots;
  }

  #enter(word: number, number: number): void {
    const last = this.#lasts[word] ?? 0;
    if (last !== 0 && this.#texts[last - 1] === number) return;
    const entry = this.#entries++;
    if (entry >= this.#texts.length) {
      this.#texts = longer(this.#texts);
      this.#befores = longer(this.#befores);
    }
    this.#texts[entry] = number;
    this.#befores[entry] = last;
    this.#lasts[word] = entry + 1;
  }

  word(n: number): Buffer {
    return this.#octets.subarray(this.#starts[n], this.#starts[n + 1]);
  }

  /** The texts that word `n` is in, ascending. */
  texts(n: number): number[] {
    const found: number[] = [];
    for (let entry = this.#lasts[n] ?? 0; entry !== 0; entry = this.#befores[entry - 1] ?? 0) found.push(this.#texts[entry - 1] ?? 0);
    return found.reverse();
  }

  /** Words in an order that has those with the same beginning beside each other. */
  ordered(): Float64Array {
    const keys = new Float64Array(this.#count);
    for (let word = 0; word < this.#count; word++) {
      const start = this.#starts[word] ?? 0;
      const end = this.#starts[word + 1] ?? 0;
      let key = 0;
      for (let at = start; at < start + 4; at++) key = key * 256 + (at < end ? (this.#octets[at] ?? 0) : 0);
      keys[word] = key * wordLimit + word;
    }
    keys.sort();
    for (let at = 0; at < keys.length; at++) keys[at] = (keys[at] ?? 0) % wordLimit;
    return keys;
  }
}

/** Words of one table; with four octets before it a number still is one exactly. */
const wordLimit = 2 ** 21;
