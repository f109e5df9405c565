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

/** The virtual newlines. */
export const areaStart = 256;
export const areaEnd = 257;
export const symbols = 258;

/** For each state by number: what it does, and where it leads. */
export interface Program {
  /** >= 0: eats a symbol of sets[op]; else one of the constants below. */
  readonly op: readonly number[];
  readonly next: readonly number[];
  /** Second way of a split. */
  readonly other: readonly number[];
  readonly sets: readonly Uint8Array[];
  readonly start: number;
  /** True when "\/" occurs. */
  readonly marks: boolean;
  /** What is wrong with the pattern; it still matches something, as in procmail. */
  readonly fault: string | undefined;
}

export const opSplit = -1;
export const opMark = -2;
export const opAccept = -3;

/** A part of an automaton: its first state, and the state that stands for its end (a split yet to be led on). */
interface Part {
  readonly start: number;
  readonly end: number;
}

const isLetter = (c: number): boolean => (c >= 65 && c <= 90) || (c >= 97 && c <= 122);

class Compiler {
  readonly op: number[] = [];
  readonly next: number[] = [];
  readonly other: number[] = [];
  readonly sets: Uint8Array[] = [];
  readonly #setNumbers = new Map<string, number>();
  readonly #pattern: string;
  readonly #ignoreCase: boolean;
  #at = 0;
  #depth = 0;
  marks = false;
  fault: string | undefined;

  constructor(pattern: string, ignoreCase: boolean) {
    this.#pattern = pattern;
    this.#ignoreCase = ignoreCase;
  }

  /** The whole pattern. An unmatched ")" ends it. */
  whole(): number {
    const part = this.expression();
    if (this.#at < this.#pattern.length) this.fault ??= "unmatched )";
    this.next[part.end] = this.#state(opAccept);
    return part.start;
  }

  expression(): Part {
    let part = this.branch();
    while (this.#pattern[this.#at] === "|") {
      this.#at++;
      const right = this.branch();
      const start = this.#state(opSplit, part.start, right.start);
      const end = this.#state(opSplit);
      this.next[part.end] = end;
      this.next[right.end] = end;
      part = { start, end };
    }
    return part;
  }

  branch(): Part {
    const empty = this.#state(opSplit);
    let part: Part = { start: empty, end: empty };
    for (;;) {
      const c = this.#pattern[this.#at];
      if (c === undefined || c === "|" || c === ")") return part;
      let { piece, repeatable } = this.atom();
      const operator = this.#pattern[this.#at];
      if (repeatable && (operator === "*" || operator === "+" || operator === "?")) {
        this.#at++;
        piece = this.#repeat(piece, operator);
        repeatable = false;
      }
      this.next[part.end] = piece.start;
      part = { start: part.start, end: piece.end };
    }
  }

  atom(): { piece: Part; repeatable: boolean } {
    const p = this.#pattern;
    const c = p[this.#at++] ?? "";
    switch (c) {
      case "(": {
        if (++this.#depth > 500) {
          // Deeper than any line of an rc file can sensibly hold, and than recursion should go.
          this.fault = "nested too deeply";
          this.#at = p.length;
          this.#depth--;
          return { piece: this.#eats(new Uint8Array(symbols)), repeatable: false };
        }
        const piece = this.expression();
        this.#depth--;
        if (p[this.#at] === ")") this.#at++;
        else this.fault ??= "missing )";
        return { piece, repeatable: true };
      }
      case "[":
        return { piece: this.#eats(this.set()), repeatable: true };
      case ".":
        return { piece: this.#eats(octetsWhere((o) => o !== 10)), repeatable: true };
      case "^":
        if (p[this.#at] === "^") {
          this.#at++;
          const edges = new Uint8Array(symbols);
          edges[areaStart] = edges[areaEnd] = 1;
          return { piece: this.#eats(edges), repeatable: true };
        }
        return { piece: this.#eats(newlines()), repeatable: true };
      case "$":
        return { piece: this.#eats(newlines()), repeatable: true };
      case "\\":
        return this.#escaped();
      default:
        // Repetition operators come here only where they have nothing to repeat.
        return { piece: this.#literal(c), repeatable: true };
    }
  }

  #escaped(): { piece: Part; repeatable: boolean } {
    const c = this.#pattern[this.#at];
    if (c === undefined) return { piece: this.#literal("\\"), repeatable: true };
    this.#at++;
    if (c === "/") {
      this.marks = true;
      const state = this.#state(opMark);
      return { piece: { start: state, end: state }, repeatable: false };
    }
    if (c === "<" || c === ">") {
      const set = octetsWhere((o) => !isLetter(o) && !(o >= 48 && o <= 57) && o !== 95);
      set[areaStart] = set[areaEnd] = 1;
      return { piece: this.#eats(set), repeatable: true };
    }
    return { piece: this.#literal(c), repeatable: true };
  }

  /** Behind "[". "]" first is a member, a range may run backwards into nothing, and a missing "]" ends with the pattern. */
  set(): Uint8Array {
    const p = this.#pattern;
    const negated = p[this.#at] === "^";
    if (negated) this.#at++;
    const set = new Uint8Array(symbols);
    let first = true;
    for (;;) {
      if (this.#at >= p.length) break;
      const low = p.charCodeAt(this.#at++);
      if (low === 93 && !first) break;
      first = false;
      const high = p.charCodeAt(this.#at + 1);
      if (p[this.#at] === "-" && !Number.isNaN(high) && high !== 93) {
        this.#at += 2;
        for (let o = low; o <= high; o++) set[o] = 1;
      } else {
        set[low] = 1;
      }
    }
    if (this.#ignoreCase) foldCase(set);
    if (negated) for (let o = 0; o < 256; o++) set[o] = set[o] === 1 ? 0 : 1;
    // No set matches a newline, whatever it says.
    set[10] = 0;
    return set;
  }

  #literal(c: string): Part {
    const set = new Uint8Array(symbols);
    const code = c.charCodeAt(0);
    set[code] = 1;
    if (code === 10) set[areaStart] = set[areaEnd] = 1;
    if (this.#ignoreCase) foldCase(set);
    return this.#eats(set);
  }

  #repeat(piece: Part, operator: "*" | "+" | "?"): Part {
    const end = this.#state(opSplit);
    if (operator === "?") {
      this.next[piece.end] = end;
      return { start: this.#state(opSplit, piece.start, end), end };
    }
    const again = this.#state(opSplit, piece.start, end);
    this.next[piece.end] = again;
    return { start: operator === "*" ? again : piece.start, end };
  }

  #eats(set: Uint8Array): Part {
    const key = Buffer.from(set.buffer, set.byteOffset, set.length).toString("latin1");
    let number = this.#setNumbers.get(key);
    if (number === undefined) {
      number = this.sets.push(set) - 1;
      this.#setNumbers.set(key, number);
    }
    const eater = this.#state(number);
    const end = this.#state(opSplit);
    this.next[eater] = end;
    return { start: eater, end };
  }

  #state(op: number, next = -1, other = -1): number {
    this.op.push(op);
    this.next.push(next);
    this.other.push(other);
    return this.op.length - 1;
  }
}

function newlines(): Uint8Array {
  const set = new Uint8Array(symbols);
  set[10] = set[areaStart] = set[areaEnd] = 1;
  return set;
}

function octetsWhere(has: (octet: number) => boolean): Uint8Array {
  const set = new Uint8Array(symbols);
  for (let o = 0; o < 256; o++) if (has(o)) set[o] = 1;
  return set;
}

/** Adds the other case of each ASCII letter. */
function foldCase(set: Uint8Array): void {
  for (let upper = 65; upper <= 90; upper++) {
    const either = (set[upper] ?? 0) | (set[upper + 32] ?? 0);
    set[upper] = set[upper + 32] = either;
  }
}

/** Octets as a latin1 string in, automaton out. Never throws: a bad pattern has a `fault` and matches what procmail makes of it. */
export function compileProgram(pattern: string, ignoreCase: boolean): Program {
  const compiler = new Compiler(pattern, ignoreCase);
  const start = compiler.whole();
  const { op, next, other, sets, marks, fault } = compiler;
  return { op, next, other, sets, start, marks, fault };
}
