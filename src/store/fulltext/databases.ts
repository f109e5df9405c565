/**
 * The full-text indexes that are open, and what is asked of them; all of it by one thread at a time. Mostly that is one of its own (thread.ts); where none
 * runs, words are looked up by who asks (indexer.ts).
 */
import { FulltextDatabase, isDamage } from "./database.ts";
import { IndexFault } from "./fault.ts";
import type { Answers, Request } from "./requests.ts";
import { indexFiles, removeIndex } from "./stamp.ts";

/** Indexes open at once: an agent of virtual users has many. Each has some MiB of page cache. */
const openLimit = 8;
/** How long an index that can not be opened is left alone, ms. */
const openPause = 60_000;
/** Rows of folders that are no more are removed in steps; others have their turn for this long between two, ms. */
const tidyPause = 20;
/** How long nothing was asked before memory is given back, ms. */
const restPause = 500;

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Databases {
  /** `textVersion` of text.ts. */
  readonly #text: string;
  readonly #note: (line: string, side: string) => void;
  readonly #rested: () => void;
  /** By side directory; the one used last is last. */
  readonly #open = new Map<string, FulltextDatabase>();
  readonly #refused = new Map<string, { readonly until: number; readonly why: string }>();
  /** What was said last of an index that could not be written; said once. */
  readonly #complaints = new Map<string, string>();
  #tidying: NodeJS.Timeout | undefined;
  #resting: NodeJS.Timeout | undefined;

  /**
   * @param text   `textVersion` of text.ts
   * @param note   takes a line for the log, of the index in this side directory
   * @param rested nothing was asked for a while, and page caches were given back
   */
  constructor(text: string, note: (line: string, side: string) => void, rested: () => void = () => undefined) {
    this.#text = text;
    this.#note = note;
    this.#rested = rested;
  }

  /** Does what is asked. Throws what went wrong; the index is as it was then, or will be made anew. */
  answer<R extends Request>(request: R): Answers[R["op"]];
  answer(request: Request): Answers[keyof Answers] {
    try {
      return this.#answer(request);
    } catch (error) {
      this.#settle(request.side, error);
      throw error;
    }
  }

  #answer(request: Request): Answers[keyof Answers] {
    const index = this.#indexIn(request.side);
    index.verify();
    switch (request.op) {
      case "look":
        this.#restLater();
        return index.look(request.folder, request.epoch === index.epoch ? request.since : 0, request.questions);
      case "add":
        index.add(request.folder, request.messages, Buffer.from(request.octets.buffer, request.octets.byteOffset, request.octets.byteLength));
        return request.octets;
      case "remove":
        index.remove(request.folder, request.uids);
        return null;
      case "folders":
        return index.folders();
      case "rename":
        index.rename(request.mailbox, request.name);
        this.#tidyLater();
        return null;
      case "flush":
        index.flush();
        this.#complaints.delete(request.side);
        if (index.tidy()) this.#tidyLater();
        this.#restLater();
        return null;
    }
  }

  #indexIn(side: string): FulltextDatabase {
    let index = this.#open.get(side);
    this.#open.delete(side);
    if (index === undefined) {
      const refusal = this.#refused.get(side);
      if (refusal !== undefined && refusal.until > performance.now()) throw new IndexFault(refusal.why);
      for (const [other, oldest] of this.#open) {
        if (this.#open.size < openLimit) break;
        this.#open.delete(other);
        oldest.close();
      }
      try {
        index = FulltextDatabase.open(side, this.#text, (line) => this.#note(line, side));
        this.#refused.delete(side);
      } catch (error) {
        if (refusal?.why !== textOf(error)) this.#note(`full-text index not used: ${textOf(error)}`, side);
        this.#refused.set(side, { until: performance.now() + openPause, why: textOf(error) });
        throw error;
      }
    }
    this.#open.set(side, index);
    return index;
  }

  /** After a fault: gives the index up where it is not to be believed any more. What could not be written is as it was before. */
  #settle(side: string, error: unknown): void {
    const index = this.#open.get(side);
    if (index === undefined) return;
    if (!isDamage(error) && !(error instanceof IndexFault)) {
      if (this.#complaints.get(side) !== textOf(error)) this.#note(`full-text index not written: ${textOf(error)}`, side);
      this.#complaints.set(side, textOf(error));
      return;
    }
    this.#open.delete(side);
    index.abandon();
    this.#note(`full-text index is given up: ${textOf(error)}`, side);
    try {
      removeIndex(indexFiles(side));
    } catch {
      // The next open says so.
    }
  }

  /** What was taken for texts is given back, unless there is more to do. */
  #restLater(): void {
    if (this.#resting !== undefined) return void this.#resting.refresh();
    this.#resting = setTimeout(() => {
      for (const index of this.#open.values()) index.releaseMemory();
      this.#rested();
    }, restPause).unref();
  }

  /** Housekeeping yields to every request. */
  #tidyLater(): void {
    this.#tidying ??= setTimeout(() => {
      this.#tidying = undefined;
      for (const [side, index] of this.#open) {
        try {
          index.verify();
          if (index.tidy()) return this.#tidyLater();
        } catch (error) {
          this.#settle(side, error);
        }
      }
    }, tidyPause);
  }

  /** Commits what was done. Others may have the indexes then. */
  close(): void {
    clearTimeout(this.#tidying);
    clearTimeout(this.#resting);
    this.#tidying = this.#resting = undefined;
    for (const index of this.#open.values()) index.close();
    this.#open.clear();
  }
}
