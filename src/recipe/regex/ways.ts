/** The ways through an automaton that are under way at one place: its eating states, each once. */
import { opAccept, opMark, opSplit, type Program } from "./nfa.ts";

/** Entries of lists of states reached, for each state of the automaton, and some. */
const listed = 8;
const listedAtLeast = 4096;

/** For states that do not eat: the eating states that are reached from them, listed as they are asked for while that stays small. */
export class Reach {
  readonly #lists: (Int32Array | undefined)[] = [];
  readonly #ways: Ways;
  #left: number;

  constructor(program: Program) {
    this.#ways = new Ways(program);
    this.#left = listed * program.op.length + listedAtLeast;
  }

  get octets(): number {
    return this.#lists.length * 8 + this.#ways.states.length * 12;
  }

  /** -1 is among them if the end of the expression is. undefined: there are too many to list. */
  from(state: number): Int32Array | undefined {
    return this.#lists[state] ?? this.#list(state);
  }

  #list(state: number): Int32Array | undefined {
    if (this.#left <= 0) return undefined;
    const ways = this.#ways;
    ways.clear();
    ways.follow(state);
    this.#left -= ways.count + 4;
    const list = Int32Array.from(ways.states.subarray(0, ways.count));
    return (this.#lists[state] = ways.accepts ? Int32Array.of(...list, -1) : list);
  }
}

export class Ways {
  readonly states: Int32Array;
  count = 0;
  /** The end of the expression was reached. */
  accepts = false;
  /** Steps made so far. */
  work = 0;
  readonly #program: Program;
  readonly #seen: Uint32Array;
  readonly #stack: Int32Array;
  #generation = 0;
  /** 1 for a state that is not listed. */
  readonly #leftOut: Uint8Array;
  readonly #reach: Reach | undefined;

  constructor(program: Program, leftOut: Uint8Array = new Uint8Array(program.op.length), reach?: Reach) {
    this.#program = program;
    this.#leftOut = leftOut;
    this.#reach = reach;
    this.states = new Int32Array(program.op.length);
    this.#seen = new Uint32Array(program.op.length);
    this.#stack = new Int32Array(program.op.length + 1);
  }

  clear(): void {
    this.count = 0;
    this.accepts = false;
    if (++this.#generation < 0xffffffff) return;
    this.#seen.fill(0);
    this.#generation = 1;
  }

  /** Adds eating states. */
  add(states: Int32Array): void {
    this.work += states.length;
    for (let n = 0; n < states.length; n++) {
      const state = states[n];
      if (this.#seen[state] === this.#generation) continue;
      this.#seen[state] = this.#generation;
      this.states[this.count++] = state;
    }
  }

  /** Adds what is reached from `from` without eating. */
  follow(from: number): void {
    const { op, next, other } = this.#program;
    const leftOut = this.#leftOut;
    const seen = this.#seen;
    const generation = this.#generation;
    if (seen[from] === generation) return;
    const stack = this.#stack;
    let depth = 0;
    let steps = 0;
    let state = from;
    for (;;) {
      if (seen[state] !== generation) {
        seen[state] = generation;
        steps++;
        const does = op[state];
        if (does >= 0) {
          if (leftOut[state] === 0) this.states[this.count++] = state;
        } else if (does === opSplit) {
          if (other[state] >= 0 && seen[other[state]] !== generation) stack[depth++] = other[state];
          state = next[state];
          continue;
        } else if (does === opMark) {
          state = next[state];
          continue;
        } else if (does === opAccept) {
          this.accepts = true;
        }
      }
      if (depth === 0) break;
      state = stack[--depth];
    }
    this.work += steps;
  }

  /** Adds what is reached from those of `states`, from a place in it to another, that eat a symbol of the class. */
  advance(states: Int32Array, begin: number, end: number, class_: number): void {
    const { op, next, classes } = this.#program;
    const { has, count: width } = classes;
    let work = end - begin;
    for (let n = begin; n < end; n++) {
      const state = states[n];
      if (has[op[state] * width + class_] === 0) continue;
      const to = next[state];
      if (op[to] >= 0) {
        this.#meet(to);
        work++;
        continue;
      }
      const list = this.#reach?.from(to);
      if (list === undefined) {
        this.follow(to);
        continue;
      }
      for (let k = 0; k < list.length; k++) this.#meet(list[k]);
      work += list.length;
    }
    this.work += work;
  }

  #meet(state: number): void {
    if (state < 0) {
      this.accepts = true;
    } else if (this.#seen[state] !== this.#generation) {
      this.#seen[state] = this.#generation;
      if (this.#leftOut[state] === 0) this.states[this.count++] = state;
    }
  }

  /** The eating states met after the first `from`, in ascending order, for good. */
  sorted(from = 0): Int32Array {
    return ascending(this.states.slice(from, this.count));
  }
}

/** Sorts in place. Most are few. */
export function ascending(states: Int32Array): Int32Array {
  if (states.length > 12) return states.sort();
  for (let n = 1; n < states.length; n++) {
    const state = states[n];
    let at = n;
    for (; at > 0 && states[at - 1] > state; at--) states[at] = states[at - 1];
    states[at] = state;
  }
  return states;
}
