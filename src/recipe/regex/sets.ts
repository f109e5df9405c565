/** Sets of symbols that one step of an automaton eats, and the classes of symbols that no set tells apart. */

/** The virtual newlines in front of and behind the area, beside the 256 octets. */
export const areaStart = 256;
export const areaEnd = 257;
export const symbols = 258;

const newline = 10;

/** One octet per symbol, 1 for a member. */
export type SymbolSet = Uint8Array;

export const emptySet = (): SymbolSet => new Uint8Array(symbols);

/** A newline, real or virtual: "^" and "$". */
export function newlines(): SymbolSet {
  const set = emptySet();
  set[newline] = set[areaStart] = set[areaEnd] = 1;
  return set;
}

/** "^^": the virtual newline in front, and the one behind where the expression ends there. */
export function edges(end: boolean): SymbolSet {
  const set = emptySet();
  set[areaStart] = 1;
  if (end) set[areaEnd] = 1;
  return set;
}

/** "." */
export function anyOctet(): SymbolSet {
  const set = emptySet().fill(1, 0, 256);
  set[newline] = 0;
  return set;
}

const isWord = (octet: number): boolean => (octet >= 48 && octet <= 57) || (octet >= 65 && octet <= 90) || octet === 95 || (octet >= 97 && octet <= 122);

/** "\<" and "\>": one octet that is in no word, or a newline. */
export function noWord(): SymbolSet {
  const set = newlines();
  for (let octet = 0; octet < 256; octet++) if (!isWord(octet)) set[octet] = 1;
  return set;
}

/** An octet of the pattern that stands for itself. A newline matches the virtual ones too. */
export function literal(octet: number, ignoreCase: boolean): SymbolSet {
  if (octet === newline) return newlines();
  const set = emptySet();
  set[octet] = 1;
  if (ignoreCase) foldCase(set);
  return set;
}

/** Adds the other case of each ASCII letter. */
export function foldCase(set: SymbolSet): void {
  for (let upper = 65; upper <= 90; upper++) {
    const either = (set[upper] ?? 0) | (set[upper + 32] ?? 0);
    set[upper] = set[upper + 32] = either;
  }
}

export function union(sets: readonly SymbolSet[]): SymbolSet {
  const whole = emptySet();
  for (const set of sets) for (let s = 0; s < symbols; s++) whole[s] |= set[s];
  return whole;
}

export interface Classes {
  /** Symbol -> class. */
  readonly of: Uint8Array | Uint16Array;
  readonly count: number;
  /** Does set n have the symbols of class c: has[n * count + c]. */
  readonly has: Uint8Array;
}

/** The coarsest division of the symbols in which each set is a union of classes. */
export function classesOf(sets: readonly SymbolSet[]): Classes {
  const of = new Uint16Array(symbols);
  /** By class: how many symbols it has, how many of them are in the set looked at, and the number those get. */
  const size = [symbols];
  const inside = new Int32Array(symbols);
  const part = new Int32Array(symbols);
  for (const set of sets) {
    const members: number[] = [];
    for (let s = set.indexOf(1); s >= 0; s = set.indexOf(1, s + 1)) {
      members.push(s);
      inside[of[s]]++;
    }
    for (const s of members) {
      const old = of[s];
      if (inside[old] === 0) continue;
      // A class of which only a part is in the set gives that part a new number.
      if (inside[old] === size[old]) part[old] = old;
      else {
        size[old] -= inside[old];
        part[old] = size.push(inside[old]) - 1;
      }
      inside[old] = 0;
    }
    for (const s of members) of[s] = part[of[s]];
  }
  const count = size.length;
  const sample = new Int32Array(count);
  for (let s = 0; s < symbols; s++) sample[of[s]] = s;
  const has = new Uint8Array(sets.length * count);
  sets.forEach((set, n) => {
    for (let class_ = 0; class_ < count; class_++) has[n * count + class_] = set[sample[class_]];
  });
  return { of, count, has };
}
