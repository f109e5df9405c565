/**
 * Runs an automaton over octets in time linear in the text: states of a deterministic automaton are
 * made as they are met and kept in a table of bounded size, which is emptied when it is full.
 */
import { areaEnd, areaStart, opAccept, opMark, opSplit, symbols, type Program } from "./nfa.ts";

/** Most entries of the table of transitions (4 octets each). */
const tableLimit = 1 << 18;

const unknown = -1;
/** Transition into a state that accepts. Offsets of real states are larger. */
const accepted = 0;

export class Dfa {
  readonly #program: Program;
  /** Symbol -> class of symbols that no set tells apart. */
  readonly #classOf: Uint16Array;
  /** One symbol of each class. */
  readonly #sample: number[] = [];
  readonly #stride: number;
  #table: Int32Array;
  /** Entries of #table in use. */
  #used = 0;
  /** By state number (offset / stride): its eating states. */
  #members: Int32Array[] = [];
  #byMembers = new Map<string, number>();
  readonly #mark: Uint32Array;
  #generation = 0;
  readonly #stack: number[] = [];
  /** Members of the state of a search that has nothing under way; undefined when the empty string matches. */
  readonly #initial: Int32Array | undefined;
  /** The only octet that leads away from the initial state, or -1. */
  readonly #lead: number;

  constructor(program: Program) {
    this.#program = program;
    this.#mark = new Uint32Array(program.op.length);
    this.#classOf = new Uint16Array(symbols);
    const classes = new Map<string, number>();
    for (let s = 0; s < symbols; s++) {
      let key = "";
      for (const set of program.sets) key += set[s] === 1 ? "1" : "0";
      let number = classes.get(key);
      if (number === undefined) {
        number = this.#sample.push(s) - 1;
        classes.set(key, number);
      }
      this.#classOf[s] = number;
    }
    this.#stride = this.#sample.length;
    this.#table = new Int32Array(this.#stride * 16);
    this.#initial = this.#closure([]);
    this.#lead = this.#initial === undefined ? -1 : this.#onlyLead(this.#initial);
    this.#forget();
  }

  /**
   * End of the first match to end at or behind `from`, as the index behind its last octet: 0 is the virtual
   * newline's far side, area.length + 1 that of the last. -1 for none. A search
   * from `from` > 0 does not see what is before it.
   */
  find(area: Buffer, from = -1): number {
    if (this.#initial === undefined) return Math.max(from, 0);
    const { length } = area;
    // #forget puts the initial state first, so that its offset never changes.
    const resting = this.#stride;
    let state = resting;
    let i = from;
    if (i < 0) {
      state = this.#step(state, areaStart);
      i = 0;
      if (state === accepted) return 0;
    }
    const lead = this.#lead;
    const classOf = this.#classOf;
    while (i < length) {
      if (lead >= 0 && state === resting) {
        i = area.indexOf(lead, i);
        if (i < 0) {
          i = length;
          break;
        }
      }
      const octet = area[i++] ?? 0;
      let to = this.#table[state + (classOf[octet] ?? 0)] ?? unknown;
      if (to <= accepted) {
        if (to === unknown) to = this.#step(state, octet);
        if (to === accepted) return i;
      }
      state = to;
    }
    return this.#step(state, areaEnd) === accepted ? length + 1 : -1;
  }

  /** The transition out of `state`, made if it is not there. May empty the table: offsets other than the result are then void. */
  #step(state: number, symbol: number): number {
    const cell = state + (this.#classOf[symbol] ?? 0);
    const known = this.#table[cell] ?? unknown;
    if (known !== unknown) return known;
    const { op, next, sets } = this.#program;
    const seeds: number[] = [];
    for (const member of this.#members[state / this.#stride] ?? []) {
      if (sets[op[member] ?? 0]?.[symbol] === 1) seeds.push(next[member] ?? 0);
    }
    const members = this.#closure(seeds);
    if (members === undefined) {
      this.#table[cell] = accepted;
      return accepted;
    }
    const full = this.#used + this.#stride > tableLimit;
    const to = this.#stateOf(members);
    // A table that was emptied meanwhile holds something else at `cell`.
    if (!full) this.#table[cell] = to;
    return to;
  }

  /** Eating states reachable from the seeds and from the start without eating; undefined when the end is reachable. */
  #closure(seeds: readonly number[]): Int32Array | undefined {
    const { op, next, other, start } = this.#program;
    const generation = ++this.#generation;
    const stack = this.#stack;
    stack.length = 0;
    stack.push(start, ...seeds);
    const members: number[] = [];
    for (let s = stack.pop(); s !== undefined; s = stack.pop()) {
      if (s < 0 || this.#mark[s] === generation) continue;
      this.#mark[s] = generation;
      switch (op[s]) {
        case opAccept:
          return undefined;
        case opSplit:
          stack.push(next[s] ?? -1, other[s] ?? -1);
          break;
        case opMark:
          stack.push(next[s] ?? -1);
          break;
        default:
          members.push(s);
      }
    }
    return Int32Array.from(members).sort();
  }

  #stateOf(members: Int32Array): number {
    const key = Buffer.from(members.buffer, members.byteOffset, members.byteLength).toString("latin1");
    const known = this.#byMembers.get(key);
    if (known !== undefined) return known;
    if (this.#used + this.#stride > tableLimit) this.#forget();
    const state = this.#used;
    this.#used += this.#stride;
    if (this.#used > this.#table.length) {
      const larger = new Int32Array(Math.max(this.#used, this.#table.length * 2));
      larger.set(this.#table);
      this.#table = larger;
    }
    this.#table.fill(unknown, state, this.#used);
    this.#members.push(members);
    this.#byMembers.set(key, state);
    return state;
  }

  #forget(): void {
    // State 0 is never used, so that its offset can mean "accepted".
    this.#members = [new Int32Array(0)];
    this.#used = this.#stride;
    this.#byMembers = new Map();
    if (this.#initial !== undefined) this.#stateOf(this.#initial);
  }

  #onlyLead(initial: Int32Array): number {
    const { op, sets } = this.#program;
    let lead = -1;
    for (let o = 0; o < 256; o++) {
      for (const member of initial) {
        if (sets[op[member] ?? 0]?.[o] !== 1) continue;
        if (lead >= 0) return -1;
        lead = o;
        break;
      }
    }
    return lead;
  }
}
