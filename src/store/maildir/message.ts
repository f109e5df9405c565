/** What sessions hold of a message: a thin object over its row. It keeps its flags; MODSEQ, size and dates are looked up when asked for, and are the newest. */
import type { Flags, Message, ModSeq, Uid } from "../mailbox.ts";

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

export class MaildirMessage implements Message {
  readonly uid: Uid;
  readonly flags: Flags;
  /** The folder, the next state of this message, or what was known when it was expunged. */
  #source: Source | MaildirMessage;

  constructor(source: Source, uid: number, flags: Flags) {
    this.#source = source;
    this.uid = uid as Uid;
    this.flags = flags;
  }

  /** The same message with other flags takes its place; or it is gone, and this is what is known of it. */
  becomes(next: MaildirMessage | Source): void {
    this.#source = next;
  }

  get #knowing(): Source {
    let source = this.#source;
    while (source instanceof MaildirMessage) source = source.#source;
    return source;
  }

  get size(): number {
    return this.#knowing.sizeOf(this.uid);
  }

  get roughSize(): number {
    const source = this.#knowing;
    return source.roughSizeOf?.(this.uid) ?? source.sizeOf(this.uid);
  }

  get internalDate(): number {
    return this.#knowing.dateOf(this.uid);
  }

  get saveDate(): number | undefined {
    return this.#knowing.savedOf(this.uid);
  }

  get modSeq(): ModSeq {
    return this.#knowing.modSeqOf(this.uid) as ModSeq;
  }

  get guid(): string {
    return this.#knowing.guidOf(this.uid);
  }
}
