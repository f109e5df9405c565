/** The ways through an automaton that are under way at one place: its eating states, each once. */
import { opAccept, opMark, opSplit, type Program } from "./nfa.ts";

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

  constructor(program: Program) {
    this.#program = program;
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

  /** Adds what is reached from `from` without eating, but for the states left out. */
  follow(from: number, leftOut: Uint8Array): void {
    const { op, next, other } = this.#program;
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

  /** Adds what is reached from those of `states` that eat a symbol of the class. */
  advance(states: Int32Array, count: number, class_: number, leftOut: Uint8Array): void {
    const { op, next, classes } = this.#program;
    const { has } = classes;
    const width = classes.count;
    for (let n = 0; n < count; n++) {
      const state = states[n];
      if (has[op[state] * width + class_] === 1) this.follow(next[state], leftOut);
    }
    this.work += count;
  }

  /** The eating states in ascending order, for good. */
  sorted(): Int32Array {
    return ascending(this.states.slice(0, this.count));
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
