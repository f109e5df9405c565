/**
 * Patterns of procmail's regular expression language to Thompson automata.
 *
 *     expression = branch *("|" branch)
 *     branch     = *(atom ["*" / "+" / "?"])
 *     atom       = "(" expression ")" / set / "." / "^" / "$" / "^^" / "\<" / "\>" / "\/" / "\" any / any
 *
 * A repetition operator with nothing before it, or behind another, is an ordinary character. Octets
 * only; ASCII letters match both cases unless told otherwise. There are no braces, classes or back references.
 *
 * The text has 258 symbols: the 256 octets and the two virtual newlines in front of and behind the
 * area. "^" and "$" both eat one newline, real or virtual; "^^" eats a virtual one, and so anchors.
 */
import { anyOctet, classesOf, edges, emptySet, foldCase, literal, newlines, noWord, union, type Classes, type SymbolSet } from "./sets.ts";

/** For each state by number: what it does, and where it leads. */
export interface Program {
  /** >= 0: eats a symbol of the set of that number; else one of the constants below. */
  readonly op: Int32Array;
  readonly next: Int32Array;
  /** Second way of a split, or -1. */
  readonly other: Int32Array;
  readonly classes: Classes;
  readonly start: number;
  /** True when "\/" occurs. */
  readonly marks: boolean;
  /** What is wrong with the pattern; it still matches something, as in procmail. */
  readonly fault: string | undefined;
}

export const opSplit = -1;
export const opMark = -2;
export const opAccept = -3;
/** Leads on while the automaton is built, and is not even there for "^^" at the end. */
const opJump = -4;
/** Eats nothing and leads nowhere. */
const opFail = -5;

/** Most states of an automaton. A pattern has about as many as it has octets. */
const stateLimit = 1 << 20;

/** A part of an automaton: its first state, and the state whose `next` is yet to be set. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/** An expression of which the branches so far have been read: an open parenthesis, or the whole. */
interface Open {
  /** The state before the branch being read, and the last of it. */
  start: number;
  end: number;
  empty: boolean;
  /** The state of the branch being read if it is nothing but one that eats. */
  only: number;
  /** Those of the branches before, while all are such. */
  onlys: number[] | undefined;
  /** Splits that lead to the branches so far; the last one's `other` is yet to be set. */
  entry: number;
  lastSplit: number;
  /** Where the ends of the branches meet, or -1 while there is one. */
  join: number;
}

class Compiler {
  readonly op: number[] = [];
  readonly next: number[] = [];
  readonly other: number[] = [];
  readonly sets: SymbolSet[] = [];
  readonly #setNumbers = new Map<string, number>();
  /** By octet. */
  readonly #literals: (number | undefined)[] = [];
  /** States of "^^". */
  readonly #anchors: number[] = [];
  readonly #pattern: string;
  readonly #ignoreCase: boolean;
  #at = 0;
  marks = false;
  fault: string | undefined;

  constructor(pattern: string, ignoreCase: boolean) {
    this.#pattern = pattern;
    this.#ignoreCase = ignoreCase;
  }

  /** The whole pattern. An unmatched ")" ends it; a missing one is taken as there. No recursion: nesting has no limit. */
  whole(): number {
    const p = this.#pattern;
    const outer: Open[] = [];
    let open = this.#open();
    for (;;) {
      if (this.op.length > stateLimit) {
        this.fault = "too large";
        return this.#state(opFail);
      }
      const c = p[this.#at];
      let piece: Part;
      if (c === undefined || c === ")") {
        const enclosing = outer.pop();
        if (enclosing === undefined) break;
        if (c === undefined) this.fault ??= "missing )";
        else this.#at++;
        piece = this.#close(open);
        open = enclosing;
      } else if (c === "|") {
        this.#at++;
        this.#branch(open);
        continue;
      } else if (c === "(") {
        this.#at++;
        outer.push(open);
        open = this.#open();
        continue;
      } else {
        piece = this.#atom(c);
      }
      const operator = p[this.#at];
      if (operator === "*" || operator === "+" || operator === "?") {
        this.#at++;
        piece = this.#repeat(piece, operator);
      }
      this.next[open.end] = piece.start;
      open.end = piece.end;
      open.only = open.empty && piece.start === piece.end && this.op[piece.start] >= 0 && this.#anchors.at(-1) !== piece.start ? piece.start : -1;
      open.empty = false;
    }
    if (this.#at < p.length) this.fault ??= "unmatched )";
    const part = this.#close(open);
    this.next[part.end] = this.#state(opAccept);
    this.#anchor();
    return this.#shortened(part.start);
  }

  #open(): Open {
    const start = this.#state(opJump);
    return { start, end: start, empty: true, only: -1, onlys: [], entry: start, lastSplit: -1, join: -1 };
  }

  /** At "|". */
  #branch(open: Open): void {
    this.#ended(open);
    if (open.join < 0) open.join = this.#state(opJump);
    this.next[open.end] = open.join;
    const split = this.#state(opSplit, open.start);
    if (open.lastSplit < 0) open.entry = split;
    else this.other[open.lastSplit] = split;
    open.lastSplit = split;
    open.start = open.end = this.#state(opJump);
    open.empty = true;
    open.only = -1;
  }

  #ended(open: Open): void {
    if (open.only < 0) open.onlys = undefined;
    else open.onlys?.push(open.only);
  }

  #close(open: Open): Part {
    if (open.join < 0) {
      // "()" is something: "x^^()" is not anchored.
      if (open.empty) this.op[open.start] = opSplit;
      return { start: open.start, end: open.end };
    }
    this.#ended(open);
    if (open.onlys !== undefined) return this.#eats(union(open.onlys.map((state) => this.sets[this.op[state]])));
    this.next[open.end] = open.join;
    this.other[open.lastSplit] = open.start;
    return { start: open.entry, end: open.join };
  }

  #atom(c: string): Part {
    const p = this.#pattern;
    this.#at++;
    switch (c) {
      case "[":
        return this.#eats(this.#set());
      case ".":
        return this.#eats(anyOctet());
      case "$":
        return this.#eats(newlines());
      case "^": {
        if (p[this.#at] !== "^") return this.#eats(newlines());
        this.#at++;
        const anchor = this.#eats(edges(false));
        this.#anchors.push(anchor.start);
        return anchor;
      }
      case "\\":
        return this.#escaped();
      default:
        // Repetition operators come here only where they have nothing to repeat.
        return this.#octet(c.charCodeAt(0));
    }
  }

  #escaped(): Part {
    const c = this.#pattern[this.#at];
    if (c !== undefined) this.#at++;
    switch (c) {
      case undefined:
        return this.#octet(92);
      case "/": {
        this.marks = true;
        const state = this.#state(opMark);
        return { start: state, end: state };
      }
      case "<":
      case ">":
        return this.#eats(noWord());
      default:
        return this.#octet(c.charCodeAt(0));
    }
  }

  /** Behind "[". "]" first is a member; of a range that runs backwards only the two ends are; a missing "]" ends with the pattern. */
  #set(): SymbolSet {
    const p = this.#pattern;
    const negated = p[this.#at] === "^";
    if (negated) this.#at++;
    const set = emptySet();
    let low = -1;
    for (let first = true; this.#at < p.length; first = false) {
      const octet = p.charCodeAt(this.#at);
      if (octet === 93 && !first) break;
      this.#at++;
      const high = p.charCodeAt(this.#at);
      if (octet !== 45 || low < 0 || Number.isNaN(high) || high === 93) {
        set[(low = octet)] = 1;
        continue;
      }
      // The end of a range may begin the next: "a-c-e".
      this.#at++;
      for (; low < high; low++) set[low] = 1;
      set[(low = high)] = 1;
    }
    this.#at++;
    if (this.#ignoreCase) foldCase(set);
    if (negated) for (let octet = 0; octet < 256; octet++) set[octet] ^= 1;
    // No set matches a newline, whatever it says.
    set[10] = 0;
    return set;
  }

  #repeat(piece: Part, operator: "*" | "+" | "?"): Part {
    const end = this.#state(opJump);
    if (operator === "?") {
      this.next[piece.end] = end;
      return { start: this.#state(opSplit, piece.start, end), end };
    }
    const again = this.#state(opSplit, piece.start, end);
    this.next[piece.end] = again;
    return { start: operator === "*" ? again : piece.start, end };
  }

  /** "^^" matches at the end of the area only where nothing at all of the expression follows. */
  #anchor(): void {
    for (const state of this.#anchors) {
      let then = this.next[state];
      while (this.op[then] === opJump) then = this.next[then];
      if (this.op[then] === opAccept) this.op[state] = this.#setNumber(edges(true));
    }
  }

  /** Nothing leads to a jump any more, but to where it leads. Returns where `start` has gone. */
  #shortened(start: number): number {
    const { op, next, other } = this;
    // "()" has done its work for "^^".
    const jumps = (state: number): boolean => op[state] === opJump || (op[state] === opSplit && other[state] < 0);
    const end = (from: number): number => {
      let to = from;
      while (to >= 0 && jumps(to)) to = next[to];
      // What was passed is shortened, too, so that a long chain is gone through once.
      for (let state = from; state !== to; ) {
        const passed = state;
        state = next[state];
        next[passed] = to;
      }
      return to;
    };
    for (let state = 0; state < op.length; state++) {
      if (jumps(state)) continue;
      next[state] = end(next[state]);
      other[state] = end(other[state]);
    }
    return end(start);
  }

  #eats(set: SymbolSet): Part {
    const state = this.#state(this.#setNumber(set));
    return { start: state, end: state };
  }

  /** An octet that stands for itself. */
  #octet(octet: number): Part {
    const state = this.#state((this.#literals[octet] ??= this.#setNumber(literal(octet, this.#ignoreCase))));
    return { start: state, end: state };
  }

  #setNumber(set: SymbolSet): number {
    const key = Buffer.from(set.buffer, set.byteOffset, set.length).toString("latin1");
    const known = this.#setNumbers.get(key);
    if (known !== undefined) return known;
    const number = this.sets.push(set) - 1;
    this.#setNumbers.set(key, number);
    return number;
  }

  #state(op: number, next = -1, other = -1): number {
    this.next.push(next);
    this.other.push(other);
    return this.op.push(op) - 1;
  }
}

/** The states that are reached, numbered anew in the order of the pattern. */
function compact(op: readonly number[], next: readonly number[], other: readonly number[], start: number): Pick<Program, "op" | "next" | "other" | "start"> {
  const number = new Int32Array(op.length).fill(-1);
  const stack = [start];
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    if (number[state] === 0) continue;
    number[state] = 0;
    if (next[state] >= 0) stack.push(next[state]);
    if (other[state] >= 0) stack.push(other[state]);
  }
  let count = 0;
  for (let state = 0; state < op.length; state++) if (number[state] === 0) number[state] = count++;
  const kept = (values: readonly number[], value: (v: number) => number): Int32Array => {
    const made = new Int32Array(count);
    for (let state = 0; state < op.length; state++) if (number[state] >= 0) made[number[state]] = value(values[state]);
    return made;
  };
  const renumbered = (state: number): number => (state < 0 ? -1 : number[state]);
  return { op: kept(op, (does) => does), next: kept(next, renumbered), other: kept(other, renumbered), start: number[start] };
}

/** Octets as a latin1 string in, automaton out. Never throws: a bad pattern has a `fault` and matches what procmail makes of it. */
export function compileProgram(pattern: string, ignoreCase: boolean): Program {
  const compiler = new Compiler(pattern, ignoreCase);
  const start = compiler.whole();
  const { op, next, other, sets, marks, fault } = compiler;
  return { ...compact(op, next, other, start), classes: classesOf(sets), marks, fault };
}
