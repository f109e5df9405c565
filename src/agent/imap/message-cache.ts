/**
 * What was learned from messages, kept for the next FETCH or SEARCH. It lasts as long as the user's store in this process and is bounded
 * in octets; forgetting it costs only time.
 */
import type { Mailbox, Uid } from "../../store/mailbox.ts";

/** Printed forms and the header of one message. Undefined: not asked for so far. Strings are octets. */
export interface Learned {
  envelope?: string;
  body?: string;
  bodyStructure?: string;
  header?: Buffer;
}

/** Octets that an entry costs besides its strings. */
const overhead = 200;

export class MessageCache {
  readonly #limit: number;
  #octets = 0;
  /** Keys in order of use, oldest first. */
  readonly #entries = new Map<string, { learned: Learned; octets: number }>();
  /** @param limit octets kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A folder made anew has another UIDVALIDITY, so a key never comes to mean another message (RFC 3501 §2.3.1.1). */
  #key(mailbox: Mailbox, uid: Uid): string {
    return `${mailbox.uidValidity} ${uid} ${mailbox.name}`;
  }

  get(mailbox: Mailbox, uid: Uid): Learned | undefined {
    const key = this.#key(mailbox, uid);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.learned;
  }

  /** Adds to what is known of a message. A header is copied, so that it does not keep the message. */
  learn(mailbox: Mailbox, uid: Uid, more: Learned): void {
    const key = this.#key(mailbox, uid);
    const before = this.#entries.get(key);
    const learned: Learned = { ...before?.learned, ...more };
    if (more.header !== undefined) learned.header = Buffer.from(more.header);
    const octets = overhead + (learned.envelope?.length ?? 0) + (learned.body?.length ?? 0) + (learned.bodyStructure?.length ?? 0) + (learned.header?.length ?? 0);
    if (octets > this.#limit / 8) return;
    this.#entries.delete(key);
    this.#entries.set(key, { learned, octets });
    this.#octets += octets - (before?.octets ?? 0);
    for (const [oldest, entry] of this.#entries) {
      if (this.#octets <= this.#limit) break;
      this.#entries.delete(oldest);
      this.#octets -= entry.octets;
    }
  }
}
