/** Whether numbers of an index file make sense. One kind of array each, so that the loops are those of numbers however seldom they ran. Pure. */
/** Greater than 0, each greater than the one before. */
export function uidsAscend(uids: Uint32Array): boolean {
  let last = 0;
  for (let row = 0, { length } = uids; row < length; row++) {
    const uid = uids[row];
    if (uid <= last) return false;
    last = uid;
  }
  return true;
}

/** Stretches that begin at `at` end before or at `end`. */
export function endsWithin(at: Uint32Array, lengths: Uint32Array, end: number): boolean {
  for (let row = 0, { length } = at; row < length; row++) if (at[row] + lengths[row] > end) return false;
  return true;
}

/** All are less than `end`. */
export function isBelow(numbers: Uint32Array, end: number): boolean {
  for (let row = 0, { length } = numbers; row < length; row++) if (numbers[row] >= end) return false;
  return true;
}

/** Each greater than the one before, and all less than `below`. */
export function ascending(rows: Uint32Array, below: number): boolean {
  let last = -1;
  for (let i = 0, { length } = rows; i < length; i++) {
    const row = rows[i];
    if (row >= below || row <= last) return false;
    last = row;
  }
  return true;
}
