/** Sorting messages by ranks, in linear time. RFC 5256 §3 SORT. Pure. */

/** One criterion: equal values have equal ranks; by message. Ranks are below 2^26. */
export interface Ranking {
  readonly ranks: Uint32Array;
  readonly reverse: boolean;
}

/**
 * Messages 0 to `count`-1 in the order the rankings say, the first of them first; messages that they do not tell apart stay in their order,
 * reversed or not (RFC 5256 §3).
 */
export function sortByRanks(count: number, rankings: readonly Ranking[]): Uint32Array {
  let order = countTo(count);
  // The last criterion first: each pass keeps the order of the one before among equals.
  for (const { ranks, reverse } of rankings.toReversed()) order = pass(order, ranks, reverse);
  return order;
}

/** 0, 1 ... `count`-1. */
export function countTo(count: number): Uint32Array<ArrayBuffer> {
  const numbers = new Uint32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  return numbers;
}

function inOrder(order: Uint32Array, ranks: Uint32Array): boolean {
  let before = 0;
  for (let i = 0; i < order.length; i++) {
    const rank = ranks[order[i] ?? 0] ?? 0;
    if (rank < before) return false;
    before = rank;
  }
  return true;
}

/** A counting sort. */
function pass(order: Uint32Array<ArrayBuffer>, ranks: Uint32Array, reverse: boolean): Uint32Array<ArrayBuffer> {
  if (!reverse && inOrder(order, ranks)) return order;
  const count = order.length;
  let highest = 0;
  for (let i = 0; i < count; i++) highest = Math.max(highest, ranks[i] ?? 0);
  const slots = new Uint32Array(count);
  const starts = new Uint32Array(highest + 2);
  for (let i = 0; i < count; i++) {
    const rank = ranks[i] ?? 0;
    const slot = reverse ? highest - rank : rank;
    slots[i] = slot;
    starts[slot + 1] = (starts[slot + 1] ?? 0) + 1;
  }
  for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  const sorted = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const n = order[i] ?? 0;
    const slot = slots[n] ?? 0;
    const at = starts[slot] ?? 0;
    sorted[at] = n;
    starts[slot] = at + 1;
  }
  return sorted;
}

/** Dense ranks of numbers: 0 for the least. NaN is not a number here. */
export function rankNumbers(values: Float64Array): Uint32Array {
  return ascending(values) ?? rankSorted(values);
}

/** Ranks of values that ascend already, as dates of arrival do as a rule; undefined where they do not. */
function ascending(values: Float64Array): Uint32Array | undefined {
  const ranks = new Uint32Array(values.length);
  let before = values[0] ?? 0;
  let rank = 0;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value < before) return undefined;
    if (value > before) rank++;
    before = value;
    ranks[i] = rank;
  }
  return ranks;
}

function rankSorted(values: Float64Array): Uint32Array {
  const places = 2 ** Math.ceil(Math.log2(values.length));
  const { least, unit, steps } = scaleOf(values);
  return steps * places <= 2 ** 53 ? rankWithPlaces(values, least, unit, places) : rankDistinct(values);
}

/** Between whole numbers, which seconds in ms are, counted in a unit that divides all of them. */
function scaleOf(values: Float64Array): { readonly least: number; readonly unit: number; readonly steps: number } {
  let least = Infinity;
  let most = -Infinity;
  let seconds = true;
  let whole = true;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value < least) least = value;
    if (value > most) most = value;
    const second = value / 1000;
    seconds &&= Math.floor(second) === second;
    whole &&= Math.floor(value) === value;
  }
  const unit = seconds ? 1000 : 1;
  return { least, unit, steps: whole ? (most - least) / unit + 1 : Infinity };
}

/** Each value goes with its place through the sorting, in one exact number: value * `places` + place. */
function rankWithPlaces(values: Float64Array, least: number, unit: number, places: number): Uint32Array {
  const sorted = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) sorted[i] = (((values[i] ?? 0) - least) / unit) * places + i;
  sorted.sort();
  const ranks = new Uint32Array(values.length);
  let before = 0;
  let rank = 0;
  for (let i = 0; i < sorted.length; i++) {
    const one = sorted[i] ?? 0;
    // `places` is a power of two: what is divided by it is exact.
    const value = Math.floor(one / places);
    if (value !== before) rank++;
    before = value;
    ranks[one - value * places] = rank;
  }
  return ranks;
}

function rankDistinct(values: Float64Array): Uint32Array {
  const sorted = values.slice().sort();
  let distinct = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[distinct++] = sorted[i] ?? 0;
  const least = sorted.subarray(0, distinct);
  const ranks = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) ranks[i] = lowerBound(least, values[i] ?? 0);
  return ranks;
}

function lowerBound(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? Infinity) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
