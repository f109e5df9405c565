/** What sessions were told of the messages of a folder (`list`), and what happened since that they were not. */
import { sameFlags } from "../flags.ts";
import { noChanges } from "../hearers.ts";
import { HeldMessage, indexOf, type Source } from "../held-message.ts";
import type { Column } from "../index/columns.ts";
import type { Changes, Flags, ModSeq, Uid } from "../mailbox.ts";
import { listOf, type MessageList } from "../message-list.ts";
import { UidRuns } from "../uid-runs.ts";
import type { Counts } from "./head.ts";
import type { KeywordFile } from "./keywords.ts";
import { counted, listed, messagesAt, type Listable } from "./listed.ts";

export interface Tellable extends Listable {
  readonly files: Source;
  readonly keywords: Pick<KeywordFile, "version">;
  /** The row of a message that sessions may see, else -1. */
  rowOf(uid: number): number;
  visible(row: number): number;
}

export class Telling {
  readonly #folder: Tellable;
  list: MessageList<HeldMessage> = listOf([]);
  #expunged: number[] = [];
  #arrived = new UidRuns();
  /** UIDs; some may be in it more than once, or gone meanwhile. */
  #flagged: number[] = [];
  #modSeq: ModSeq | undefined;
  /** µs since the epoch. */
  #lookedAt: number | undefined;
  /** The state of `dovecot-keywords` the flags of `list` were made with. */
  #labelled = 0;

  constructor(folder: Tellable) {
    this.#folder = folder;
  }

  /** All that is there is what sessions begin with. @param counts of a table that is not read yet */
  resume(counts?: Counts): void {
    this.list = counts === undefined ? listed(this.#folder) : counted(this.#folder, counts);
    this.#labelled = this.#folder.keywords.version;
  }

  /** Nothing is known any more of what there was. */
  forgetAll(): void {
    this.list = listOf([]);
    this.#told();
  }

  /** The table was read, and is what was counted. */
  loaded(): void {
    const { list } = this;
    this.#folder.table.beforeChange = () => list.all;
  }

  /** Of what happens until sessions are told. */
  get changing(): ModSeq {
    this.#modSeq ??= this.#folder.table.nextModSeq(this.#lookedAt ?? Date.now() * 1000);
    return this.#modSeq;
  }

  /** A look at the disk begins: what it misses has a higher MODSEQ in the process that did it. */
  looking(): void {
    this.#lookedAt = Date.now() * 1000;
  }

  /** The rows of the table are the messages of `list`, one by one. */
  get allTold(): boolean {
    return this.#expunged.length === 0 && this.#folder.table.length === this.list.length;
  }

  // ------------------------------------------------------------ what happened

  arrived(uid: number): void {
    this.#arrived.add(uid);
  }

  /** @param uids of which those from one place up to another have */
  arrivedAll(uids: Column, from: number, to: number): void {
    if (from >= to) return;
    const [first, last] = [uids[from], uids[to - 1]];
    if (last - first === to - 1 - from) this.#arrived.addRange(first, last + 1);
    else for (let i = from; i < to; i++) this.#arrived.add(uids[i]);
  }

  flagged(uid: number): void {
    this.#flagged.push(uid);
  }

  /** UIDs that have arrived and nobody heard of. */
  get unseen(): Pick<UidRuns, "has"> {
    return this.#arrived;
  }

  /** Arrived, and gone again before anybody heard of them. */
  neverMind(uids: Iterable<number>): void {
    for (const uid of uids) this.#arrived.delete(uid);
  }

  /** Whatever arrived or was flagged is void. */
  forget(): void {
    this.#arrived.clear();
    this.#flagged = [];
  }

  /** A message is gone, while its row is still there: those handed out keep what is known. */
  expunged(row: number): void {
    const { table, files } = this.#folder;
    const uid = table.at.uid[row];
    this.#expunged.push(uid);
    const message = this.list.all.at(indexOf(this.list.all, uid));
    const saved = files.savedOf(uid);
    const date = table.at.date[row];
    const known = { size: table.at.size[row] || 0, date: Number.isNaN(date) ? (saved ?? 0) : date, guid: files.guidOf(uid), modSeq: table.at.modSeq[row] };
    if (message?.uid === uid) message.becomes({ sizeOf: () => known.size, dateOf: () => known.date, savedOf: () => saved, guidOf: () => known.guid, modSeqOf: () => known.modSeq });
  }

  // ------------------------------------------------------------ telling

  /** Nothing happened since the last time. */
  get isTold(): boolean {
    return this.#expunged.length === 0 && this.#arrived.size === 0 && this.#flagged.length === 0 && this.#labelled === this.#folder.keywords.version;
  }

  /** Brings `list` up to date. What happened since the last time; the same object when nothing did. */
  tell(): Changes {
    const changes = this.#changes();
    this.#modSeq = undefined;
    this.#lookedAt = undefined;
    return changes;
  }

  #changes(): Changes {
    const { version } = this.#folder.keywords;
    // What letters mean has changed.
    if (this.#labelled !== version) for (const { uid } of this.list.all) this.#flagged.push(uid);
    this.#labelled = version;
    if (this.isTold) return noChanges;
    // Of a change of our own the last part was made just now.
    if (this.#lookedAt === undefined) this.#modSeq = undefined;
    if (this.list.length === 0 && this.#expunged.length === 0) return this.#firstSeen();
    let messages = this.list.all.slice();
    const flagged = this.#renew(messages);
    if (this.#expunged.length > 0) {
      const gone = new Set(this.#expunged);
      messages = messages.filter((message) => !gone.has(message.uid));
    }
    const arrived = messagesAt(this.#folder, this.#rowsOf(this.#arrived));
    messages = messages.concat(arrived);
    const expunged = this.#expunged.sort((a, b) => a - b) as Uid[];
    this.list = listOf(messages);
    this.#told();
    return { arrived, expunged, flagged };
  }

  /** Puts what was flagged in the place of what it was. Those whose flags differ, ascending. */
  #renew(messages: HeldMessage[]): HeldMessage[] {
    const folder = this.#folder;
    const { table } = folder;
    const flagged: HeldMessage[] = [];
    const known = new Map<number, Flags>();
    let [i, row] = [-1, -1];
    for (const uid of this.#flagged) {
      // Mostly the one behind the last.
      i = messages[i + 1]?.uid === uid ? i + 1 : indexOf(messages, uid);
      row = row + 1 < table.length && table.at.uid[row + 1] === uid ? folder.visible(row + 1) : folder.rowOf(uid);
      if (i < 0 || row < 0) continue;
      const key = table.at.set[row] + table.at.more[row] * 0x1_0000_0000;
      let flags = known.get(key);
      if (flags === undefined) known.set(key, (flags = folder.flagsOf(row)));
      const before = messages[i];
      if (flags === before.flags) continue;
      const same = sameFlags(before.flags, flags);
      if (!same) table.set("modSeq", row, this.changing);
      const next = new HeldMessage(folder.files, uid, flags);
      before.becomes(next);
      messages[i] = next;
      if (!same) flagged.push(next);
    }
    return ascends(flagged) ? flagged : flagged.sort((a, b) => a.uid - b.uid);
  }

  /** Rows of messages, which are often one behind the other. */
  #rowsOf(uids: Iterable<number>): number[] {
    const { table } = this.#folder;
    let row = -1;
    return Array.from(uids, (uid) => (row = row >= 0 && row + 1 < table.length && table.at.uid[row + 1] === uid ? row + 1 : table.rowOf(uid)));
  }

  #told(): void {
    this.#expunged = [];
    this.#arrived.clear();
    this.#flagged = [];
  }

  /** There were none before: all have arrived. */
  #firstSeen(): Changes {
    const list = listed(this.#folder);
    this.list = list;
    this.#told();
    return {
      get arrived() {
        return list.all;
      },
      expunged: [],
      flagged: [],
    };
  }
}

const ascends = (messages: readonly HeldMessage[]): boolean => messages.every(({ uid }, i) => i === 0 || messages[i - 1].uid < uid);
