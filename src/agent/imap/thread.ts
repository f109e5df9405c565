/** THREAD and UID THREAD. RFC 5256 §3. */
import { isReply, section, sectionEnd, sectionStart } from "../../imap/facts.ts";
import { idOctets } from "../../imap/facts-ids.ts";
import { IdNumbers } from "../../imap/id-numbers.ts";
import type { ThreadAlgorithm } from "../../imap/sort-criteria.ts";
import { ok } from "../../imap/respond.ts";
import { orderedSubject, references, refs, type Referring, type Threads } from "../../imap/thread.ts";
import { factsOfAll } from "./facts-of-all.ts";
import { matching } from "./matching.ts";
import type { Output } from "../output.ts";
import { ranksOf, type Columns } from "./sort-columns.ts";
import type { SelectedHandler } from "./session.ts";

export const thread: SelectedHandler<"THREAD"> = async (session, view, { uid, algorithm, charset, key }) => {
  const outcome = await matching(session, view, key, charset);
  if ("status" in outcome) return outcome;
  const { found } = outcome;
  const linked = algorithm === "ORDEREDSUBJECT" ? undefined : new Links(found.length);
  const { columns, rows, failed, looked } = await session.columns.of(session, view, found, ["sent", "subject"], linked && ((n, facts) => linked.take(n, facts)));
  const whole = found.length === columns.uids.length;
  const known = whole ? columns.threads.get(algorithm) : undefined;
  const unread = known !== undefined || linked === undefined || looked ? undefined : await factsOfAll(session, view, found, (n, facts) => linked.take(n, facts));
  const threads = known ?? threadsOf(algorithm, found.length, columns, rows, linked);
  if (whole && known === undefined && failed === undefined && unread === undefined) session.columns.keepThreads(view.mailbox, columns, algorithm, threads);
  const out = session.out.output;
  out.write("* THREAD");
  if (threads.roots.length > 0) out.write(" ");
  writeThreads(out, threads, (n) => (uid ? (columns.uids[rows[n] ?? 0] ?? 0) : (found[n] ?? 0) + 1));
  out.write("\r\n");
  return outcome.failed ?? failed ?? unread ?? ok("Thread completed.");
};

function threadsOf(algorithm: ThreadAlgorithm, count: number, columns: Columns, rows: Uint32Array, linked: Links | undefined): Threads {
  const shared = { count, date: ranksOf(columns, "sent", rows), subject: ranksOf(columns, "subject", rows) };
  if (linked === undefined) return orderedSubject(shared);
  const noSubject = columns.texts.get("subject")?.keys[0] === "" ? 0 : -1;
  return (algorithm === "REFS" ? refs : references)({ ...shared, ...linked.inOrder(), noSubject });
}

/** Identifiers of messages, as numbers. */
class Links {
  readonly #numbers = new IdNumbers();
  readonly #reply: Uint8Array;
  readonly #own: Int32Array;
  /** In the order that facts come in: those of message n from start[n] on. */
  #all: Int32Array;
  #filled = 0;
  readonly #start: Uint32Array;
  readonly #length: Uint32Array;

  /** @param count messages, of which some may have no facts */
  constructor(count: number) {
    this.#reply = new Uint8Array(count);
    this.#own = new Int32Array(count).fill(-1);
    this.#all = new Int32Array(4 * count + 1024);
    this.#start = new Uint32Array(count);
    this.#length = new Uint32Array(count);
  }

  /** Facts of message n, once, in any order. */
  take(n: number, facts: Buffer): void {
    const from = sectionStart(facts, section.ids);
    const refCount = (sectionEnd(facts, section.ids) - from) / idOctets - 1;
    this.#reply[n] = isReply(facts) ? 1 : 0;
    this.#own[n] = this.#numbers.of(facts, from);
    this.#start[n] = this.#filled;
    if (refCount <= 0) return;
    if (this.#filled + refCount > this.#all.length) {
      const more = new Int32Array(2 * this.#all.length + refCount);
      more.set(this.#all);
      this.#all = more;
    }
    for (let i = 1; i <= refCount; i++) this.#all[this.#filled++] = this.#numbers.of(facts, from + i * idOctets);
    this.#length[n] = refCount;
  }

  inOrder(): Pick<Referring, "reply" | "own" | "refs" | "refsFrom" | "ids"> {
    const count = this.#own.length;
    const refsFrom = new Uint32Array(count + 1);
    const ordered = new Int32Array(this.#filled);
    let at = 0;
    for (let n = 0; n < count; n++) {
      refsFrom[n] = at;
      const from = this.#start[n] ?? 0;
      const to = from + (this.#length[n] ?? 0);
      for (let i = from; i < to; i++) ordered[at++] = this.#all[i] ?? 0;
    }
    refsFrom[count] = at;
    return { reply: this.#reply, own: this.#own, refs: ordered, refsFrom, ids: this.#numbers.size };
  }
}

/** Marks among nodes. */
const open = -1;
const close = -2;

/**
 * 1*thread-list. thread-list = "(" (thread-members / thread-nested) ")". RFC 5256 §5. Iterative: threads are as deep as senders make them.
 *
 * @param numberOf  the number or UID of a message
 */
export function writeThreads(out: Output, { roots, count, firstChild, nextSibling }: Threads, numberOf: (n: number) => number): void {
  /** Nodes, and marks for parentheses, the next one last. */
  const waiting: number[] = [];
  let afterNumber = false;
  for (const root of roots) {
    waiting.push(close, root, open);
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (node === open) {
        // 1*thread-list behind a number stands apart from it, and the lists stand together.
        out.write(afterNumber ? " (" : "(");
        afterNumber = false;
        continue;
      }
      if (node === close) {
        out.write(")");
        afterNumber = false;
        continue;
      }
      if (node < count) {
        if (afterNumber) out.write(" ");
        out.number(numberOf(node));
        afterNumber = true;
      }
      const first = firstChild[node] ?? -1;
      if (first < 0) continue;
      if ((nextSibling[first] ?? -1) < 0) {
        waiting.push(first);
        continue;
      }
      const at = waiting.length;
      for (let child = first; child >= 0; child = nextSibling[child] ?? -1) waiting.push(open, child, close);
      reverse(waiting, at);
    }
  }
}

function reverse(list: number[], from: number): void {
  for (let i = from, j = list.length - 1; i < j; i++, j--) [list[i], list[j]] = [list[j] ?? 0, list[i] ?? 0];
}
