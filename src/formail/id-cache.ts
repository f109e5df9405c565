/**
 * The cache of `formail -D`: keys that were seen, each ended by a NUL, in a ring of about a given size. An empty key marks where the next one
 * goes: behind the newest, before the oldest. Shared with the original program, which keeps the same octets.
 */

export interface Lookup {
  readonly found: boolean;
  /** Where a key that was not found is to be written. */
  readonly at: number;
}

/**
 * Looks for `key`, 1 or more octets, in the cache's octets. What stands right behind the mark is the rest of an overwritten key.
 *
 * @param maxlen  octets; keys that start behind it do not count, and the ring starts again at the front when the newest key does not end before it
 */
export function lookup(cache: Buffer, key: Buffer, maxlen: number): Lookup {
  let mark = -1;
  let start = 0;
  while (start < maxlen) {
    const end = cache.indexOf(0, start);
    if (end < 0) break;
    if (end === start) {
      if (mark < 0) mark = start;
    } else if (mark >= 0 && start === mark + 1) {
      start = end + 1;
      continue;
    } else if (end - start === key.length && cache.compare(key, 0, key.length, start, end) === 0) return { found: true, at: start };
    start = end + 1;
  }
  const at = mark < 0 ? start : mark;
  return { found: false, at: at >= maxlen ? 0 : at };
}

/** What is written for a key: the key and the mark behind it, as one write. */
export const entry = (key: Buffer): Buffer => Buffer.concat([key, Buffer.alloc(2)]);
