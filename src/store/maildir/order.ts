/**
 * The order in which files without a UID get theirs: that of delivery. Each loop is a function of its own: a mailbox is opened once in a process, and V8
 * runs functions fast that were called before, and loops only when they have gone on for some time.
 */
import { deliveryTime } from "./filename.ts";
import { inCur, type NewFiles } from "./row.ts";
import type { Strangers } from "./scan.ts";

/** More than there are files in a folder. Times `latest`, a century in seconds, it is still an exact number. */
const numbers = 2 ** 21;
const latest = 2 ** 32 - 1;

/** Strangers in order of delivery, each base name once. */
export function inOrder(strangers: Strangers): NewFiles {
  const { names: octets, length, at } = strangers;
  const times = new Float64Array(length);
  const earliest = takeTimes(times, strangers);
  const many = length > numbers;
  const seconds = new Uint32Array(length);
  // Seconds and numbers in one key sort without a call for each comparison; what came within one second is then put in order by the rest.
  const keys = new Float64Array(length);
  if (!many) takeSeconds(seconds, times, earliest);
  takeKeys(keys, seconds);
  keys.sort();
  const order = new Uint32Array(length);
  takeNumbers(order, keys, many ? Infinity : numbers);
  const names = new Names(strangers);
  sortWithinSeconds(order, seconds, (a, b) => times[a] - times[b] || names.compare(a, b) || b - a);
  const count = dropDoubles(order, (a, b) => times[a] === times[b] && names.compare(a, b) === 0);
  const column = (values: Uint32Array): Uint32Array => ordered(values, order, count);
  return { length: count, octets, from: column(at.from), to: column(at.to), place: column(at.place), set: column(at.set) };
}

/** @returns the earliest time, µs */
function takeTimes(times: Float64Array, { names, at: { from, to }, length }: Strangers): number {
  let earliest = Infinity;
  for (let i = 0; i < length; i++) {
    const time = deliveryTime(names, from[i], to[i]);
    times[i] = time;
    if (time < earliest) earliest = time;
  }
  return earliest;
}

function takeSeconds(seconds: Uint32Array, times: Float64Array, earliest: number): void {
  for (let i = 0; i < times.length; i++) seconds[i] = Math.min(Math.floor((times[i] - earliest) / 1_000_000), latest);
}

function takeKeys(keys: Float64Array, seconds: Uint32Array): void {
  for (let i = 0; i < seconds.length; i++) keys[i] = seconds[i] * numbers + i;
}

function takeNumbers(order: Uint32Array, keys: Float64Array, divisor: number): void {
  for (let i = 0; i < keys.length; i++) order[i] = keys[i] % divisor;
}

function sortWithinSeconds(order: Uint32Array, seconds: Uint32Array, compare: (a: number, b: number) => number): void {
  for (let i = 0, end = 0; i < order.length; i = end) {
    end = endOfSecond(order, seconds, i);
    if (end > i + 1) order.subarray(i, end).sort(compare);
  }
}

function endOfSecond(order: Uint32Array, seconds: Uint32Array, from: number): number {
  const second = seconds[order[from]];
  let end = from + 1;
  while (end < order.length && seconds[order[end]] === second) end++;
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

  constructor(strangers: Strangers) {
    this.#strangers = strangers;
  }

  /** By the whole name, as Dovecot: where one base name begins another, a colon stands behind it, or nothing. From new/ it would come with one. */
  compare(a: number, b: number): number {
    const { names, at: { from, to } } = this.#strangers;
    const length = Math.min(to[a] - from[a], to[b] - from[b]);
    const order = names.compare(names, from[b], from[b] + length, from[a], from[a] + length);
    return order !== 0 || to[a] - from[a] === to[b] - from[b] ? order : this.#behind(a, length) - this.#behind(b, length);
  }

  #behind(i: number, length: number): number {
    const { names, at: { from, to, set, place } } = this.#strangers;
    if (from[i] + length < to[i]) return names[from[i] + length];
    return set[i] === 0 && place[i] === inCur ? 0 : 0x3a;
  }
}
