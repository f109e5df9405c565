/**
 * Words and where they are, in blocks: the unit that is read, and that the trigrams name. The words of a block stand between line feeds, so
 * that a part of a word, its beginning, its end or all of it can be looked for as octets; behind them, for each word in the same order, the
 * number of octets of its places, and its places: differences between ascending numbers, each in groups of seven bits, lowest first.
 */
import type { WordTable } from "./words.ts";

export interface Block {
  readonly words: Buffer;
  readonly places: Buffer;
}

/** Octets from which a block is full. */
const blockSize = 4096;

const lineFeed = 0x0a;

export function* blocksOf(table: WordTable): Generator<Block, void, void> {
  let words: Buffer[] = [];
  let places: number[] = [];
  let size = 0;
  for (const n of table.ordered()) {
    const word = table.word(n);
    words.push(separator, word);
    size += word.length + 1;
    putPlaces(places, table.texts(n));
    if (size < blockSize) continue;
    yield { words: Buffer.concat([...words, separator]), places: Buffer.from(places) };
    words = [];
    places = [];
    size = 0;
  }
  if (size > 0) yield { words: Buffer.concat([...words, separator]), places: Buffer.from(places) };
}

const separator = Buffer.of(lineFeed);

function putPlaces(to: number[], numbers: readonly number[]): void {
  let octets = 0;
  let before = 0;
  for (const number of numbers) {
    octets += lengthOf(number - before);
    before = number;
  }
  putNumber(to, octets);
  before = 0;
  for (const number of numbers) {
    putNumber(to, number - before);
    before = number;
  }
}

function lengthOf(number: number): number {
  let length = 1;
  for (let left = number >>> 7; left !== 0; left >>>= 7) length++;
  return length;
}

function putNumber(to: number[], number: number): void {
  let left = number;
  for (; left >= 0x80; left >>>= 7) to.push((left & 0x7f) | 0x80);
  to.push(left);
}

/** Reads the places of words in their order. */
class Places {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  #number(): number {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = this.#octets[this.#at++] ?? 0;
      number |= (octet & 0x7f) << shift;
      if (octet < 0x80) return number;
    }
  }

  /** Passes over so many words. */
  skip(words: number): void {
    for (let left = words; left > 0; left--) {
      const length = this.#number();
      this.#at += length;
    }
  }

  /** The next word's. */
  each(visit: (place: number) => void): void {
    const length = this.#number();
    const end = this.#at + length;
    for (let place = 0; this.#at < end; ) {
      place += this.#number();
      visit(place);
    }
  }
}

/** Numbers of the words, from 0, that hold the octets; a line feed at an end of these means that end of the word. */
export function wordsHolding(words: Buffer, wanted: Buffer): number[] {
  const found: number[] = [];
  // Line feeds before `counted`.
  let feeds = 0;
  let counted = 0;
  for (let at = words.indexOf(wanted); at >= 0; at = words.indexOf(wanted, counted)) {
    for (; counted <= at; counted++) if (words[counted] === lineFeed) feeds++;
    found.push(feeds - 1);
    // On to the line feed behind the word.
    while (words[counted] !== lineFeed) counted++;
  }
  return found;
}

/** Visits the places of some words, given by ascending numbers. A place may come more than once. */
export function placesOf(places: Uint8Array, words: readonly number[], visit: (place: number) => void): void {
  const reader = new Places(places);
  let next = 0;
  for (const word of words) {
    reader.skip(word - next);
    reader.each(visit);
    next = word + 1;
  }
}

/** Visits every word of a block, between `from` and `to` of its words, with its places in ascending order. */
export function eachWord({ words, places }: Block, visit: (from: number, to: number, places: readonly number[]) => void): void {
  const reader = new Places(places);
  for (let from = 1; from < words.length; ) {
    const to = words.indexOf(lineFeed, from);
    const found: number[] = [];
    reader.each((place) => found.push(place));
    visit(from, to, found);
    from = to + 1;
  }
}
