/** THREAD and UID THREAD. RFC 5256 §3. */
import { isReply, section, sectionEnd, sectionStart } from "../../imap/facts.ts";
import { idOctets } from "../../imap/facts-ids.ts";
import { IdNumbers } from "../../imap/id-numbers.ts";
import type { ThreadAlgorithm } from "../../imap/sort-criteria.ts";
import { ok, type Reply } from "../../imap/respond.ts";
import { orderedSubject, references, refs, type Referring, type Threads } from "../../imap/thread.ts";
import { factsOfAll } from "./facts-of-all.ts";
import { matching } from "./matching.ts";
import type { Output } from "./output.ts";
import { ranksOf, type Columns } from "./sort-columns.ts";
import type { SelectedHandler, Session } from "./session.ts";
import type { View } from "./view.ts";

export const thread: SelectedHandler<"THREAD"> = async (session, view, { uid, algorithm, charset, key }) => {
  const outcome = await matching(session, view, key, charset);
  if ("status" in outcome) return outcome;
  const { found } = outcome;
  const { columns, rows, failed } = await session.columns.of(session, view, found, ["sent", "subject"]);
  const whole = found.length === columns.uids.length;
  const known = whole ? columns.threads.get(algorithm) : undefined;
  const { threads, unread } = known === undefined ? await threadsOf(session, view, algorithm, found, columns, rows) : { threads: known, unread: undefined };
  if (whole && known === undefined && failed === undefined && unread === undefined) session.columns.keepThreads(view.mailbox, columns, algorithm, threads);
  const out = session.out.output;
  out.write("* THREAD");
  if (threads.roots.length > 0) out.write(" ");
  writeThreads(out, threads, (n) => (uid ? (columns.uids[rows[n] ?? 0] ?? 0) : (found[n] ?? 0) + 1));
  out.write("\r\n");
  return outcome.failed ?? failed ?? unread ?? ok("Thread completed.");
};

async function threadsOf(session: Session, view: View, algorithm: ThreadAlgorithm, found: readonly number[], columns: Columns, rows: Uint32Array): Promise<{ readonly threads: Threads; readonly unread: Reply | undefined }> {
  const shared = { count: found.length, date: ranksOf(columns, "sent", rows), subject: ranksOf(columns, "subject", rows) };
  if (algorithm === "ORDEREDSUBJECT") return { threads: orderedSubject(shared), unread: undefined };
  const noSubject = columns.texts.get("subject")?.keys[0] === "" ? 0 : -1;
  const { failed, ...links } = await linksOf(session, view, found);
  return { threads: (algorithm === "REFS" ? refs : references)({ ...shared, ...links, noSubject }), unread: failed };
}

type Links = Pick<Referring, "reply" | "own" | "refs" | "refsFrom" | "ids"> & { readonly failed: Reply | undefined };

/** Identifiers of the messages at these places, as numbers. */
async function linksOf(session: Session, view: View, found: readonly number[]): Promise<Links> {
  const count = found.length;
  const numbers = new IdNumbers();
  const reply = new Uint8Array(count);
  const own = new Int32Array(count).fill(-1);
  /** In the order that facts come in: those of message n from start[n] on. */
  let all = new Int32Array(4 * count + 1024);
  let filled = 0;
  const start = new Uint32Array(count);
  const length = new Uint32Array(count);
  const failed = await factsOfAll(session, view, found, (n, facts) => {
    const from = sectionStart(facts, section.ids);
    const refCount = (sectionEnd(facts, section.ids) - from) / idOctets - 1;
    reply[n] = isReply(facts) ? 1 : 0;
    own[n] = numbers.of(facts, from);
    start[n] = filled;
    if (filled + refCount > all.length) {
      const more = new Int32Array(2 * all.length + refCount);
      more.set(all);
      all = more;
    }
    for (let i = 1; i <= refCount; i++) all[filled++] = numbers.of(facts, from + i * idOctets);
    length[n] = filled - (start[n] ?? 0);
  });
  const refsFrom = new Uint32Array(count + 1);
  const ordered = new Int32Array(filled);
  let at = 0;
  for (let n = 0; n < count; n++) {
    refsFrom[n] = at;
    const from = start[n] ?? 0;
    ordered.set(all.subarray(from, from + (length[n] ?? 0)), at);
    at += length[n] ?? 0;
  }
  refsFrom[count] = at;
  return { reply, own, refs: ordered, refsFrom, ids: numbers.size, failed };
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
