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
  let order = Uint32Array.from({ length: count }, (_, i) => i);
  // The last criterion first: each pass keeps the order of the one before among equals.
  for (const { ranks, reverse } of rankings.toReversed()) order = pass(order, ranks, reverse);
  return order;
}

/** A counting sort. */
function pass(order: Uint32Array<ArrayBuffer>, ranks: Uint32Array, reverse: boolean): Uint32Array<ArrayBuffer> {
  let highest = 0;
  for (const n of order) highest = Math.max(highest, ranks[n] ?? 0);
  const starts = new Uint32Array(highest + 2);
  const slot = (n: number): number => (reverse ? highest - (ranks[n] ?? 0) : (ranks[n] ?? 0));
  for (const n of order) starts[slot(n) + 1] = (starts[slot(n) + 1] ?? 0) + 1;
  for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  const sorted = new Uint32Array(order.length);
  for (const n of order) {
    const s = slot(n);
    const at = starts[s] ?? 0;
    sorted[at] = n;
    starts[s] = at + 1;
  }
  return sorted;
}

/** Dense ranks of numbers: 0 for the least. NaN is not a number here. */
export function rankNumbers(values: Float64Array): Uint32Array {
  const sorted = Float64Array.from(values).sort();
  let distinct = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[distinct++] = sorted[i] ?? 0;
  const least = sorted.subarray(0, distinct);
  return Uint32Array.from(values, (v) => lowerBound(least, v));
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
