/** Over what a search at rest can skip: octets with which no match begins. */
import type { Window } from "../../message/octets.ts";

/** Octets that are looked at one by one before the whole rest is searched. */
const nearby = 8;
/** Skips after which is seen what they were good for. */
const trial = 64;

export class LeadSkip {
  /** False when looking at each octet is quicker. */
  useful = false;
  /** All octets with which a match begins, if they are two at most. */
  readonly #few: readonly number[] | undefined;
  readonly #leads = new Uint8Array(256);
  /** Skips that are shorter on average cost more than they save. */
  readonly #worth: number;
  #skips = 0;
  #began = 0;
  /** Where each of the few is next, at or behind the last place asked for, or the end of the window then. */
  #nextA = -1;
  #nextB = -1;

  constructor(leads: readonly number[]) {
    for (const octet of leads) this.#leads[octet] = 1;
    this.#few = leads.length <= 2 ? leads : undefined;
    this.#worth = leads.length < 2 ? 24 : 48;
  }

  /** Before another area is searched. Within one area places only ascend. */
  begin(from: number): void {
    this.useful = this.#few !== undefined;
    this.#skips = 0;
    this.#began = from;
    this.#nextA = this.#nextB = -1;
  }

  /** The first place at or behind `i` where a match can begin; the end of the window if there is none. */
  skip(window: Window, i: number): number {
    if (!this.useful || this.#few === undefined) return i;
    const { octets, start } = window;
    const end = start + octets.length;
    const near = Math.min(i + nearby, end);
    for (; i < near; i++) if (this.#leads[octets[i - start]] === 1) break;
    if (i === near && i < end) i = Math.min(this.#far(window, i, this.#few), end);
    if (++this.#skips === trial) {
      this.useful = i - this.#began > trial * this.#worth;
      this.#skips = 0;
      this.#began = i;
    }
    return i;
  }

  #far(window: Window, i: number, few: readonly number[]): number {
    if (few.length === 0) return window.start + window.octets.length;
    if (this.#nextA < i) this.#nextA = place(window, few[0], i);
    if (few.length === 1) return this.#nextA;
    if (this.#nextB < i) this.#nextB = place(window, few[1], i);
    return Math.min(this.#nextA, this.#nextB);
  }
}

function place({ octets, start }: Window, octet: number, from: number): number {
  const at = octets.indexOf(octet, from - start);
  return start + (at < 0 ? octets.length : at);
}
