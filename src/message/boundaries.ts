/**
 * The boundaries whose delimiters count at some place of a message, as a trie: looking up a line costs no more than the octets it has in
 * common with a boundary, however many multiparts are open.
 */

interface Node {
  readonly next: Map<number, Node>;
  /** Levels of the open multiparts whose boundary ends here, innermost last. */
  readonly levels: number[];
}

const node = (): Node => ({ next: new Map(), levels: [] });

export class Boundaries {
  readonly #root = node();

  /** @param boundary one character per octet, without "--" */
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

  /** Takes back the last `open` of this boundary. */
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

  /**
   * The level of the multipart whose delimiter begins with the "--" at `at`, -1 for none. It is enough that the line begins with the
   * boundary (RFC 2046 §5.1.2); of several the longest counts, of equal ones the innermost.
   */
  levelAt(octets: Buffer, at: number, end: number): number {
    let here: Node | undefined = this.#root;
    let level = -1;
    for (let i = at + 2; i < end; i++) {
      here = here.next.get(octets[i] ?? -1);
      if (here === undefined) break;
      level = here.levels.at(-1) ?? level;
    }
    return level;
  }
}
