/** Ranks of texts that are compared octet by octet. Pure. */

/** What messages are sorted by, kept so that later messages find their place without a look at those there are. */
export interface TextRanks {
  /** Distinct, ascending; one character per octet. */
  readonly keys: readonly string[];
  /** By message: the place of its key. */
  readonly ranks: Uint32Array;
}

export function rankTexts(texts: readonly string[]): TextRanks {
  const distinct = new Map<string, number>();
  for (const text of texts) distinct.set(text, 0);
  // Strings of octets: the order of their characters is that of i;octet.
  const keys = [...distinct.keys()].sort();
  keys.forEach((key, rank) => distinct.set(key, rank));
  const ranks = new Uint32Array(texts.length);
  texts.forEach((text, i) => {
    ranks[i] = distinct.get(text) ?? 0;
  });
  return { keys, ranks };
}

/**
 * Ranks of another list of messages, most of which are in the first.
 *
 * @param from  for each message where it stands in the first list; -1 for one that does not
 * @param texts of those that do not, in order
 */
export function mergeTexts({ keys, ranks }: TextRanks, from: Int32Array, texts: readonly string[]): TextRanks {
  const added = rankTexts(texts);
  const merged: string[] = [];
  const oldRank = new Uint32Array(keys.length);
  const newRank = new Uint32Array(added.keys.length);
  for (let i = 0, j = 0; i < keys.length || j < added.keys.length; ) {
    const [a, b] = [keys[i], added.keys[j]];
    const rank = merged.length;
    if (a !== undefined && (b === undefined || a <= b)) oldRank[i++] = rank;
    if (b !== undefined && (a === undefined || b <= a)) newRank[j++] = rank;
    merged.push(a !== undefined && (b === undefined || a <= b) ? a : (b ?? ""));
  }
  let next = 0;
  return {
    keys: merged,
    ranks: Uint32Array.from(from, (row) => (row >= 0 ? oldRank[ranks[row] ?? 0] : newRank[added.ranks[next++] ?? 0]) ?? 0),
  };
}
