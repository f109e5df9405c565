/**
 * What is found each time. procmail does not wait for a command without the flag w, and one that reads nothing may be gone before its mail is
 * written or not: such a difference goes the other way at another try, one of ours stays.
 */
export async function lasting<T>(look: () => Promise<readonly T[]>, tries = 5): Promise<readonly T[]> {
  for (let left = tries; ; left--) {
    const found = await look();
    if (found.length === 0 || left === 1) return found;
  }
}
