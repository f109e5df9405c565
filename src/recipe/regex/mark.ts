/** Finds what stands right of "\/": the earliest place where the left part can end, and from there the longest right part. */
import type { Octets } from "../../message/octets.ts";
import { Dfa } from "./dfa.ts";
import { opAccept, opMark, opSplit, type Program } from "./nfa.ts";
import { areaEnd, areaStart } from "./sets.ts";

/** Ways under way: eating states, those behind "\/" with the place where they passed it, in ascending order of places. */
class MarkedWays {
  readonly marked: Int32Array;
  readonly marks: Int32Array;
  readonly bare: Int32Array;
  markedCount = 0;
  bareCount = 0;

  constructor(states: number) {
    this.marked = new Int32Array(states);
    this.marks = new Int32Array(states);
    this.bare = new Int32Array(states);
  }
}

/**
 * All ways through the automaton are followed at once, each with the place where it last passed the mark;
 * of two that meet in a state the one with the earlier mark goes on. Each state is met at most twice at a place, so time is linear in the text.
 */
export class Marker {
  /** Steps through the automaton so far. */
  #work = 0;
  readonly #program: Program;
  readonly #longest: Dfa;
  readonly #markedAt: Uint32Array;
  readonly #bareAt: Uint32Array;
  readonly #stack: Int32Array;
  /** States right behind a mark that was passed at this place. */
  readonly #passed: Int32Array;
  #passedCount = 0;
  #generation = 0;
  #now: MarkedWays;
  #then: MarkedWays;
  /** Places count the virtual newline: place p lies before symbol p, symbol 0 being the newline in front. */
  #place = 0;
  #bestStart = -1;
  #bestEnd = -1;
  #read = 0;
  /** The expression has ended without passing the mark. */
  #unmarked = false;

  constructor(program: Program) {
    const states = program.op.length;
    this.#program = program;
    this.#longest = new Dfa(program, false);
    this.#markedAt = new Uint32Array(states);
    this.#bareAt = new Uint32Array(states);
    this.#stack = new Int32Array(states + 1);
    this.#passed = new Int32Array(states);
    this.#now = new MarkedWays(states);
    this.#then = new MarkedWays(states);
  }

  /** Index behind the last octet that the last find() looked at. */
  get read(): number {
    return this.#read;
  }

  get work(): number {
    return this.#work + this.#longest.work;
  }

  get octets(): number {
    return this.#longest.octets + this.#stack.length * 44;
  }

  /**
   * @param from  index in `area` where the first match begins at the earliest; -1 is the virtual newline
   * @returns start and end of MATCH in `area`, without virtual newlines; undefined when the match that ends first does not
   *          pass the mark, or passes it behind the last virtual newline. Never throws.
   */
  find(area: Octets, from: number): { readonly start: number; readonly end: number } | undefined {
    const last = area.length + 2;
    this.#bestStart = this.#bestEnd = -1;
    this.#unmarked = false;
    this.#place = from + 1;
    this.#now.markedCount = this.#now.bareCount = 0;
    this.#enter(0);
    for (;;) {
      if (this.#bestStart < 0) {
        if (this.#unmarked) return undefined;
      } else if (this.#now.markedCount === 0) {
        break;
      } else if (this.#now.marks[0] === this.#bestStart) {
        // Only the one mark is left.
        this.#bestEnd = Math.max(this.#bestEnd, this.#longest.extend(area, this.#place, this.#now.marked.subarray(0, this.#now.markedCount)));
        this.#place = Math.max(this.#place, this.#longest.read);
        break;
      }
      if (this.#place === last) break;
      const symbol = this.#place === 0 ? areaStart : this.#place === last - 1 ? areaEnd : area.at(this.#place - 1);
      this.#place++;
      this.#enter(this.#program.classes.of[symbol], this.#now);
    }
    this.#read = Math.min(this.#place, area.length + 1);
    if (this.#bestStart < 0 || this.#bestStart === last) return undefined;
    const clip = (place: number): number => Math.min(Math.max(place - 1, 0), area.length);
    return { start: clip(this.#bestStart), end: clip(this.#bestEnd) };
  }

  /** Makes the ways at #place from those before, all of which eat a symbol of the class, and those that begin here. */
  #enter(class_: number, before?: MarkedWays): void {
    const { op, next, classes, start } = this.#program;
    if (this.#generation === 0xffffffff) {
      this.#markedAt.fill(0);
      this.#bareAt.fill(0);
      this.#generation = 0;
    }
    this.#generation++;
    this.#passedCount = 0;
    const to = this.#then;
    to.markedCount = to.bareCount = 0;
    const eats = (state: number): boolean => classes.has[op[state] * classes.count + class_] === 1;
    if (before !== undefined) {
      for (let n = 0; n < before.markedCount; n++) {
        const mark = before.marks[n];
        if (this.#bestStart >= 0 && mark > this.#bestStart) break;
        if (eats(before.marked[n])) this.#follow(to, next[before.marked[n]], mark);
      }
      this.#work += before.markedCount + before.bareCount;
    }
    if (this.#bestStart < 0) {
      for (let n = 0; n < (before?.bareCount ?? 0); n++) if (before !== undefined && eats(before.bare[n])) this.#follow(to, next[before.bare[n]], -1);
      this.#follow(to, start, -1);
      for (let n = 0; n < this.#passedCount; n++) this.#follow(to, this.#passed[n], this.#place);
    }
    this.#then = this.#now;
    this.#now = to;
  }

  /** Adds what is reached from `from` without eating. A mark of -1 is not passed yet. */
  #follow(to: MarkedWays, from: number, mark: number): void {
    const { op, next, other } = this.#program;
    const seen = mark < 0 ? this.#bareAt : this.#markedAt;
    const stack = this.#stack;
    const generation = this.#generation;
    let depth = 0;
    const visit = (state: number): void => {
      if (state < 0 || seen[state] === generation) return;
      seen[state] = generation;
      stack[depth++] = state;
    };
    visit(from);
    while (depth > 0) {
      const state = stack[--depth];
      this.#work++;
      switch (op[state]) {
        case opAccept:
          this.#accept(mark);
          break;
        case opSplit:
          visit(next[state]);
          visit(other[state]);
          break;
        case opMark:
          if (this.#passedCount < this.#passed.length) this.#passed[this.#passedCount++] = next[state];
          break;
        default:
          if (op[state] < 0) break;
          if (mark < 0) {
            to.bare[to.bareCount++] = state;
          } else {
            to.marks[to.markedCount] = mark;
            to.marked[to.markedCount++] = state;
          }
      }
    }
  }

  #accept(mark: number): void {
    if (mark < 0) {
      this.#unmarked = true;
    } else if (this.#bestStart < 0 || mark <= this.#bestStart) {
      this.#bestStart = mark;
      this.#bestEnd = this.#place;
    }
  }
}
