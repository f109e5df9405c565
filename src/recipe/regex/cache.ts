/** Automata are kept from one message to the next: rc files are the same for every message. */
import { Regex } from "./regex.ts";

/** Octets that all automata kept may hold. */
const memoryLimit = 32 << 20;
/** Uses after which is seen how they have grown. */
const interval = 64;

interface Kept {
  readonly pattern: string;
  readonly exact: boolean;
  readonly regex: Regex;
  /** The higher the later. */
  used: number;
}

/** The most recently used automata, by pattern, as many as fit. */
export class RegexCache {
  readonly #limit: number;
  /** Those that tell upper from lower case, and those that do not: a pattern is looked up as it is, without making a key of it. */
  readonly #kept = { exact: new Map<string, Kept>(), any: new Map<string, Kept>() };
  #uses = 0;

  /** @param limit  octets */
  constructor(limit = memoryLimit) {
    this.#limit = limit;
  }

  /** @param pattern octets as latin1  @param exact flag D: tell upper from lower case */
  get(pattern: string, exact: boolean): Regex {
    const kept = this.#of(exact);
    let one = kept.get(pattern);
    if (one === undefined) kept.set(pattern, (one = { pattern, exact, regex: new Regex(pattern, exact), used: 0 }));
    one.used = ++this.#uses;
    if (this.#uses % interval === 0) this.#trim();
    return one.regex;
  }

  #of(exact: boolean): Map<string, Kept> {
    return exact ? this.#kept.exact : this.#kept.any;
  }

  /** Octets held. */
  get octets(): number {
    let sum = 0;
    for (const kept of [this.#kept.exact, this.#kept.any]) for (const one of kept.values()) sum += held(one);
    return sum;
  }

  /** What was used last stays, whatever it holds. */
  #trim(): void {
    let sum = this.octets;
    if (sum <= this.#limit) return;
    const oldest = [...this.#kept.exact.values(), ...this.#kept.any.values()].sort((a, b) => a.used - b.used);
    for (const one of oldest.slice(0, -1)) {
      if (sum <= this.#limit) return;
      sum -= held(one);
      this.#of(one.exact).delete(one.pattern);
    }
  }
}

const held = ({ pattern, regex }: Kept): number => regex.octets + pattern.length;

const cache = new RegexCache();

/** The automaton of a pattern, made if none is kept. */
export const regexOf = (pattern: string, exact: boolean): Regex => cache.get(pattern, exact);
