/**
 * procmail's regular expressions over octets: procmailrc(5), "Extended regular expressions".
 * Pure; linear in the text for every pattern; memory bounded per pattern.
 */
import { Dfa } from "./dfa.ts";
import { expandMacros } from "./macros.ts";
import { markedText } from "./mark.ts";
import { compileProgram, type Program } from "./nfa.ts";

export class Regex {
  /** What procmail would call an invalid regexp; it matches what could be read of it. */
  readonly fault: string | undefined;
  /** True when the pattern has "\/" and a match sets MATCH. */
  readonly marks: boolean;
  readonly #program: Program;
  readonly #dfa: Dfa;

  /** @param pattern octets as latin1  @param exact flag D: tell upper from lower case */
  constructor(pattern: string, exact = false) {
    const expanded = expandMacros(pattern);
    this.#program = compileProgram(expanded.pattern, !exact || expanded.ignoreCase);
    this.fault = this.#program.fault;
    this.marks = this.#program.marks;
    this.#dfa = new Dfa(this.#program);
  }

  /** Does it match anywhere in the area? */
  test(area: Buffer): boolean {
    return this.#dfa.find(area) >= 0;
  }

  /**
   * Shortest matches from left to right, for scoring: the next search starts behind a match, but on the newline that ended it.
   * A match which eats nothing new would be found without end: "endless" is then the last value.
   */
  *matches(area: Buffer): Generator<"match" | "endless"> {
    let from = -1;
    for (;;) {
      const end = this.#dfa.find(area, from);
      if (end < 0) return;
      const newline = end === 0 || end === area.length + 1 || area[end - 1] === 10;
      const next = newline ? end - 1 : end;
      if (next <= from) {
        yield "endless";
        return;
      }
      yield "match";
      from = next;
      if (from > area.length) return;
    }
  }

  /** What stands right of "\/" in the match; undefined when there is none. A view into the area. */
  matched(area: Buffer): Buffer | undefined {
    const place = markedText(this.#program, area);
    return place === undefined ? undefined : area.subarray(place.start, place.end);
  }
}
