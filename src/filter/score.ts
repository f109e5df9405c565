/** Weighted conditions: procmailsc(5). Pure. */
import type { Octets } from "../message/octets.ts";
import type { Weight } from "../recipe/tree.ts";
import type { Regex } from "../recipe/regex/regex.ts";

const most = 2147483647;

export const clamp = (score: number): number => Math.min(Math.max(score, -most), most);
export const isHighest = (score: number): boolean => score >= most;
export const isLowest = (score: number): boolean => score <= -most;

/** $=: whole, but what is above 0 does not become 0. */
export const shown = (score: number): string => String(score > 0 && score < 1 ? 1 : Math.trunc(score));

const isDone = (score: number): boolean => isHighest(score) || isLowest(score);

/** w + w*x + w*x*x ... for n matches. @param before the score so far: what it comes to has an end */
export function repeated({ w, x }: Weight, n: number, before: number): number {
  let sum = 0;
  let term = w;
  for (let k = 0; k < n && term !== 0; k++) {
    sum += term;
    if (isDone(before + sum) || (Math.abs(term) < 1e-9 && Math.abs(x) < 1)) break;
    term *= x;
  }
  return sum;
}

/**
 * Score of a pattern in a text: each match counts; one that eats nothing counts without end. When x makes the terms smaller, the first below 1
 * is the last. Yields MATCH of each match, where there is one.
 *
 * @param before the score so far
 */
export function* regexScore(regex: Regex, area: Buffer | Octets, weight: Weight, before: number): Generator<Buffer, number> {
  const { w, x } = weight;
  // procmail does not even look.
  if (w === 0) return 0;
  let sum = 0;
  let term = w;
  for (const found of regex.matches(area)) {
    if (regex.match !== undefined) yield regex.match;
    if (found === "endless") {
      if (x >= 1) return sum + term + (w > 0 ? most : -most);
      return Math.abs(x) < 1 ? sum + term / (1 - x) : sum + term;
    }
    sum += term;
    if (isDone(before + sum) || x === 0 || (Math.abs(term) < 1 && Math.abs(x) < 1)) break;
    term *= x;
  }
  return sum;
}

/** (size / limit) ^ x, or the other way round for "<". */
export function sizeScore({ w, x }: Weight, than: "<" | ">", size: number, limit: number): number {
  const ratio = than === ">" ? size / limit : limit / size;
  if (limit === 0 || size === 0) return Number.isFinite(ratio) ? w * ratio ** x : w * most;
  return w * ratio ** x;
}
