/** Queue ids: see INTERNALS.md. Base 52 without vowels, as Postfix's long queue ids, so that no id spells a word. */

const digits52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
const pattern = /^[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{6,8}[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{4}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{4}$/;

export const isQueueId = (name: string): boolean => pattern.test(name);

function encode(n: number, base: number, width: number): string {
  let text = "";
  for (let rest = n; rest > 0 || text.length < width; rest = Math.floor(rest / base)) text = (digits52[rest % base] ?? "0") + text;
  return text;
}

/**
 * Makes ids that rise and never repeat within one life of the program.
 *
 * @param now     ms since the epoch
 * @param random  [0, 1): tells lives of the program apart when the clock was set back
 */
export function queueIds(now: () => number, random: number): () => string {
  const life = encode(Math.floor(random * 51 ** 4), 51, 4);
  let last = 0;
  return () => {
    last = Math.max(Math.floor(now()) * 1000, last + 1);
    return `${encode(Math.floor(last / 1e6), 52, 6)}${encode(last % 1e6, 52, 4)}z${life}`;
  };
}
