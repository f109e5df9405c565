/** What is known here of the index of one folder: which of its messages are in it, so that only the others must be read. */
import type { Message } from "../../store/mailbox.ts";
import { UidBits, chunkSize, markOf, placeOf, unindexed, unmarked, type Chunk } from "../../store/fulltext/marks.ts";
import type { Look } from "../../store/fulltext/requests.ts";
import { lowerBound } from "../imap/view.ts";

export class Coverage {
  readonly uidValidity: number;
  epoch = "";
  version = 0;
  /** In the index, and the same message there. */
  covered = new UidBits();
  /** Covered, or known not to be indexed. */
  #settled = new UidBits();
  /** In the index without being in the folder, or as another message: by chunk. */
  readonly #dead = new Map<number, readonly number[]>();
  /** Where all messages were found settled the last time, so that they need not be looked at again. */
  #complete: { readonly messages: WeakRef<readonly Message[]>; readonly settled: UidBits } | undefined;

  constructor(uidValidity: number) {
    this.uidValidity = uidValidity;
  }

  /** Takes over what the index said, about these messages of the folder. */
  take({ epoch, version, chunks }: Look, messages: readonly Message[]): void {
    if (epoch !== this.epoch) {
      this.covered = new UidBits();
      this.#settled = new UidBits();
      this.#dead.clear();
    }
    this.epoch = epoch;
    this.version = version;
    for (const chunk of chunks) this.#takeChunk(chunk, messages);
    if (chunks.length > 0) this.#complete = undefined;
  }

  #takeChunk({ chunk, marks }: Chunk, messages: readonly Message[]): void {
    const covered: number[] = [];
    const settled: number[] = [];
    const left = marks.slice();
    for (let at = lowerBound(messages, chunk * chunkSize); at < messages.length; at++) {
      const message = messages[at];
      if (message === undefined || message.uid >= (chunk + 1) * chunkSize) break;
      const mark = marks[placeOf(message.uid)] ?? unmarked;
      if (mark === unmarked) continue;
      const same = mark === markOf(message);
      if (same) covered.push(message.uid);
      if (same || mark === unindexed) {
        settled.push(message.uid);
        left[placeOf(message.uid)] = unmarked;
      }
    }
    this.covered.replace(chunk, covered);
    this.#settled.replace(chunk, settled);
    const dead = [...left.entries()].flatMap(([place, mark]) => (mark === unmarked ? [] : chunk * chunkSize + place));
    if (dead.length > 0) this.#dead.set(chunk, dead);
    else this.#dead.delete(chunk);
  }

  /** UIDs whose rows are of no use. */
  dead(): readonly number[] {
    return [...this.#dead.values()].flat();
  }

  /** True when every message is in the index, as far as it can be. */
  complete(messages: readonly Message[]): boolean {
    if (this.#complete?.messages.deref() === messages && this.#complete.settled === this.#settled) return true;
    if (this.lacks(messages, 1)) return false;
    // Not held: messages of then hold on to whatever took their place.
    this.#complete = { messages: new WeakRef(messages), settled: this.#settled };
    return true;
  }

  /** True when so many messages, or more, are not in the index. */
  lacks(messages: readonly Message[], most: number): boolean {
    let missing = 0;
    // What is missing came last, as a rule.
    for (let at = messages.length - 1; at >= 0 && missing < most; at--) {
      const message = messages[at];
      if (message !== undefined && !this.#settled.has(message.uid)) missing++;
    }
    return missing >= most;
  }

  isSettled(uid: number): boolean {
    return this.#settled.has(uid);
  }
}
