/** UIDs as runs of those that follow each other: messages that came together do, and are then one run however many they are. Pure. */
import type { Uid } from "./mailbox.ts";

export class UidRuns {
  /** Where each run begins, and ends with the UID before `to`: ascending, no two touch. */
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  #size = 0;

  static of(uids: Iterable<number>): UidRuns {
    const runs = new UidRuns();
    for (const uid of uids) runs.add(uid);
    return runs;
  }

  get size(): number {
    return this.#size;
  }

  has(uid: number): boolean {
    const run = this.#after(uid) - 1;
    return run >= 0 && uid < this.#to[run];
  }

  /** The first run that begins above a UID. */
  #after(uid: number): number {
    let low = 0;
    let high = this.#from.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#from[middle] > uid) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  add(uid: number): void {
    this.addRange(uid, uid + 1);
  }

  /** All of [from, to). */
  addRange(from: number, to: number): void {
    if (from >= to) return;
    // Mostly behind all others.
    const last = this.#to.length - 1;
    if (last >= 0 && this.#to[last] === from) {
      this.#to[last] = to;
      this.#size += to - from;
      return;
    }
    const end = this.#after(to);
    let begin = end;
    while (begin > 0 && this.#to[begin - 1] >= from) this.#size -= this.#to[--begin] - this.#from[begin];
    const [start, stop] = begin === end ? [from, to] : [Math.min(from, this.#from[begin]), Math.max(to, this.#to[end - 1])];
    this.#from.splice(begin, end - begin, start);
    this.#to.splice(begin, end - begin, stop);
    this.#size += stop - start;
  }

  delete(uid: number): void {
    const run = this.#after(uid) - 1;
    if (run < 0 || uid >= this.#to[run]) return;
    const [from, to] = [this.#from[run], this.#to[run]];
    this.#from.splice(run, 1, ...(uid > from ? [from] : []), ...(uid + 1 < to ? [uid + 1] : []));
    this.#to.splice(run, 1, ...(uid > from ? [uid] : []), ...(uid + 1 < to ? [to] : []));
    this.#size--;
  }

  clear(): void {
    this.#from.length = 0;
    this.#to.length = 0;
    this.#size = 0;
  }

  /** How many are not above a UID. */
  countTo(last: number): number {
    let count = 0;
    for (let run = 0; run < this.#from.length && this.#from[run] <= last; run++) count += Math.min(this.#to[run], last + 1) - this.#from[run];
    return count;
  }

  /** Runs as [from, to), ascending. */
  *runs(): Generator<readonly [from: number, to: number]> {
    for (let run = 0; run < this.#from.length; run++) yield [this.#from[run], this.#to[run]];
  }

  /** Ascending. */
  *[Symbol.iterator](): Generator<Uid> {
    for (const [from, to] of this.runs()) for (let uid = from; uid < to; uid++) yield uid as Uid;
  }
}
