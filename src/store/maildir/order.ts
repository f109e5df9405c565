/**
 * The order in which files without a UID get theirs: that of delivery. Each loop is a function of its own: a mailbox is opened once in a process, and V8
 * runs functions fast that were called before, and loops only when they have gone on for some time.
 */
import { deliveryTime } from "./filename.ts";
import { inCur, type NewFiles } from "./row.ts";
import type { Strangers } from "./scan.ts";

/** A century. */
const latest = 2 ** 32 - 1;

/** Strangers in order of delivery, each base name once. */
export function inOrder(strangers: Strangers): NewFiles {
  const { names: octets, length, from, to, place, set } = strangers;
  const times = new Float64Array(length);
  const earliest = takeTimes(times, octets, from, to);
  // Seconds, and behind them numbers of files, in 64 bits: such are sorted without a call for each comparison. What came within one second is then put in order by the rest.
  const keys = new BigUint64Array(length);
  const halves = new Uint32Array(keys.buffer);
  takeKeys(halves, times, earliest);
  keys.sort();
  const order = takeNumbers(new Uint32Array(length), halves);
  const names = new Names(strangers, octets);
  sortWithinSeconds(order, halves, (a, b) => times[a] - times[b] || names.compare(a, b) || b - a);
  const count = dropDoubles(order, (a, b) => times[a] === times[b] && names.compare(a, b) === 0);
  const column = (values: Uint32Array): Uint32Array => ordered(values, order, count);
  return { length: count, octets, from: column(from), to: column(to), place: column(place), set: column(set) };
}

/** @returns the earliest time, µs */
function takeTimes(times: Float64Array, names: Buffer, from: Uint32Array, to: Uint32Array): number {
  let earliest = Infinity;
  for (let i = 0; i < times.length; i++) {
    const time = deliveryTime(names, from[i], to[i]);
    times[i] = time;
    if (time < earliest) earliest = time;
  }
  return earliest;
}

/** Of each key first the lower half: the processors that we run on are little-endian. */
function takeKeys(halves: Uint32Array, times: Float64Array, earliest: number): void {
  for (let i = 0; i < times.length; i++) {
    halves[2 * i] = i;
    halves[2 * i + 1] = Math.min(Math.floor((times[i] - earliest) / 1_000_000), latest);
  }
}

function takeNumbers(order: Uint32Array, halves: Uint32Array): Uint32Array {
  for (let i = 0; i < order.length; i++) order[i] = halves[2 * i];
  return order;
}

function sortWithinSeconds(order: Uint32Array, halves: Uint32Array, compare: (a: number, b: number) => number): void {
  for (let i = 0, end = 0; i < order.length; i = end) {
    end = endOfSecond(halves, i);
    if (end > i + 1) order.subarray(i, end).sort(compare);
  }
}

function endOfSecond(halves: Uint32Array, from: number): number {
  const second = halves[2 * from + 1];
  let end = from + 1;
  while (2 * end < halves.length && halves[2 * end + 1] === second) end++;
  return end;
}

/** Met in new/ and then in cur/: the later counts, which is the first here. @returns how many are left */
function dropDoubles(order: Uint32Array, same: (a: number, b: number) => boolean): number {
  let count = 0;
  for (let i = 0; i < order.length; i++) if (count === 0 || !same(order[i], order[count - 1])) order[count++] = order[i];
  return count;
}

function ordered(values: Uint32Array, order: Uint32Array, count: number): Uint32Array {
  const column = new Uint32Array(count);
  for (let i = 0; i < count; i++) column[i] = values[order[i]];
  return column;
}

class Names {
  readonly #strangers: Strangers;
  readonly #octets: Buffer;

  constructor(strangers: Strangers, octets: Buffer) {
    this.#strangers = strangers;
    this.#octets = octets;
  }

  /** By the whole name, as Dovecot: where one base name begins another, a colon stands behind it, or nothing. From new/ it would come with one. */
  compare(a: number, b: number): number {
    const { from, to } = this.#strangers;
    const [lengthA, lengthB] = [to[a] - from[a], to[b] - from[b]];
    const length = Math.min(lengthA, lengthB);
    const order = this.#octets.compare(this.#octets, from[b], from[b] + length, from[a], from[a] + length);
    return order !== 0 || lengthA === lengthB ? order : this.#behind(a, length) - this.#behind(b, length);
  }

  #behind(i: number, length: number): number {
    const { from, to, set, place } = this.#strangers;
    if (from[i] + length < to[i]) return this.#octets[from[i] + length];
    return set[i] === 0 && place[i] === inCur ? 0 : 0x3a;
  }
}
