/**
 * A forest in which trees are linked and cut: link-cut trees (Sleator and Tarjan 1983) without turning trees round. Each step takes
 * logarithmic time on average however deep the trees are, so that no set of References fields makes threading slow.
 */

const none = -1;

export class Forest {
  /** Parent of each node; -1 for a root. */
  readonly parent: Int32Array;
  readonly #children: Int32Array;
  /** Splay trees over the paths of the forest, shallower nodes to the left; the root of one points to the node its path hangs from. */
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #up: Int32Array;

  /** @param nodes numbered from 0, each a tree of its own */
  constructor(nodes: number) {
    const empty = (): Int32Array => new Int32Array(nodes).fill(none);
    this.parent = empty();
    this.#children = new Int32Array(nodes);
    this.#left = empty();
    this.#right = empty();
    this.#up = empty();
  }

  /** Makes `child`, a root, the child of `parent`; false, and nothing done, when `parent` is in its tree. */
  link(child: number, parent: number): boolean {
    if (child === parent || (this.#childrenOf(child) > 0 && this.#root(parent) === child)) return false;
    this.#splay(child);
    this.#up[child] = parent;
    this.parent[child] = parent;
    this.#children[parent] = this.#childrenOf(parent) + 1;
    return true;
  }

  /** Makes `child` a root. */
  cut(child: number): void {
    const parent = this.parent[child] ?? none;
    if (parent === none) return;
    this.#access(child);
    const above = this.#left[child] ?? none;
    this.#left[child] = none;
    if (above !== none) this.#up[above] = none;
    this.parent[child] = none;
    this.#children[parent] = this.#childrenOf(parent) - 1;
  }

  #childrenOf(node: number): number {
    return this.#children[node] ?? 0;
  }

  #root(node: number): number {
    this.#access(node);
    let at = node;
    for (let next = this.#left[at] ?? none; next !== none; next = this.#left[at] ?? none) at = next;
    this.#splay(at);
    return at;
  }

  /** Makes the path from the root to `node` one splay tree with `node` on top. */
  #access(node: number): void {
    this.#splay(node);
    this.#right[node] = none;
    for (let above = this.#up[node] ?? none; above !== none; above = this.#up[node] ?? none) {
      this.#splay(above);
      this.#right[above] = node;
      this.#splay(node);
    }
  }

  /** Whether `node` is on top of its splay tree. */
  #top(node: number): boolean {
    const up = this.#up[node] ?? none;
    return up === none || (this.#left[up] !== node && this.#right[up] !== node);
  }

  #splay(node: number): void {
    while (!this.#top(node)) {
      const up = this.#up[node] ?? none;
      if (!this.#top(up)) {
        const above = this.#up[up] ?? none;
        this.#rotate((this.#left[above] === up) === (this.#left[up] === node) ? up : node);
      }
      this.#rotate(node);
    }
  }

  /** Brings `node` one up in its splay tree. */
  #rotate(node: number): void {
    const up = this.#up[node] ?? none;
    const above = this.#up[up] ?? none;
    if (!this.#top(up)) (this.#left[above] === up ? this.#left : this.#right)[above] = node;
    const [near, far] = this.#left[up] === node ? [this.#left, this.#right] : [this.#right, this.#left];
    const moved = far[node] ?? none;
    near[up] = moved;
    if (moved !== none) this.#up[moved] = up;
    far[node] = up;
    this.#up[up] = node;
    this.#up[node] = above;
  }
}
