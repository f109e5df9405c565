/** What is known here of the index of one folder: which of its messages are in it, so that only the others must be read. */
import type { Mailbox, Uid } from "../../store/mailbox.ts";
import type { MessageList } from "../../store/message-list.ts";
import { UidBits, chunkSize, markOf, markOfPrint, placeOf, unindexed, unmarked, type Chunk } from "../../store/fulltext/marks.ts";
import type { Look } from "../../store/fulltext/requests.ts";

export class Coverage {
  readonly uidValidity: number;
  /** `Mailbox.edits` of then. */
  readonly edits: number;
  epoch = "";
  version = 0;
  /** In the index, and the same message there. */
  covered = new UidBits();
  /** Covered, or known not to be indexed. */
  #settled = new UidBits();
  /** In the index without being in the folder, or as another message, when that was asked last: by chunk. */
  readonly #dead = new Map<number, readonly number[]>();
  /** Where all messages were found settled the last time, so that they need not be looked at again. */
  #complete: { readonly list: WeakRef<MessageList>; readonly settled: UidBits } | undefined;

  constructor({ uidValidity, edits = 0 }: Pick<Mailbox, "uidValidity" | "edits">) {
    this.uidValidity = uidValidity;
    this.edits = edits;
  }

  /** Of the messages that the folder has now. */
  isOf({ uidValidity, edits = 0 }: Pick<Mailbox, "uidValidity" | "edits">): boolean {
    return this.uidValidity === uidValidity && this.edits === edits;
  }

  /** Takes over what the index said, about the messages that the folder has now. */
  take({ epoch, version, chunks }: Look, mailbox: Mailbox): void {
    if (epoch !== this.epoch) {
      this.covered = new UidBits();
      this.#settled = new UidBits();
      this.#dead.clear();
    }
    this.epoch = epoch;
    this.version = version;
    if (chunks.length === 0) return;
    const uids = uidsOf(mailbox);
    for (const chunk of chunks) this.#takeChunk(chunk, mailbox, uids);
    this.#complete = undefined;
  }

  #takeChunk({ chunk, marks }: Chunk, mailbox: Mailbox, uids: ArrayLike<number>): void {
    const covered: number[] = [];
    const settled: number[] = [];
    const left = marks.slice();
    for (let at = lowerBound(uids, chunk * chunkSize); at < uids.length; at++) {
      const uid = uids[at] ?? 0;
      if (uid >= (chunk + 1) * chunkSize) break;
      const mark = marks[placeOf(uid)] ?? unmarked;
      if (mark === unmarked) continue;
      const same = mark === markAt(mailbox, at, uid as Uid);
      if (same) covered.push(uid);
      if (same || mark === unindexed) {
        settled.push(uid);
        left[placeOf(uid)] = unmarked;
      }
    }
    this.covered.replace(chunk, covered);
    this.#settled.replace(chunk, settled);
    const dead = [...left.entries()].flatMap(([place, mark]) => (mark === unmarked ? [] : chunk * chunkSize + place));
    if (dead.length > 0) this.#dead.set(chunk, dead);
    else this.#dead.delete(chunk);
  }

  /** UIDs that the index has for nothing, those expunged since it was asked among them. */
  dead(mailbox: Mailbox): readonly number[] {
    const there = UidBits.of(uidsOf(mailbox));
    return [...this.#dead.values(), this.#settled.notIn(there)].flat();
  }

  /** True when every message is in the index, as far as it can be. */
  complete(mailbox: Mailbox): boolean {
    const { list } = mailbox;
    if (this.#complete?.list.deref() === list && this.#complete.settled === this.#settled) return true;
    if (this.lacks(mailbox, 1)) return false;
    // Not held: messages of then hold on to whatever took their place.
    this.#complete = { list: new WeakRef(list), settled: this.#settled };
    return true;
  }

  /** True when so many messages, or more, are not in the index. */
  lacks(mailbox: Mailbox, most: number): boolean {
    const uids = uidsOf(mailbox);
    let missing = 0;
    // What is missing came last, as a rule.
    for (let at = uids.length - 1; at >= 0 && missing < most; at--) if (!this.#settled.has(uids[at] ?? 0)) missing++;
    return missing >= most;
  }

  isSettled(uid: number): boolean {
    return this.#settled.has(uid);
  }
}

const uidsOf = (mailbox: Mailbox): ArrayLike<number> => mailbox.numbers?.("uid") ?? mailbox.messages.map(({ uid }) => uid);

/** The mark of the message at this place of the folder. */
function markAt(mailbox: Mailbox, place: number, uid: Uid): number {
  const print = mailbox.fingerprint?.(uid);
  if (print !== undefined) return markOfPrint(print);
  const message = mailbox.messages[place];
  return message?.uid === uid ? markOf(mailbox, message) : unmarked;
}

/** Place of the first UID that is `uid` or more. */
function lowerBound(uids: ArrayLike<number>, uid: number): number {
  let low = 0;
  let high = uids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((uids[middle] ?? Infinity) < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}
