/** Ways through a small automaton as bits, one for each eating state: a step costs the same however many are under way. */
import type { Program } from "./nfa.ts";
import { Ways } from "./ways.ts";

/** Most eating states: their table has 256 KiB. */
const statesLimit = 255;

export class BitWays {
  /** The last run ended because the expression did. */
  matched = false;
  /** Behind the last octet of the last run where the expression could end, or -1. */
  lastEnd = -1;
  /** Steps made so far: one for eight states. */
  work = 0;
  readonly #of: Uint8Array | Uint16Array;
  readonly #words: number;
  /** By bit: its state. The bit behind them is the end of the expression. */
  readonly #states: Int32Array;
  readonly #bitOf = new Map<number, number>();
  /** Words by class: the states that eat it, and those behind it of a way that begins with it. */
  readonly #eats: Int32Array;
  readonly #first: Int32Array;
  /** Words by eight bits of the states, in all combinations: what they lead to. */
  readonly #follow: Int32Array;
  #now: Int32Array;
  #then: Int32Array;

  /** undefined: the automaton is too large. `first` says what a way that begins with a symbol of a class leads to: undefined is the end of the expression. */
  static of(program: Program, leftOut: Uint8Array, first: (class_: number) => Int32Array | undefined): BitWays | undefined {
    const states = Int32Array.from(program.op.keys()).filter((state) => program.op[state] >= 0);
    return states.length > statesLimit ? undefined : new BitWays(program, states, leftOut, first);
  }

  private constructor(program: Program, states: Int32Array, leftOut: Uint8Array, first: (class_: number) => Int32Array | undefined) {
    const { classes, op, next } = program;
    this.#of = classes.of;
    this.#states = states;
    states.forEach((state, bit) => this.#bitOf.set(state, bit));
    const words = (this.#words = (states.length >> 5) + 1);
    this.#now = new Int32Array(words);
    this.#then = new Int32Array(words);
    this.#eats = new Int32Array(classes.count * words);
    this.#first = new Int32Array(classes.count * words);
    for (let class_ = 0; class_ < classes.count; class_++) {
      states.forEach((state, bit) => {
        if (classes.has[op[state] * classes.count + class_] === 1) set(this.#eats, class_ * words, bit);
      });
      const begun = first(class_);
      if (begun === undefined) set(this.#first, class_ * words, states.length);
      else for (const state of begun) this.#setState(this.#first, class_ * words, state);
    }
    this.#follow = new Int32Array(words * 4 * 256 * words);
    const ways = new Ways(program, leftOut);
    states.forEach((state, bit) => {
      ways.clear();
      ways.follow(next[state]);
      const at = ((bit >> 3) * 256 + (1 << (bit & 7))) * words;
      for (const reached of ways.states.subarray(0, ways.count)) this.#setState(this.#follow, at, reached);
      if (ways.accepts) set(this.#follow, at, states.length);
    });
    // A combination leads to what its lowest bit does, and the others.
    for (let entry = 0; entry < words * 4 * 256; entry++) {
      const bits = entry & 255;
      const others = bits & (bits - 1);
      if (others === 0) continue;
      for (let word = 0; word < words; word++) {
        this.#follow[entry * words + word] = this.#follow[(entry - bits + others) * words + word] | this.#follow[(entry - others) * words + word];
      }
    }
  }

  get octets(): number {
    return (this.#follow.length + 2 * this.#eats.length) * 4 + this.#states.length * 40;
  }

  clear(): void {
    this.#now.fill(0);
  }

  add(states: Int32Array): void {
    for (const state of states) this.#setState(this.#now, 0, state);
  }

  /** The states under way. */
  states(): Int32Array {
    return this.#states.filter((_, bit) => ((this.#now[bit >> 5] >> (bit & 31)) & 1) === 1);
  }

  /**
   * Reads on from `i`: to `end`, until nothing is under way, or, in a search, until the expression ends.
   * Returns the index behind the last octet read.
   */
  run(octets: Buffer, i: number, end: number, searching: boolean): number {
    const words = this.#words;
    const eats = this.#eats;
    const first = this.#first;
    const follow = this.#follow;
    const final = 1 << (this.#states.length & 31);
    let now = this.#now;
    let then = this.#then;
    const begin = i;
    this.matched = false;
    this.lastEnd = -1;
    while (i < end) {
      const class_ = this.#of[octets[i++]] * words;
      for (let word = 0; word < words; word++) then[word] = first[class_ + word];
      for (let word = 0; word < words; word++) {
        let eight = word * 1024;
        for (let left = now[word] & eats[class_ + word]; left !== 0; left >>>= 8, eight += 256) {
          const bits = left & 255;
          if (bits === 0) continue;
          const at = (eight + bits) * words;
          for (let to = 0; to < words; to++) then[to] |= follow[at + to];
        }
      }
      [now, then] = [then, now];
      if ((now[words - 1] & final) !== 0) {
        this.matched = searching;
        if (searching) break;
        now[words - 1] &= ~final;
        this.lastEnd = i;
      }
      let some = 0;
      for (let word = 0; word < words; word++) some |= now[word];
      if (some === 0) break;
    }
    this.#now = now;
    this.#then = then;
    this.work += (i - begin) * words * 4;
    return i;
  }

  #setState(words: Int32Array, at: number, state: number): void {
    const bit = this.#bitOf.get(state);
    if (bit !== undefined) set(words, at, bit);
  }
}

function set(words: Int32Array, at: number, bit: number): void {
  words[at + (bit >> 5)] |= 1 << (bit & 31);
}
