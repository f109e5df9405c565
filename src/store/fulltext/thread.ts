/**
 * The thread that has the full-text indexes of this process: building one keeps a processor busy for minutes, and must not keep the
 * sessions waiting. One request after the other; a look-up waits for the few messages that are being put in, at most.
 */
import { parentPort, workerData } from "node:worker_threads";
import { releaseMemory } from "../../sys/memory.ts";
import { FulltextDatabase, isDamage } from "./database.ts";
import { IndexFault } from "./fault.ts";
import type { Answers, FromThread, Request, ThreadData, ToIndex, ToThread } from "./requests.ts";
import { indexFiles, removeIndex } from "./stamp.ts";

/** Indexes open at once: an agent of virtual users has many. Each has some MiB of page cache. */
const openLimit = 8;
/** How long an index that can not be opened is left alone, ms. */
const openPause = 60_000;
/** Rows of folders that are no more are removed in steps; others have their turn for this long between two, ms. */
const tidyPause = 20;
/** Octets of messages put in before memory is given back, which takes some ms. */
const releaseEvery = 4 << 20;
/** How long nothing was asked before memory is given back, ms. */
const restPause = 500;

const port = parentPort;
if (port === null) throw new Error("not a thread");
const { text } = workerData as ThreadData;
const send = (message: FromThread, moved: readonly ArrayBuffer[] = []): void => port.postMessage(message, moved);

/** By side directory; the one used last is last. */
const open = new Map<string, FulltextDatabase>();
const refused = new Map<string, { readonly until: number; readonly why: string }>();
/** What was said last of an index that could not be written; said once. */
const complaints = new Map<string, string>();
let tidying: NodeJS.Timeout | undefined;
let resting: NodeJS.Timeout | undefined;
let added = 0;

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function indexIn(side: string): FulltextDatabase {
  let index = open.get(side);
  open.delete(side);
  if (index === undefined) {
    const refusal = refused.get(side);
    if (refusal !== undefined && refusal.until > performance.now()) throw new IndexFault(refusal.why);
    for (const [other, oldest] of open) {
      if (open.size < openLimit) break;
      open.delete(other);
      oldest.close();
    }
    try {
      index = FulltextDatabase.open(side, text, (note) => send({ note, side }));
      refused.delete(side);
    } catch (error) {
      if (refusal?.why !== textOf(error)) send({ note: `full-text index not used: ${textOf(error)}`, side });
      refused.set(side, { until: performance.now() + openPause, why: textOf(error) });
      throw error;
    }
  }
  open.set(side, index);
  return index;
}

/** After a fault: gives the index up where it is not to be believed any more. What could not be written is as it was before. */
function settle(side: string, error: unknown): void {
  const index = open.get(side);
  if (index === undefined) return;
  if (!isDamage(error) && !(error instanceof IndexFault)) {
    if (complaints.get(side) !== textOf(error)) send({ note: `full-text index not written: ${textOf(error)}`, side });
    complaints.set(side, textOf(error));
    return;
  }
  open.delete(side);
  index.abandon();
  send({ note: `full-text index is given up: ${textOf(error)}`, side });
  try {
    removeIndex(indexFiles(side));
  } catch {
    // The next open says so.
  }
}

function answer(request: Request): Answers[keyof Answers] {
  const index = indexIn(request.side);
  index.verify();
  switch (request.op) {
    case "look":
      restLater();
      return index.look(request.folder, request.epoch === index.epoch ? request.since : 0, request.questions);
    case "add":
      index.add(request.folder, request.messages, Buffer.from(request.octets.buffer, request.octets.byteOffset, request.octets.byteLength));
      releaseNowAndThen(request.messages);
      return request.octets;
    case "remove":
      index.remove(request.folder, request.uids);
      return null;
    case "folders":
      return index.folders();
    case "rename":
      index.rename(request.mailbox, request.name);
      tidyLater();
      return null;
    case "flush":
      index.flush();
      complaints.delete(request.side);
      if (index.tidy()) tidyLater();
      restLater();
      return null;
  }
}

/** Text leaves garbage that V8 would let grow for long. */
function releaseNowAndThen(messages: readonly ToIndex[]): void {
  for (const { length } of messages) added += length;
  if (added < releaseEvery) return;
  added = 0;
  releaseMemory();
}

/** What was taken for texts is given back, unless there is more to do. */
function restLater(): void {
  if (resting !== undefined) return void resting.refresh();
  resting = setTimeout(() => {
    for (const index of open.values()) index.releaseMemory();
    releaseMemory();
  }, restPause).unref();
}

/** Housekeeping yields to every request. */
function tidyLater(): void {
  tidying ??= setTimeout(() => {
    tidying = undefined;
    for (const [side, index] of open) {
      try {
        index.verify();
        if (index.tidy()) return tidyLater();
      } catch (error) {
        settle(side, error);
      }
    }
  }, tidyPause);
}

port.on("message", (message: ToThread) => {
  if (message === "end") {
    clearTimeout(tidying);
    clearTimeout(resting);
    for (const index of open.values()) index.close();
    open.clear();
    port.close();
    return;
  }
  const { id, request } = message;
  try {
    const answered = answer(request);
    send({ id, answer: answered }, request.op === "add" ? [request.octets.buffer] : []);
  } catch (error) {
    settle(request.side, error);
    send({ id, fault: textOf(error) });
  }
});
