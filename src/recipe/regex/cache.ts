/** Automata are kept from one message to the next: rc files are the same for every message. */
import { Regex } from "./regex.ts";

/** Octets that all automata kept may hold. */
const memoryLimit = 32 << 20;
/** Uses after which is seen how they have grown. */
const interval = 64;

/** The most recently used automata, by pattern, as many as fit. */
export class RegexCache {
  readonly #limit: number;
  /** The least recently used first. */
  readonly #kept = new Map<string, Regex>();
  #uses = 0;

  /** @param limit  octets */
  constructor(limit = memoryLimit) {
    this.#limit = limit;
  }

  /** @param pattern octets as latin1  @param exact flag D: tell upper from lower case */
  get(pattern: string, exact: boolean): Regex {
    const key = (exact ? "D" : "i") + pattern;
    let regex = this.#kept.get(key);
    if (regex === undefined) regex = new Regex(pattern, exact);
    else this.#kept.delete(key);
    this.#kept.set(key, regex);
    if (++this.#uses % interval === 0) this.#trim();
    return regex;
  }

  /** Octets held. */
  get octets(): number {
    let sum = 0;
    for (const [pattern, regex] of this.#kept) sum += held(pattern, regex);
    return sum;
  }

  /** What was used last stays, whatever it holds. */
  #trim(): void {
    let sum = this.octets;
    for (const [key, regex] of this.#kept) {
      if (sum <= this.#limit || this.#kept.size === 1) return;
      sum -= held(key, regex);
      this.#kept.delete(key);
    }
  }
}

const held = (key: string, regex: Regex): number => regex.octets + key.length;

const cache = new RegexCache();

/** The automaton of a pattern, made if none is kept. */
export const regexOf = (pattern: string, exact: boolean): Regex => cache.get(pattern, exact);
