/**
 * From a text that is looked for to an FTS5 query over trigrams of code points. With `detail=none` FTS5 knows which rows hold a trigram
 * and not where, so a needle becomes the conjunction of its trigrams: every text that holds the needle holds them all.
 */

/** Trigrams asked for of one needle. More make a look-up dearer and hardly any rarer. */
const most = 16;

/**
 * An FTS5 query that every row holding `needle` fits, or undefined when there is no trigram to ask for: fewer than three code points, or
 * each three with a NUL (FTS5 queries can not hold one; indexed text has a space in its place) or half of a surrogate pair.
 *
 * @param needle  as `searchable` of message/text.ts makes it
 */
export function trigramQuery(needle: string): string | undefined {
  const points = [...needle];
  const trigrams = new Set<string>();
  for (let at = 0; at + 3 <= points.length; at++) {
    const trigram = points.slice(at, at + 3).join("");
    if (!trigram.includes("\0") && trigram.isWellFormed()) trigrams.add(trigram);
  }
  if (trigrams.size === 0) return undefined;
  const all = [...trigrams];
  const chosen = all.length <= most ? all : Array.from({ length: most }, (_, i) => all[Math.floor((i * (all.length - 1)) / (most - 1))] ?? "");
  return chosen.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(" AND ");
}

/** Text as FTS5 can take it: its tokenizer is not relied on to go on behind a NUL. */
export const withoutNulOctets = (text: Buffer): Buffer => (text.includes(0) ? Buffer.from(text.map((octet) => (octet === 0 ? 0x20 : octet))) : text);
