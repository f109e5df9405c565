/** UIDs of messages that no session has claimed as \Recent yet, wherever they are by now: as a rule they came together and follow each other. Pure. */
export class Unclaimed {
  /** [from, to) */
  #from = 0;
  #to = 0;
  readonly #others = new Set<number>();

  get none(): boolean {
    return this.#from === this.#to && this.#others.size === 0;
  }

  has(uid: number): boolean {
    return (uid >= this.#from && uid < this.#to) || (this.#others.size > 0 && this.#others.has(uid));
  }

  add(uid: number): void {
    this.addRange(uid, uid + 1);
  }

  /** All of [from, to). */
  addRange(from: number, to: number): void {
    if (from >= to) return;
    if (this.#from === this.#to) this.#from = from;
    else if (from !== this.#to) {
      for (let uid = from; uid < to; uid++) this.#others.add(uid);
      return;
    }
    this.#to = to;
  }

  clear(): void {
    this.#from = this.#to = 0;
    this.#others.clear();
  }
}
