/**
 * Which messages of a folder are in the index: a mark for each, kept in chunks of consecutive UIDs. The mark is the message's fingerprint, so that a UID
 * which came to mean another message (a mailbox restored from a backup beside a newer index, an index of somebody else), or one that another program
 * edited, is not taken for indexed.
 */
import { hashOfText } from "../fingerprint.ts";
import type { Mailbox, Message } from "../mailbox.ts";

/** UIDs of one chunk. */
export const chunkSize = 512;

/** Chunks of a folder: UIDs have 32 bits. */
export const chunkCount = 2 ** 32 / chunkSize;

export const chunkOf = (uid: number): number => Math.floor(uid / chunkSize);
export const placeOf = (uid: number): number => uid % chunkSize;

/** Not in the index. */
export const unmarked = 0;
/** Looked at, but not to be indexed: always a candidate. */
export const unindexed = 1;

/** Marks of a chunk, one for each UID from `chunk * chunkSize` on. */
export interface Chunk {
  readonly chunk: number;
  readonly marks: Uint32Array;
}

/** The mark of a message that is in the index. */
export function markOf(mailbox: Pick<Mailbox, "fingerprint">, message: Pick<Message, "uid" | "guid">): number {
  return Math.max(mailbox.fingerprint?.(message.uid) ?? hashOfText(message.guid), unindexed + 1);
}

/** @param print the message's, `Mailbox.fingerprint` */
export const markOfPrint = (print: number): number => Math.max(print, unindexed + 1);

const noBits = new Uint32Array(chunkSize / 32);

/** A set of UIDs that costs a bit for each UID of the chunks it has something in. */
export class UidBits {
  readonly #chunks: Map<number, Uint32Array>;
  /** Questions come in the order of UIDs. */
  #last = { chunk: -1, bits: undefined as Uint32Array | undefined };

  constructor(chunks = new Map<number, Uint32Array>()) {
    this.#chunks = chunks;
  }

  has(uid: number): boolean {
    const chunk = chunkOf(uid);
    if (this.#last.chunk !== chunk) this.#last = { chunk, bits: this.#chunks.get(chunk) };
    const place = placeOf(uid);
    return (((this.#last.bits?.[place >>> 5] ?? 0) >>> (place & 31)) & 1) === 1;
  }

  /** Takes the place of all that was known of this chunk. */
  replace(chunk: number, uids: Iterable<number>): void {
    const bits = new Uint32Array(chunkSize / 32);
    for (const uid of uids) {
      const place = placeOf(uid);
      bits[place >>> 5] = (bits[place >>> 5] ?? 0) | (1 << (place & 31));
    }
    this.#chunks.set(chunk, bits);
    this.#last = { chunk: -1, bits: undefined };
  }

  /** Places of the UIDs, which ascend, that are in `hits` or not in this set. */
  without(uids: Uint32Array, hits: UidBits): number[] {
    const places: number[] = [];
    for (let at = 0; at < uids.length; ) {
      const chunk = chunkOf(uids[at] ?? 0);
      const end = (chunk + 1) * chunkSize;
      const mine = this.#chunks.get(chunk) ?? noBits;
      const theirs = hits.#chunks.get(chunk) ?? noBits;
      for (; at < uids.length; at++) {
        const uid = uids[at] ?? 0;
        if (uid >= end) break;
        const place = placeOf(uid);
        if ((((mine[place >>> 5] ?? 0) & ~(theirs[place >>> 5] ?? 0)) >>> (place & 31) & 1) === 0) places.push(at);
      }
    }
    return places;
  }

  /** UIDs of this set that are not in the other. */
  notIn(others: UidBits): number[] {
    const uids: number[] = [];
    for (const [chunk, bits] of this.#chunks) {
      const theirs = others.#chunks.get(chunk) ?? noBits;
      for (let word = 0; word < bits.length; word++) {
        const left = (bits[word] ?? 0) & ~(theirs[word] ?? 0);
        for (let bit = 0; left !== 0 && bit < 32; bit++) if (((left >>> bit) & 1) === 1) uids.push(chunk * chunkSize + word * 32 + bit);
      }
    }
    return uids;
  }

  copy(): UidBits {
    return new UidBits(new Map([...this.#chunks].map(([chunk, bits]) => [chunk, bits.slice()])));
  }

  static of(uids: ArrayLike<number>): UidBits {
    const chunks = new Map<number, Uint32Array>();
    for (let n = 0; n < uids.length; n++) {
      const uid = uids[n] ?? 0;
      let bits = chunks.get(chunkOf(uid));
      if (bits === undefined) chunks.set(chunkOf(uid), (bits = new Uint32Array(chunkSize / 32)));
      const place = placeOf(uid);
      bits[place >>> 5] = (bits[place >>> 5] ?? 0) | (1 << (place & 31));
    }
    return new UidBits(chunks);
  }
}
