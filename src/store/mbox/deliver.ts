/** Deliveries into one mbox: those that wait together are appended under one lock with one fsync; facts are made behind it. */
import { toCrlf } from "../../message/line-ends.ts";
import { errno, faulting } from "../faults.ts";
import { appendFacts, type FactsRecord } from "../index/facts-record.ts";
import type { NewMessage, Uid } from "../mailbox.ts";
import type { Contents } from "./contents.ts";
import type { MboxFile, MboxPolicy } from "./file.ts";
import { mboxText, type MboxText } from "./new-message.ts";
import { factsKey } from "./rows.ts";

interface Delivery {
  readonly message: NewMessage;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export class Deliveries {
  readonly #contents: Contents;
  readonly #file: MboxFile;
  readonly #policy: MboxPolicy;
  #waiting: Delivery[] = [];

  constructor(contents: Contents, file: MboxFile, policy: MboxPolicy) {
    this.#contents = contents;
    this.#file = file;
    this.#policy = policy;
  }

  /**
   * @param run  runs work when nothing else is done to the mailbox
   * @param then called when messages are there
   */
  add(message: NewMessage, run: (work: () => Promise<void>) => void, then: () => void): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ message, done, failed });
      if (this.#waiting.length > 1) return;
      run(async () => {
        await this.#drain();
        then();
      });
    });
  }

  async #drain(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      await faulting(() => this.#deliver(batch));
    } catch (error) {
      if (batch.length === 1) batch[0]?.failed(error);
      else {
        // One may be to blame: each by itself.
        for (const one of batch) await faulting(() => this.#deliver([one])).then(one.done, one.failed);
      }
      return;
    }
    for (const one of batch) one.done();
  }

  async #deliver(batch: readonly Delivery[]): Promise<void> {
    const contents = this.#contents;
    let texts: MboxText[] = [];
    await this.#file.appending(async (file) => {
      const isEmpty = file.stats().size === 0n;
      if (isEmpty) contents.settle(contents.baseFor(undefined));
      let uid = isEmpty ? contents.lastUid : 0;
      const base = isEmpty ? { ...contents.base, lastUid: contents.lastUid + batch.length } : undefined;
      texts = batch.map(({ message }, i) => mboxText(message, isEmpty ? ++uid : 0, { flags: new Set(message.flags), old: false }, i === 0 ? base : undefined, Date.now()));
      await this.#file.add(file, texts);
    });
    this.#appendFacts(texts);
  }

  /** Behind the commit point and off the path of the delivery. */
  #appendFacts(texts: readonly MboxText[]): void {
    const { facts } = this.#policy.hooks;
    if (facts === undefined) return;
    inTurns(texts, (some) => {
      const records = some.flatMap(({ shown, print, date }): FactsRecord[] => {
        if (shown === undefined) return [];
        const octets = toCrlf(shown());
        return [{ key: factsKey(print, octets.length, date), facts: facts(octets) }];
      });
      this.#trying(() => appendFacts(this.#file.side.path("cache"), records));
      this.#contents.cache.note();
    });
  }

  /** Facts can be made again. */
  #trying(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#policy.hooks.log?.(`${this.#file.side.path("cache")}: facts of a delivery are not kept: ${errno(error) || String(error)}`);
    }
  }

  /** Of messages appended by a session. */
  keepFacts(uids: readonly Uid[], texts: readonly MboxText[]): void {
    const { facts } = this.#policy.hooks;
    if (facts === undefined) return;
    inTurns([...uids.entries()], (some) => {
      const { table, cache, index } = this.#contents;
      for (const [i, uid] of some) {
        const row = table.rowOf(uid);
        const text = texts[i];
        if (row >= 0 && text?.shown !== undefined && cache.facts(row) === undefined) cache.keep(row, facts(toCrlf(text.shown())));
      }
      index.saveSoon();
    });
  }
}

/** Messages whose facts are made in one turn of the event loop. */
const atOnce = 16;

function inTurns<T>(items: readonly T[], work: (some: readonly T[]) => void): void {
  if (items.length === 0) return;
  setImmediate(() => {
    work(items.slice(0, atOnce));
    inTurns(items.slice(atOnce), work);
  });
}
