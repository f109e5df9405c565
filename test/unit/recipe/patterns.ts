/** Random patterns and texts. */

export class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
    for (let i = 0; i < 4; i++) this.below(2);
  }
  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * n);
  }
  one<T>(from: readonly T[]): T {
    const chosen = from[this.below(from.length)];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  }
  many(count: number, make: () => string): string {
    let text = "";
    for (let i = 0; i < count; i++) text += make();
    return text;
  }
}

const sets = ["[ab]", "[^a]", "[]a]", "[^]a]", "[a-]", "[-a]", "[a-c]", "[c-a]", "[^c-a]", "[^\\a]", "[^-b]", "[A-C]", "[^B]", "[Z-b]", "[\\]", "[a-b-c]", "[--/]", "[^^]", "[\x80-\xff]", "[b-\xe4]"];
const escapes = ["\\<", "\\>", "\\<", "\\>", "\\.", "\\*", "\\n", "\\(", "\\A", "\\\\", "\\^", "\\$", "\\["];

/** A pattern as a person might write it: all its parentheses and sets are closed. */
export class Grammar {
  readonly #chance: Chance;
  readonly #operators: readonly string[];
  /** Parentheses may hold what can be empty. procmail does not come to an end with some such patterns, which takes time to find out. */
  readonly #loose: boolean;
  constructor(chance: Chance, run: number, operators: readonly string[] = ["*", "+", "?"]) {
    this.#chance = chance;
    this.#loose = run % 10 === 9;
    this.#operators = operators;
  }
  atom(depth: number): string {
    const chance = this.#chance;
    const kind = chance.below(depth > 2 ? 10 : 13);
    if (kind < 6) return chance.one([..."abcAB\xe4"]);
    if (kind === 6) return ".";
    if (kind === 7) return chance.one(["^", "$", "^", "$", "^^"]);
    if (kind === 8) return chance.one(sets);
    if (kind === 9) return chance.one(escapes);
    return `(${this.expression(depth + 1)})`;
  }
  /** @param least atoms in it */
  branch(depth: number, least = depth === 0 || !this.#loose ? 1 : 0): string {
    const chance = this.#chance;
    let text = "";
    for (let left = least + chance.below(4); left > 0; left--) {
      const solid = text === "" && depth > 0 && !this.#loose;
      text += this.atom(depth);
      if (!solid && chance.below(3) === 0) text += chance.one(this.#operators);
      if (!solid && chance.below(40) === 0) text += chance.one(this.#operators);
    }
    return text;
  }
  expression(depth = 0): string {
    let text = this.branch(depth);
    while (this.#chance.below(4) === 0) text += `|${this.branch(depth)}`;
    return text;
  }
}

const scraps = [..."aabbAB()()|||**++??[]^^-$$..<>\xe4", "\\<", "\\\\", "^^", "[a", "[^a", "[^", "(a", "^TO", "^TO_"];

/** Any octets at all; few are closed. */
export function broken(chance: Chance): string {
  return chance.many(1 + chance.below(9), () => chance.one(scraps));
}

/** A text in which such patterns have something to find. */
export function text(chance: Chance, longest = 14): string {
  return chance.many(chance.below(longest), () => chance.one([..."aaabbbcAB \n\n*+?(.[])-_^\xe4\xc4\x01\r"]));
}

/** procmail's rc files and the way a question is put to it have no room for these. */
export const askable = (pattern: string): boolean => pattern !== "" && !/[ \t\\]$/.test(pattern);

export function someAskable(make: () => string): string {
  for (;;) {
    const pattern = make();
    if (askable(pattern)) return pattern;
  }
}
