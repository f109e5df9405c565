/**
 * This process's side of the thread that has the full-text indexes: started when first asked for more than words, ended when nobody asks any more. Where
 * none runs, the process of one user looks words up itself: that takes some ms, to start a thread 60, and 25 MiB.
 */
import { statSync } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Databases } from "./databases.ts";
import type { Answers, FromThread, Request, ThreadData, ToThread } from "./requests.ts";
import { indexFiles } from "./stamp.ts";
import { textVersion } from "./text.ts";

/** How long the thread, and an index that is open here, stay without work, ms. One who searches may do so again; when messages were put in nobody need come. */
const idleAfterLook = 20_000;
const idleAfterAdding = 2_000;
/** How long to wait before a thread that died is started again, ms. */
const restartPause = 60_000;
/** Its heap, MiB: text of one message at a time is held (text.ts bounds it). */
const heapLimit = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 };

const program = new URL(`./thread${extname(import.meta.filename)}`, import.meta.url);

/** Of the index in a side directory, octets; Infinity where there is none. */
const sizeOf = (side: string): number => statSync(indexFiles(side).database, { throwIfNoEntry: false })?.size ?? Infinity;

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (fault: Error) => void;
}

/** Thrown when the index did not do it. `message` is for the log. */
export class IndexerFault extends Error {}

export class Indexer {
  readonly #note: (line: string, side: string | undefined) => void;
  readonly #left: () => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #hereUpTo: number;
  /** Open here, for words; never beside the thread. */
  #here: Databases | undefined;
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;
  #restartAt = 0;
  /** performance.now() of the last search. */
  #searchedAt = -Infinity;
  #ended = Promise.resolve();
  #closed = false;

  /**
   * @param note takes lines for the log, of the index in this side directory
   * @param left called when the thread has ended, as nobody asked any more: its memory is still this process's
   * @param hereUpTo in an index of fewer octets words are looked up by this thread while the other one does not run; who else is served by it waits meanwhile
   */
  constructor(note: (line: string, side: string | undefined) => void, left: () => void = () => undefined, hereUpTo = 0) {
    this.#note = note;
    this.#left = left;
    this.#hereUpTo = hereUpTo;
  }

  /** Rejects with IndexerFault. Requests are done in order. */
  async ask<R extends Request>(request: R, transfer: readonly ArrayBuffer[] = []): Promise<Answers[R["op"]]> {
    // One that is ending has its databases to itself until then.
    if (this.#thread === undefined) await this.#ended;
    if (request.op === "look" && request.questions.length > 0) {
      this.#searchedAt = performance.now();
      const looked = await this.#lookHere(request);
      if (looked !== undefined) return looked as Answers[R["op"]];
    }
    return new Promise((resolve, reject) => {
      const thread = this.#running();
      if (thread === undefined) return reject(new IndexerFault("full-text index is out of order"));
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      clearTimeout(this.#idle);
      thread.postMessage({ id, request } satisfies ToThread, transfer);
    });
  }

  /** Nothing can be asked: closed, or the thread died a moment ago. */
  get #isOut(): boolean {
    return this.#closed || performance.now() < this.#restartAt;
  }

  /** Undefined where it is the thread's. */
  async #lookHere(request: Extract<Request, { readonly op: "look" }>): Promise<Answers["look"] | undefined> {
    const here = (): boolean => this.#thread === undefined && !this.#isOut && sizeOf(request.side) < this.#hereUpTo;
    if (!here()) return undefined;
    // Who only puts messages in does without it.
    const loaded = await import("./databases.ts");
    if (!here()) return undefined;
    this.#here ??= new loaded.Databases(textVersion(), this.#note);
    this.#idleLater(() => this.#closeHere());
    try {
      return this.#here.answer(request);
    } catch (fault) {
      throw new IndexerFault(fault instanceof Error ? fault.message : String(fault));
    }
  }

  #closeHere(): void {
    this.#here?.close();
    this.#here = undefined;
  }

  #idleLater(then: () => void): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(then, Math.max(idleAfterAdding, this.#searchedAt + idleAfterLook - performance.now())).unref();
  }

  #running(): Worker | undefined {
    if (this.#thread !== undefined) return this.#thread;
    if (this.#isOut) return undefined;
    this.#closeHere();
    // What node:sqlite says of itself is no news for the log.
    const thread = new Worker(program, { workerData: { text: textVersion() } satisfies ThreadData, resourceLimits: heapLimit, execArgv: ["--disable-warning=ExperimentalWarning"] });
    thread.unref();
    thread.on("message", (message: FromThread) => this.#hear(message));
    thread.on("error", (fault) => this.#lost(thread, fault.message));
    this.#ended = new Promise((resolve) =>
      thread.on("exit", () => {
        this.#lost(thread, undefined);
        resolve();
      }),
    );
    this.#thread = thread;
    return thread;
  }

  #hear(message: FromThread): void {
    if ("note" in message) return this.#note(message.note, message.side);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("fault" in message) waiting?.reject(new IndexerFault(message.fault));
    else waiting?.resolve(message.answer as never);
    if (this.#waiting.size > 0) return;
    this.#idleLater(() => void this.#end().then(this.#left));
  }

  /** @param why undefined when it ended as it was told to, or after an error that was heard of */
  #lost(thread: Worker, why: string | undefined): void {
    if (this.#thread === thread) {
      this.#thread = undefined;
      this.#restartAt = performance.now() + restartPause;
      this.#note(`full-text index: thread ended: ${why ?? "by itself"}`, undefined);
    }
    if (this.#thread === undefined) this.#rejectAll();
  }

  #rejectAll(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new IndexerFault("full-text index is out of order"));
  }

  /** Resolves when the thread has closed its databases. */
  #end(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread === undefined) return this.#ended;
    thread.postMessage("end" satisfies ToThread);
    return this.#ended;
  }

  /** Commits what was done and ends the thread. Nothing can be asked any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closeHere();
    this.#thread?.ref();
    await this.#end();
    this.#rejectAll();
  }
}
