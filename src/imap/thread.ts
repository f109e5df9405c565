/**
 * Threads of messages: ORDEREDSUBJECT and REFERENCES of RFC 5256 §3, and REFS. Messages are numbers from 0 in the order of the mailbox; what is
 * compared comes in as ranks, equal for equal values. Pure; time n log n whatever the messages say, and nothing is recursive.
 */
import { Forest } from "./forest.ts";
import { sortByRanks } from "./sort.ts";

/** All but `refs` by message. */
export interface Threaded {
  readonly count: number;
  /** Of the sent date. */
  readonly date: Uint32Array;
  /** Of the base subject. */
  readonly subject: Uint32Array;
}

export interface Referring extends Threaded {
  /** Rank of the empty base subject, if any message has it; -1 otherwise. */
  readonly noSubject: number;
  /** 1 for a reply or forward. */
  readonly reply: Uint8Array;
  /** Number of its identifier; -1 for none. */
  readonly own: Int32Array;
  /** Numbers of identifiers: those of message n from refsFrom[n] up to refsFrom[n + 1], oldest first. */
  readonly refs: Int32Array;
  readonly refsFrom: Uint32Array;
  /** Identifiers in all. */
  readonly ids: number;
}

/** Nodes below `count` are messages; those from there on are dummies, and only on top. Siblings stand in order. */
export interface Threads {
  readonly count: number;
  readonly roots: Int32Array;
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
}

const none = -1;

/** RFC 5256 §3 ORDEREDSUBJECT. */
export function orderedSubject({ count, date, subject }: Threaded): Threads {
  const parent = new Int32Array(count).fill(none);
  let first = none;
  for (const node of sortByRanks(count, [{ ranks: subject, reverse: false }, { ranks: date, reverse: false }])) {
    if (first === none || subject[node] !== subject[first]) first = node;
    else parent[node] = first;
  }
  return arrange(parent, sortByRanks(count, [{ ranks: date, reverse: false }]), count);
}

/** RFC 5256 §3 REFERENCES, steps 1 to 6. */
export function references(input: Referring): Threads {
  const { count, date } = input;
  const linked = link(input);
  const byDate = sortByRanks(count, [{ ranks: date, reverse: false }]);
  const parent = prune(linked, count);
  const dummies = gather(input, parent, arrange(parent, byDate, count));
  return arrange(dummies, byDate, count);
}

/** REFERENCES without step 5, threads in the order of their newest messages, at equal dates of their first: what Dovecot calls REFS. */
export function refs(input: Referring): Threads {
  const { count, date } = input;
  const parent = prune(link(input), count);
  const threads = arrange(parent, sortByRanks(count, [{ ranks: date, reverse: false }]), count);
  const newest = new Uint32Array(parent.length);
  const root = rootsOf(parent);
  for (let n = 0; n < count; n++) {
    const top = root[n] ?? n;
    newest[top] = Math.max(newest[top] ?? 0, date[n] ?? 0);
  }
  const first = (node: number): number => (node < count ? node : (threads.firstChild[node] ?? 0));
  const roots = threads.roots.toSorted((a, b) => first(a) - first(b));
  const order = sortByRanks(roots.length, [{ ranks: Uint32Array.from(roots, (node) => newest[node] ?? 0), reverse: false }]);
  return { ...threads, roots: Int32Array.from(order, (i) => roots[i] ?? 0) };
}

/** Step 1: parents of messages and of dummies for identifiers that no message has, which are nodes from `count` on. */
function link({ count, own, refs: ids, refsFrom, ids: idCount }: Referring): Int32Array {
  const nodeOf = new Int32Array(idCount).fill(none);
  for (let n = 0; n < count; n++) {
    const id = own[n] ?? none;
    // The first message with an identifier has it; the others are as if they had one of their own.
    if (id !== none && nodeOf[id] === none) nodeOf[id] = n;
  }
  let nodes = count;
  for (let id = 0; id < idCount; id++) if (nodeOf[id] === none) nodeOf[id] = nodes++;
  const forest = new Forest(nodes);
  for (let n = 0; n < count; n++) {
    let before = none;
    for (let i = refsFrom[n] ?? 0; i < (refsFrom[n + 1] ?? 0); i++) {
      const node = nodeOf[ids[i] ?? 0] ?? none;
      if (before !== none && forest.parent[node] === none) forest.link(node, before);
      before = node;
    }
    if (forest.parent[n] === before) continue;
    forest.cut(n);
    if (before !== none) forest.link(n, before);
  }
  return forest.parent;
}

/** Step 3: only dummies on top that have several children are left. Nodes keep their numbers; others are children of nobody and have none. */
function prune(parent: Int32Array, count: number): Int32Array {
  const pruned = new Int32Array(parent.length).fill(none);
  const children = new Int32Array(parent.length);
  /** For a dummy the nearest message above it, or the dummy on top. */
  const above = new Int32Array(parent.length).fill(none);
  const way: number[] = [];
  for (let n = 0; n < count; n++) {
    let at = parent[n] ?? none;
    while (at >= count && above[at] === none && parent[at] !== none) {
      way.push(at);
      at = parent[at] ?? none;
    }
    if (at >= count && above[at] !== none) at = above[at] ?? none;
    for (const dummy of way) above[dummy] = at;
    way.length = 0;
    pruned[n] = at;
    if (at !== none) children[at] = (children[at] ?? 0) + 1;
  }
  for (let n = 0; n < count; n++) {
    const up = pruned[n] ?? none;
    if (up >= count && children[up] === 1) pruned[n] = none;
  }
  return pruned;
}

/** Steps 4 and 6: siblings by date. A dummy stands where its first child would. */
function arrange(parent: Int32Array, byDate: Uint32Array, count: number): Threads {
  const nodes = parent.length;
  const firstChild = new Int32Array(nodes).fill(none);
  const nextSibling = new Int32Array(nodes).fill(none);
  const lastChild = new Int32Array(nodes).fill(none);
  const roots: number[] = [];
  for (const node of byDate) {
    const up = parent[node] ?? none;
    if (up === none) {
      roots.push(node);
      continue;
    }
    const last = lastChild[up] ?? none;
    if (last !== none) nextSibling[last] = node;
    else {
      firstChild[up] = node;
      if (up >= count) roots.push(up);
    }
    lastChild[up] = node;
  }
  return { count, roots: Int32Array.from(roots), firstChild, nextSibling };
}

/** Step 5: threads of one base subject become one. Returns the parents with new dummies behind the nodes there were. */
function gather({ count, subject, noSubject, reply }: Referring, parent: Int32Array, { roots, firstChild }: Threads): Int32Array {
  /** By rank of the subject. */
  const table = new Int32Array(subject.reduce((most, rank) => Math.max(most, rank), 0) + 1).fill(none);
  const isDummy = (node: number): boolean => node >= count;
  const isReply = (node: number): boolean => reply[node] === 1;
  const subjectOf = (node: number): number => subject[isDummy(node) ? (firstChild[node] ?? none) : node] ?? noSubject;
  for (const node of roots) {
    const s = subjectOf(node);
    if (s === noSubject) continue;
    const known = table[s] ?? none;
    if (known === none || (!isDummy(known) && (isDummy(node) || (isReply(known) && !isReply(node))))) table[s] = node;
  }
  const merged = new Int32Array(parent.length + roots.length).fill(none);
  merged.set(parent);
  let next = parent.length;
  /** Dummies whose children went to another. */
  const moved = new Map<number, number>();
  for (const node of roots) {
    const s = subjectOf(node);
    const known = s === noSubject ? none : (table[s] ?? none);
    if (known === none || known === node) continue;
    if (isDummy(known)) {
      if (isDummy(node)) moved.set(node, known);
      else merged[node] = known;
    } else if (isReply(node) && !isReply(known)) merged[node] = known;
    else {
      merged[node] = next;
      merged[known] = next;
      table[s] = next++;
    }
  }
  if (moved.size > 0) {
    for (let n = 0; n < count; n++) {
      const to = moved.get(merged[n] ?? none);
      if (to !== undefined) merged[n] = to;
    }
  }
  return merged.subarray(0, next);
}

/** The top of each node's tree. */
function rootsOf(parent: Int32Array): Int32Array {
  const root = new Int32Array(parent.length).fill(none);
  const way: number[] = [];
  for (let n = 0; n < parent.length; n++) {
    let at = n;
    while (root[at] === none && parent[at] !== none) {
      way.push(at);
      at = parent[at] ?? none;
    }
    const top = root[at] === none ? at : (root[at] ?? at);
    root[at] = top;
    for (const node of way) root[node] = top;
    way.length = 0;
  }
  return root;
}
