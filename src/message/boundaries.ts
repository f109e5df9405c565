/**
 * The boundaries whose delimiters count at some place of a message. Of a few each is compared with a line; of many there is a trie: looking up
 * a line costs no more than the octets it has in common with a boundary, however many multiparts are open.
 */

interface Node {
  readonly next: Map<number, Node>;
  /** Levels of the open multiparts whose boundary ends here, innermost last. */
  readonly levels: number[];
}

/** What `levelAt` says when more octets may change the answer. */
export const undecided = -2;

const node = (): Node => ({ next: new Map(), levels: [] });

/** So many are compared one by one. */
const few = 4;

interface Counting {
  readonly boundary: string;
  readonly level: number;
}

export class Boundaries {
  /** In the order they were opened. */
  readonly #open: Counting[] = [];
  /** Of all that are open, once they were more than a few. */
  #trie: Trie | undefined;

  /** @param boundary one character per octet, without "--" */
  open(boundary: string, level: number): void {
    this.#open.push({ boundary, level });
    if (this.#trie !== undefined) this.#trie.open(boundary, level);
    else if (this.#open.length > few) {
      this.#trie = new Trie();
      for (const one of this.#open) this.#trie.open(one.boundary, one.level);
    }
  }

  /** Takes back the last `open` of this boundary. */
  close(boundary: string): void {
    const at = this.#open.findLastIndex((one) => one.boundary === boundary);
    if (at < 0) return;
    this.#open.splice(at, 1);
    this.#trie?.close(boundary);
  }

  /**
   * The level of the multipart whose delimiter begins with the "--" at `at`, -1 for none. It is enough that the line begins with the
   * boundary (RFC 2046 §5.1.2). Of several that fit the longest counts, of equal ones the innermost; but behind one that with or without "--"
   * is all of the line none further out is looked at: "--b--" closes "b" also within a multipart of boundary "b-".
   *
   * @param more  octets may come behind `end`: then the answer may be `undecided`
   */
  levelAt(octets: Buffer, at: number, end: number, more: boolean): number {
    if (this.#trie !== undefined) return this.#trie.levelAt(octets, at, end, more);
    const fitting = new Fitting(octets, at + 2, end, more);
    for (const { boundary, level } of this.#open) {
      const fits = common(boundary, octets, at + 2, end);
      if (fits === boundary.length) fitting.add(fits, level);
      else if (more && at + 2 + fits >= end) return undecided;
    }
    return fitting.level();
  }
}

const [lf, cr, dash] = [0x0a, 0x0d, 0x2d] as const;

interface Fit {
  readonly length: number;
  readonly level: number;
}

/** Boundaries that a line begins with, and which of them it is. */
class Fitting {
  readonly #octets: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #more: boolean;
  readonly #all: Fit[] = [];

  /** @param start  behind the "--" */
  constructor(octets: Buffer, start: number, end: number, more: boolean) {
    this.#octets = octets;
    this.#start = start;
    this.#end = end;
    this.#more = more;
  }

  /** Levels of equal boundaries ascend. */
  add(length: number, level: number): void {
    const same = this.#all.findIndex((fit) => fit.length === length);
    if (same >= 0) this.#all[same] = { length, level };
    else this.#all.push({ length, level });
  }

  level(): number {
    const [first] = this.#all;
    if (this.#all.length < 2) return first?.level ?? -1;
    let best: Fit | undefined;
    for (const fit of this.#all.sort((a, b) => b.level - a.level)) {
      if (best !== undefined && fit.length <= best.length) continue;
      best = fit;
      const behind = this.#start + fit.length;
      if (this.#more && behind + 3 > this.#end) return undecided;
      if (this.#endsLine(behind) || (this.#octets[behind] === dash && this.#octets[behind + 1] === dash && this.#endsLine(behind + 2))) break;
    }
    return best?.level ?? -1;
  }

  #endsLine(at: number): boolean {
    return at >= this.#end || this.#octets[at] === lf || this.#octets[at] === cr;
  }
}

/** How many characters of the boundary stand in these octets. */
function common(boundary: string, octets: Buffer, from: number, end: number): number {
  const most = Math.min(boundary.length, end - from);
  let i = 0;
  while (i < most && boundary.charCodeAt(i) === octets[from + i]) i++;
  return i;
}

class Trie {
  readonly #root = node();

  open(boundary: string, level: number): void {
    let at = this.#root;
    for (let i = 0; i < boundary.length; i++) {
      const octet = boundary.charCodeAt(i);
      let next = at.next.get(octet);
      if (next === undefined) at.next.set(octet, (next = node()));
      at = next;
    }
    at.levels.push(level);
  }

  close(boundary: string): void {
    const path = [this.#root];
    for (let i = 0; i < boundary.length; i++) {
      const next = path[i]?.next.get(boundary.charCodeAt(i));
      if (next === undefined) return;
      path.push(next);
    }
    path.at(-1)?.levels.pop();
    for (let i = boundary.length; i > 0; i--) {
      const last = path[i];
      if (last === undefined || last.levels.length > 0 || last.next.size > 0) return;
      path[i - 1]?.next.delete(boundary.charCodeAt(i - 1));
    }
  }

  levelAt(octets: Buffer, at: number, end: number, more: boolean): number {
    const fitting = new Fitting(octets, at + 2, end, more);
    let here = this.#root;
    for (let i = at + 2; i < end; i++) {
      const next = here.next.get(octets[i] ?? -1);
      if (next === undefined) return fitting.level();
      here = next;
      const innermost = here.levels.at(-1);
      if (innermost !== undefined) fitting.add(i - at - 1, innermost);
    }
    return more && here.next.size > 0 ? undecided : fitting.level();
  }
}
