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
   * boundary (RFC 2046 §5.1.2); of several the longest counts, of equal ones the innermost.
   *
   * @param more  octets may come behind `end`: then the answer may be `undecided`
   */
  levelAt(octets: Buffer, at: number, end: number, more: boolean): number {
    if (this.#trie !== undefined) return this.#trie.levelAt(octets, at, end, more);
    let level = -1;
    let longest = 0;
    for (const one of this.#open) {
      const { boundary } = one;
      const fits = common(boundary, octets, at + 2, end);
      if (fits === boundary.length) {
        if (fits < longest) continue;
        longest = fits;
        level = one.level;
      } else if (more && at + 2 + fits >= end) return undecided;
    }
    return level;
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
    let here = this.#root;
    let level = -1;
    for (let i = at + 2; i < end; i++) {
      const next = here.next.get(octets[i] ?? -1);
      if (next === undefined) return level;
      here = next;
      level = here.levels.at(-1) ?? level;
    }
    return more && here.next.size > 0 ? undecided : level;
  }
}
