/** MODSEQs of one mailbox and which UIDs were expunged with which, as far back as room allows (RFC 7162 §3.2.10). */
import type { ModSeq, Uid } from "../mailbox.ts";
import { Columns } from "./columns.ts";

/** Expunges remembered; half of them are dropped when there are more. */
export const historyLimit = 65_536;

/** Who was told of something between these two may know of messages that are not known here. */
export type Gap = readonly [after: number, before: number];

export class History {
  readonly #gone = new Columns({ uid: "u32", modSeq: "f64" } as const);
  #written = 0;
  #highest: number;
  #floor: number;
  #gap: Gap | undefined;

  /** @param now µs since the epoch: nothing is known of the time before */
  constructor(now: number) {
    this.#highest = now;
    this.#floor = now;
  }

  get highest(): ModSeq {
    return this.#highest as ModSeq;
  }

  /** Expunges with a higher MODSEQ are all known, but for those in the gap. */
  get floor(): number {
    return this.#floor;
  }

  get gap(): Gap | undefined {
    return this.#gap;
  }

  next(now: number): ModSeq {
    this.#highest = Math.max(this.#highest + 1, Math.floor(now));
    return this.#highest as ModSeq;
  }

  /** Somebody may have been told of changes up to this MODSEQ, of messages among them that came and went since. */
  reach(modSeq: number): void {
    if (modSeq <= this.#highest) return;
    if (this.#floor === this.#highest) this.#floor = modSeq;
    else {
      if (this.#gap !== undefined) this.#floor = Math.max(this.#floor, this.#gap[1]);
      this.#gap = [this.#highest, modSeq];
    }
    this.#highest = modSeq;
  }

  add(uid: number, modSeq: ModSeq): void {
    this.#gone.add({ uid, modSeq });
    if (this.#gone.length > historyLimit) this.#forget(historyLimit >> 1);
  }

  /** Forgets the oldest, whole MODSEQs: all down to that of the last of `count`. */
  #forget(count: number): void {
    this.#floor = this.#gone.at.modSeq[count - 1];
    this.#dropForgotten();
  }

  #dropForgotten(): void {
    const count = this.#firstAbove(this.#floor);
    this.#gone.remove(Array.from({ length: count }, (_, i) => i));
    this.#written = Math.max(0, this.#written - count);
  }

  #firstAbove(modSeq: number): number {
    const modSeqs = this.#gone.at.modSeq;
    let low = 0;
    let high = this.#gone.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (modSeqs[middle] <= modSeq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  since(modSeq: number): readonly Uid[] | undefined {
    if (modSeq < this.#floor || (this.#gap !== undefined && this.#gap[0] < modSeq && modSeq < this.#gap[1])) return undefined;
    return [...this.#gone.view(0, this.#firstAbove(modSeq))].sort((a, b) => a - b) as Uid[];
  }

  #from(row: number): { readonly expungedUids: Uint32Array; readonly expungedModSeqs: Float64Array } {
    return { expungedUids: this.#gone.view(0, row) as Uint32Array, expungedModSeqs: this.#gone.view(1, row) as Float64Array };
  }

  all(): { readonly expungedUids: Uint32Array; readonly expungedModSeqs: Float64Array } {
    return this.#from(0);
  }

  unwritten(): { readonly expungedUids: Uint32Array; readonly expungedModSeqs: Float64Array } {
    return this.#from(this.#written);
  }

  written(): void {
    this.#written = this.#gone.length;
  }

  take(change: { readonly modSeq: number; readonly floor: number; readonly gap?: Gap | undefined; readonly expungedUids: Uint32Array; readonly expungedModSeqs: Float64Array }): void {
    this.#gone.addAll([change.expungedUids, change.expungedModSeqs], change.expungedUids.length);
    this.#highest = change.modSeq;
    this.#floor = change.floor;
    this.#gap = change.gap;
    this.#dropForgotten();
  }
}
