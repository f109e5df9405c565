/** What sessions hold of a message: a thin object over its row. It keeps its flags; MODSEQ, size and dates are looked up when asked for, and are the newest. */
import type { Flags, Message, ModSeq, Uid } from "./mailbox.ts";

/** Who knows what does not change of a message. */
export interface Source {
  sizeOf(uid: number): number;
  /** For less than `sizeOf` where that counts; absent where it never does. */
  roughSizeOf?(uid: number): number;
  dateOf(uid: number): number;
  savedOf(uid: number): number | undefined;
  guidOf(uid: number): string;
  modSeqOf(uid: number): number;
}

export class HeldMessage implements Message {
  readonly uid: Uid;
  readonly flags: Flags;
  /** The store, the next state of this message, or what was known when it was expunged. */
  #source: Source | HeldMessage;

  constructor(source: Source, uid: number, flags: Flags) {
    this.#source = source;
    this.uid = uid as Uid;
    this.flags = flags;
  }

  /** The same message with other flags takes its place; or it is gone, and this is what is known of it. */
  becomes(next: HeldMessage | Source): void {
    this.#source = next;
  }

  /** Static, since a private method or accessor costs each message eight octets. */
  static #knowing(message: HeldMessage): Source {
    let source = message.#source;
    while (source instanceof HeldMessage) source = source.#source;
    return source;
  }

  get size(): number {
    return HeldMessage.#knowing(this).sizeOf(this.uid);
  }

  get roughSize(): number {
    const source = HeldMessage.#knowing(this);
    return source.roughSizeOf?.(this.uid) ?? source.sizeOf(this.uid);
  }

  get internalDate(): number {
    return HeldMessage.#knowing(this).dateOf(this.uid);
  }

  get saveDate(): number | undefined {
    return HeldMessage.#knowing(this).savedOf(this.uid);
  }

  get modSeq(): ModSeq {
    return HeldMessage.#knowing(this).modSeqOf(this.uid) as ModSeq;
  }

  get guid(): string {
    return HeldMessage.#knowing(this).guidOf(this.uid);
  }
}

/** Place of a UID in an ascending array, -1 when it is not there. */
export function indexOf(messages: readonly Message[], uid: number): number {
  let low = 0;
  let high = messages.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = messages[middle].uid;
    if (at === uid) return middle;
    if (at < uid) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
