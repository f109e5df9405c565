/**
 * procmail's regular expressions over octets: procmailrc(5), "Extended regular expressions".
 * Pure; linear in the text for every pattern; memory bounded per pattern.
 */
import { Octets } from "../../message/octets.ts";
import { Dfa } from "./dfa.ts";
import { expandMacros } from "./macros.ts";
import { Marker } from "./mark.ts";
import { compileProgram, type Program } from "./nfa.ts";

/** How many times the area may be read in vain for longest right parts while matches are counted; shortest ones count from then on. */
const idleLimit = 4;

export class Regex {
  /** What procmail would call an invalid regexp; it matches what could be read of it. */
  readonly fault: string | undefined;
  /** True when the pattern has "\/" and a match sets MATCH. */
  readonly marks: boolean;
  readonly #program: Program;
  readonly #dfa: Dfa;
  #marker: Marker | undefined;
  /** MATCH of what matches() has found last; undefined when that sets none. */
  match: Buffer | undefined;

  /** @param pattern octets as latin1  @param exact flag D: tell upper from lower case */
  constructor(pattern: string, exact = false) {
    const expanded = expandMacros(pattern);
    this.#program = compileProgram(expanded.pattern, !exact || expanded.ignoreCase);
    this.fault = this.#program.fault;
    this.marks = this.#program.marks;
    this.#dfa = new Dfa(this.#program, true);
  }

  /** States of the automaton. */
  get states(): number {
    return this.#program.op.length;
  }

  /** Steps through the automaton so far. What each octet costs beside is one look into a table. */
  get work(): number {
    return this.#dfa.work + (this.#marker?.work ?? 0);
  }

  /** Memory held, in octets. */
  get octets(): number {
    return this.states * 32 + this.#program.classes.has.length + this.#dfa.octets + (this.#marker?.octets ?? 0);
  }

  /** Does it match anywhere in the area? */
  test(area: Buffer | Octets): boolean {
    return this.#dfa.find(Octets.of(area)) >= 0;
  }

  /**
   * Matches from left to right, for scoring: the shortest, or with "\/" those with the longest right part. The next search starts behind a
   * match, but on the newline that ended it. A match which eats nothing new would be found without end: "endless" is then the last value.
   * MATCH of each is in `match` while it is the last.
   */
  *matches(area: Buffer | Octets): Generator<"match" | "endless"> {
    try {
      yield* this.#eachMatch(Octets.of(area));
    } finally {
      this.match = undefined;
    }
  }

  *#eachMatch(area: Octets): Generator<"match" | "endless"> {
    const { length } = area;
    let from = -1;
    // Behind a match that reaches the end of the area procmail has one more virtual newline.
    let behindNewline = false;
    let idle = 0;
    const skip = this.#dfa.leadSkip();
    for (;;) {
      this.match = undefined;
      let end = this.#dfa.find(area, from, behindNewline, skip);
      if (end < 0) return;
      if (this.marks && !behindNewline && idle <= idleLimit * length) {
        this.#marker ??= new Marker(this.#program);
        const place = this.#marker.find(area, this.#dfa.rest);
        if (place !== undefined) {
          end = place.end;
          this.match = upToNul(area.subarray(place.start, end).toBuffer());
          idle += this.#marker.read - end;
        }
      }
      const onNewline = end === 0 || end > length || area.at(end - 1) === 10;
      const next = onNewline ? end - 1 : end;
      if (next <= from && !(behindNewline && end > length)) {
        yield this.marks && behindNewline ? "match" : "endless";
        return;
      }
      yield "match";
      behindNewline = next === length && !onNewline;
      from = next;
    }
  }

  /** What stands right of "\/" in the match, up to a NUL, as in any variable; undefined when there is none. */
  matched(area: Buffer | Octets): Buffer | undefined {
    const place = this.place(area);
    return place === undefined ? undefined : upToNul(Octets.of(area).subarray(place.start, place.end).toBuffer());
  }

  /** Where that lies in the area, a NUL or not. */
  place(area: Buffer | Octets): { readonly start: number; readonly end: number } | undefined {
    const octets = Octets.of(area);
    if (!this.marks || this.#dfa.find(octets) < 0) return undefined;
    this.#marker ??= new Marker(this.#program);
    return this.#marker.find(octets, this.#dfa.rest);
  }
}

function upToNul(text: Buffer): Buffer {
  const nul = text.indexOf(0);
  return nul < 0 ? text : text.subarray(0, nul);
}
