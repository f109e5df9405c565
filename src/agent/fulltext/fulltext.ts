/**
 * The full-text index as a user's sessions have it: what SEARCH may leave unread, and the work in the background that puts messages in.
 *
 * What a search for text had to read because it was not in the index is put in afterwards, oldest message first; with `fts_autoindex` also
 * what a folder has when it is opened. While sessions hear of new mail, a folder that was searched is kept up. Nothing waits for it:
 * messages that are not in the index are read by every search.
 */
import { existsSync } from "node:fs";
import type { Mailbox, MailStore, Message } from "../../store/mailbox.ts";
import { StoreFault } from "../../store/mailbox.ts";
import { markOf, UidBits } from "../../store/fulltext/marks.ts";
import { needleOf } from "../../store/fulltext/needle.ts";
import { IndexerFault, type Indexer } from "../../store/fulltext/indexer.ts";
import type { FolderKey, Look, Place, Question, ToIndex } from "../../store/fulltext/requests.ts";
import { indexFiles } from "../../store/fulltext/stamp.ts";
import type { Verdict } from "../imap/candidates.ts";
import { readBatches, type Wanted } from "../imap/reading.ts";
import { Coverage } from "./coverage.ts";
import { missingFolders } from "./folders.ts";
import type { Passes } from "./passes.ts";
import { isWorking, worked } from "../rest.ts";

/** A text that is searched for, as `searchable` of message/text.ts makes it. */
export interface Needle {
  readonly place: Place;
  readonly text: string;
}

export interface FulltextTimes {
  /** From a search, or from new mail, to the work in the background, ms. */
  readonly delay: number;
  /** How long a search waits for the index before it reads the messages instead, ms. */
  readonly patience: number;
  /** After a fault of the index nothing is put in for this long, ms. */
  readonly pause: number;
}

export const fulltextTimes: FulltextTimes = { delay: 2_000, patience: 3_000, pause: 300_000 };

export interface FulltextPolicy {
  /** `fts_autoindex` */
  readonly auto: boolean;
  /** Fewer messages are read sooner than the index is asked. */
  readonly few: number;
  readonly times: FulltextTimes;
}

/** Needles of one search that the index is asked about. */
const needleLimit = 64;
/** Octets that go to and from the thread with messages, as a rule; the batches of reading.ts fill it. */
const usualRoom = 1 << 20;
/** How long the work in the background waits for commands that take long, ms. */
const mostPostponed = 60_000;
/** Batches put in before what is known of the folder is looked at again: little at a time, as sessions wait meanwhile. */
const lookEvery = 32;
/** Messages taken out of the index at once. */
const removeBatch = 1000;

export class Fulltext {
  readonly #store: MailStore;
  readonly #indexer: Indexer;
  readonly #passes: Passes;
  readonly #policy: FulltextPolicy;
  readonly #coverages = new WeakMap<Mailbox, Coverage>();
  /** Names of folders that are to be looked at. */
  readonly #planned = new Map<string, NodeJS.Timeout>();
  readonly #underWay = new Set<string>();
  #pausedUntil = 0;
  #foldersKnown = false;

  constructor(store: MailStore, indexer: Indexer, passes: Passes, policy: FulltextPolicy) {
    this.#store = store;
    this.#indexer = indexer;
    this.#passes = passes;
    this.#policy = policy;
  }

  /**
   * For each needle what is known of it, or undefined where the index is no help, and every message must be read. Never throws.
   *
   * @param count  of messages it is asked about
   */
  async candidates(mailbox: Mailbox, needles: readonly Needle[], count: number): Promise<readonly (Verdict | undefined)[]> {
    const none = needles.map(() => undefined);
    if (count < this.#policy.few) return none;
    const questions: Question[] = [];
    /** For each needle the place of its question, and whether a hit is a match. */
    const asked = needles.map((needle, n) => {
      const known = n < needleLimit ? needleOf(needle.text) : undefined;
      return known === undefined ? undefined : { at: questions.push(needle) - 1, exact: known.exact && needle.place !== "header" };
    });
    if (questions.length === 0) return none;
    // Where there is no index there is nothing to learn from it.
    const looked = existsSync(indexFiles(this.#store.side).database) ? await this.#ask(mailbox, questions) : undefined;
    const coverage = this.#coverageOf(mailbox);
    if (needles.some(({ place }) => place !== "header") && !coverage.complete(mailbox)) this.#plan(mailbox.name);
    if (looked === undefined) return none;
    const covered = coverage.covered.copy();
    return asked.map((one) => {
      const hits = one === undefined ? undefined : looked.hits[one.at];
      return one === undefined || hits === undefined ? undefined : verdictOf(covered, UidBits.of(hits), one.exact);
    });
  }

  /**
   * The folder was opened, or has new mail: with `fts_autoindex`, or when it was searched in this agent's life, what is missing of it is put in
   * soon; not for a few messages, since a search reads them as fast and puts them in.
   */
  seen(mailbox: Mailbox): void {
    const coverage = this.#coverageOf(mailbox);
    if ((!this.#policy.auto && coverage.version === 0) || coverage.complete(mailbox)) return;
    if (coverage.lacks(mailbox, Math.max(1, this.#policy.few))) this.#plan(mailbox.name);
  }

  #coverageOf(mailbox: Mailbox): Coverage {
    let coverage = this.#coverages.get(mailbox);
    if (coverage?.isOf(mailbox) !== true) this.#coverages.set(mailbox, (coverage = new Coverage(mailbox)));
    return coverage;
  }

  /** Asks the index, and takes over what it says of the folder. Undefined when it does not answer in time. */
  async #ask(mailbox: Mailbox, questions: readonly Question[], patience = this.#policy.times.patience): Promise<Look | undefined> {
    const coverage = this.#coverageOf(mailbox);
    const { epoch, version } = coverage;
    const asked = this.#indexer.ask({ op: "look", side: this.#store.side, folder: keyOf(mailbox), since: version, epoch, questions });
    const looked = await within(patience, asked.catch(() => undefined));
    // Its UIDs may mean other messages by now, or its messages be other ones.
    if (looked === undefined || !coverage.isOf(mailbox)) return undefined;
    coverage.take(looked, mailbox);
    return looked;
  }

  #plan(name: string): void {
    if (this.#planned.has(name)) return;
    let postponed = 0;
    const timer = setTimeout(() => {
      // A search that reads everything is slow enough without somebody who does the same beside it.
      if (this.#underWay.has(name) || (isWorking() && ++postponed * this.#policy.times.delay < mostPostponed)) {
        timer.refresh();
        return;
      }
      this.#planned.delete(name);
      if (performance.now() >= this.#pausedUntil) void this.build(name);
    }, this.#policy.times.delay).unref();
    this.#planned.set(name, timer);
  }

  /** Nothing is begun any more. */
  stop(): void {
    for (const timer of this.#planned.values()) clearTimeout(timer);
    this.#planned.clear();
    this.#pausedUntil = Infinity;
  }

  /** Puts in what is missing of a folder now, and returns when it is in. Never throws. */
  build(name: string): Promise<void> {
    this.#underWay.add(name);
    return this.#passes.run(this.#pass(name));
  }

  async *#pass(name: string): AsyncGenerator<void, void, void> {
    try {
      const mailbox = await this.#store.open(name);
      try {
        if (!this.#foldersKnown) yield* this.#tidy();
        yield* this.#index(mailbox);
      } finally {
        this.#store.release(mailbox);
      }
    } catch (fault) {
      // A folder that is gone is no news; the fault of an index was told by who found it.
      if (!(fault instanceof StoreFault || fault instanceof IndexerFault)) throw fault;
      if (fault instanceof IndexerFault) this.#pausedUntil = performance.now() + this.#policy.times.pause;
    } finally {
      this.#underWay.delete(name);
      worked();
    }
  }

  async *#index(mailbox: Mailbox): AsyncGenerator<void, void, void> {
    const side = this.#store.side;
    const looked = await this.#ask(mailbox, [], Infinity);
    if (looked === undefined) throw new IndexerFault("full-text index did not answer");
    const folder = keyOf(mailbox);
    const coverage = this.#coverageOf(mailbox);
    const dead = coverage.dead(mailbox);
    for (let at = 0; at < dead.length; at += removeBatch) {
      await this.#indexer.ask({ op: "remove", side, folder, uids: dead.slice(at, at + removeBatch) });
      yield;
    }
    let room = new Uint8Array(usualRoom);
    let batches = 0;
    for await (const batch of readBatches(mailbox, missingIn(mailbox.messages, coverage))) {
      if (mailbox.uidValidity !== folder.validity) return;
      const whole = batch.flatMap(({ message, read }) => (read !== undefined && "octets" in read ? [{ message, octets: read.octets }] : []));
      if (whole.length === 0) continue;
      const length = whole.reduce((sum, { octets }) => sum + octets.length, 0);
      if (length > room.length || room.length > usualRoom) room = new Uint8Array(Math.max(length, usualRoom));
      let at = 0;
      for (const { octets } of whole) {
        room.set(octets, at);
        at += octets.length;
      }
      const messages = whole.map(({ message, octets }): ToIndex => ({ uid: message.uid, mark: markOf(mailbox, message), length: octets.length }));
      room = await this.#indexer.ask({ op: "add", side, folder, messages, octets: room }, [room.buffer]);
      if (++batches % lookEvery === 0) await this.#ask(mailbox, [], Infinity);
      yield;
    }
    await this.#indexer.ask({ op: "flush", side });
    await this.#ask(mailbox, [], Infinity);
  }

  /** Once in the life of an agent: forgets folders that are no more. */
  async *#tidy(): AsyncGenerator<void, void, void> {
    this.#foldersKnown = true;
    const side = this.#store.side;
    for await (const { mailbox, name } of missingFolders(this.#store, await this.#indexer.ask({ op: "folders", side }))) {
      await this.#indexer.ask({ op: "rename", side, mailbox, name });
      yield;
    }
  }
}

/** What is covered and no hit does not hold it; an exact hit does. Others must be looked at. */
const verdictOf = (covered: UidBits, hits: UidBits, exact: boolean): Verdict => ({
  of: (uid) => (!covered.has(uid) ? undefined : hits.has(uid) ? exact || undefined : false),
  possible: (uids) => covered.without(uids, hits),
});

const keyOf = (mailbox: Mailbox): FolderKey => ({ mailbox: mailbox.id, validity: mailbox.uidValidity, name: mailbox.name });

function* missingIn(messages: readonly Message[], coverage: Coverage): Generator<Wanted> {
  for (const [index, message] of messages.entries()) if (!coverage.isSettled(message.uid)) yield { index, message, need: "all" };
}

/** Undefined when it takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  if (ms === Infinity) return promise;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, ms, undefined)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
