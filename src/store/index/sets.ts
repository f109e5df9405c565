/** Strings that many rows share, by number; 0 is "". */

/** Sets above which those that no row has are dropped when a file was read. */
const tidyFrom = 1024;

export class Sets {
  #sets: string[] = [""];
  #numberOf: Map<string, number> | undefined;
  /** So many the file has. */
  #written = 1;

  get length(): number {
    return this.#sets.length;
  }

  at(number: number): string {
    return this.#sets[number];
  }

  get #numbers(): Map<string, number> {
    return (this.#numberOf ??= new Map(this.#sets.map((one, i) => [one, i])));
  }

  has(set: string): boolean {
    return this.#numbers.has(set);
  }

  /** It has one from now on. */
  numberOf(set: string): number {
    let number = this.#numbers.get(set);
    if (number === undefined) this.#numbers.set(set, (number = this.#sets.push(set) - 1));
    return number;
  }

  /** What the file does not have yet, or all but the first. */
  unwritten(): string[] {
    return this.#sets.slice(this.#written);
  }

  all(): string[] {
    return this.#sets.slice(1);
  }

  written(): void {
    this.#written = this.#sets.length;
  }

  /** What follows in the file. */
  take(sets: readonly string[]): void {
    for (const set of sets) this.#sets.push(set);
    this.#numberOf = undefined;
  }

  /** Drops those that are in no column, where they are many, and numbers them anew. @returns whether it did */
  tidy(columns: readonly Uint32Array[]): boolean {
    if (this.#sets.length < tidyFrom) return false;
    const used = new Uint8Array(this.#sets.length);
    used[0] = 1;
    for (const column of columns) for (let row = 0; row < column.length; row++) used[column[row]] = 1;
    const kept = this.#sets.filter((_, i) => used[i] === 1);
    if (this.#sets.length < tidyFrom + 2 * kept.length) return false;
    let next = 0;
    const renumbered = Uint32Array.from(used, (is) => (is === 1 ? next++ : 0));
    for (const column of columns) for (let row = 0; row < column.length; row++) column[row] = renumbered[column[row]];
    this.#sets = kept;
    this.#numberOf = undefined;
    return true;
  }
}
