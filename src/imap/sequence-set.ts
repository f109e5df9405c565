import type { Scanner } from "../syntax/scanner.ts";
import { nzNumber } from "./strings.ts";

/** "*" is the highest number in use; only the session knows it. */
export type SeqNumber = number | "*";

/** As written: order and direction are kept. */
export type SequenceSet = readonly { readonly from: SeqNumber; readonly to: SeqNumber }[];

/**
 * sequence-set = (seq-number / seq-range) *("," sequence-set)
 *
 * RFC 3501 §9. Throws SyntaxFault.
 */
export function sequenceSet(s: Scanner): SequenceSet {
  const ranges: { from: SeqNumber; to: SeqNumber }[] = [];
  do {
    const from = seqNumber(s);
    ranges.push({ from, to: s.take(":") ? seqNumber(s) : from });
  } while (s.take(","));
  return ranges;
}

/** seq-number = nz-number / "*" */
const seqNumber = (s: Scanner): SeqNumber => (s.take("*") ? "*" : nzNumber(s));

/** The inverse; a range of one number is written as that number. */
export const printSequenceSet = (set: SequenceSet): string => set.map((r) => (r.from === r.to ? `${r.from}` : `${r.from}:${r.to}`)).join(",");

/** uid-set of RFC 4315 §4: ascending numbers as ranges, "1:3,7". */
export function printNumbers(ascending: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < ascending.length; ) {
    let j = i;
    while (j + 1 < ascending.length && ascending[j + 1] === (ascending[j] ?? 0) + 1) j++;
    parts.push(i === j ? `${ascending[i]}` : `${ascending[i]}:${ascending[j]}`);
    i = j + 1;
  }
  return parts.join(",");
}
