/** Looking up in UIDs that ascend. Pure. */
import type { Column } from "./columns.ts";

/**
 * Place of the first of `length` ascending numbers that is `uid` or more. As many lie between two of them as UIDs do, or fewer: where none are missing no
 * search is needed, and where few are, a short one.
 */
export function firstFrom(uids: Column, length: number, uid: number): number {
  const last = length - 1;
  if (last < 0 || uid > uids[last]) return length;
  let low = Math.max(0, last - (uids[last] - uid));
  let high = Math.min(last, Math.max(0, uid - uids[0]));
  while (low < high) {
    const middle = (low + high) >> 1;
    if (uids[middle] < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}
