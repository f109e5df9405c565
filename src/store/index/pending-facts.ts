/** Facts that wait to be written, as records one behind the other (facts-record.ts): they are copied once, and no object stays for each. */
import { keyLengthOf, putRecord, recordHead, recordLength } from "./facts-record.ts";

/** Room to begin with, octets. */
const leastRoom = 16 * 1024;
const none: Buffer = Buffer.alloc(0);

const lengthAt = (room: Buffer, at: number): number => room.readUInt32LE(at + 8);

/** What is to be written. */
export interface Waiting {
  readonly records: Buffer;
  /** UIDs, and where in `records` the record of each is. */
  readonly places: ReadonlyMap<number, number>;
}

export class PendingFacts {
  #room = none;
  #end = 0;
  /** By UID where its record is, in their order. */
  readonly #places = new Map<number, number>();
  /** Octets of records. */
  octets = 0;

  /** Octets of the facts of a message; 0 where none wait. */
  lengthOf(uid: number): number {
    const at = this.#places.get(uid);
    return at === undefined ? 0 : lengthAt(this.#room, at);
  }

  /** Facts that wait, good until the next ones are put or what waits is written. */
  get(uid: number): Buffer | undefined {
    const at = this.#places.get(uid);
    if (at === undefined) return undefined;
    const from = at + recordHead + keyLengthOf(this.#room, at);
    return this.#room.subarray(from, from + lengthAt(this.#room, at));
  }

  /** Takes a copy of facts, in place of those that wait of the message. */
  put(uid: number, key: Buffer, facts: Buffer): void {
    this.drop(uid);
    const length = recordLength(key, facts);
    this.#makeRoom(this.#end + length);
    this.#places.set(uid, this.#end);
    this.#end = putRecord(this.#room, this.#end, key, facts);
    this.octets += length;
  }

  drop(uid: number): void {
    const at = this.#places.get(uid);
    if (at === undefined) return;
    this.octets -= this.#whole(at);
    this.#places.delete(uid);
  }

  /** Records of messages that are still there, none of which was dropped; good until the next facts are put. */
  waiting(isThere: (uid: number) => boolean): Waiting {
    for (const uid of this.#places.keys()) if (!isThere(uid)) this.drop(uid);
    if (this.octets < this.#end) this.#closeUp();
    return { records: this.#room.subarray(0, this.#end), places: this.#places };
  }

  /** Nothing waits any more. @param more there will be more soon: the room stays */
  clear(more: boolean): void {
    this.#places.clear();
    this.#end = this.octets = 0;
    if (!more) this.#room = none;
  }

  #whole(at: number): number {
    return recordHead + keyLengthOf(this.#room, at) + lengthAt(this.#room, at);
  }

  /** Moves records to where others were dropped; a Map keeps the order in which they came. */
  #closeUp(): void {
    let to = 0;
    for (const [uid, at] of this.#places) {
      const end = at + this.#whole(at);
      this.#room.copyWithin(to, at, end);
      this.#places.set(uid, to);
      to += end - at;
    }
    this.#end = to;
  }

  #makeRoom(needed: number): void {
    if (needed <= this.#room.length) return;
    const room = Buffer.allocUnsafeSlow(Math.max(leastRoom, needed, 2 * this.#room.length));
    this.#room.copy(room, 0, 0, this.#end);
    this.#room = room;
  }
}
