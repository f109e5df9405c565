/**
 * What was learned from messages, kept for the next FETCH or SEARCH. It lasts as long as the user's store in this process and is bounded
 * in octets; forgetting it costs only time.
 *
 * There are two generations. What is learned or used goes to the young one; when that has half of the limit, it becomes the old one, and
 * what nobody used since then is forgotten. A look costs two Map look-ups and no reordering.
 */
import type { Mailbox, Uid } from "../../store/mailbox.ts";

/** Printed forms and the header of one message. Undefined: not asked for so far. Strings are octets. */
export interface Learned {
  readonly envelope?: string;
  readonly body?: string;
  readonly bodyStructure?: string;
  readonly header?: Buffer;
}

/** Octets that an entry costs besides its strings. */
const overhead = 200;

const octetsOf = (l: Learned): number => overhead + (l.envelope?.length ?? 0) + (l.body?.length ?? 0) + (l.bodyStructure?.length ?? 0) + (l.header?.length ?? 0);

/** By folder, then by UID. */
class Generation {
  readonly #folders = new Map<string, Map<Uid, Learned>>();
  octets = 0;

  folder(key: string): Map<Uid, Learned> | undefined {
    return this.#folders.get(key);
  }

  set(key: string, uid: Uid, learned: Learned): void {
    let folder = this.#folders.get(key);
    if (folder === undefined) this.#folders.set(key, (folder = new Map()));
    const before = folder.get(uid);
    if (before !== undefined) this.octets -= octetsOf(before);
    folder.set(uid, learned);
    this.octets += octetsOf(learned);
  }
}

export class MessageCache {
  readonly #limit: number;
  #young = new Generation();
  #old = new Generation();
  /** Commands ask for many messages of one folder. */
  #last = { uidValidity: 0, name: "", key: "" };

  /** @param limit octets kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A folder made anew has another UIDVALIDITY, so a key never comes to mean another message (RFC 3501 §2.3.1.1). */
  #key({ uidValidity, name }: Mailbox): string {
    if (this.#last.uidValidity !== uidValidity || this.#last.name !== name) this.#last = { uidValidity, name, key: `${uidValidity} ${name}` };
    return this.#last.key;
  }

  get(mailbox: Mailbox, uid: Uid): Learned | undefined {
    const key = this.#key(mailbox);
    const young = this.#young.folder(key)?.get(uid);
    if (young !== undefined) return young;
    const old = this.#old.folder(key)?.get(uid);
    if (old !== undefined) this.#keep(key, uid, old);
    return old;
  }

  /** Adds to what is known of a message. A header must not share memory with the rest of the message, or it would keep it. */
  learn(mailbox: Mailbox, uid: Uid, more: Learned): void {
    const before = this.get(mailbox, uid);
    const learned: Learned = before === undefined ? more : { ...before, ...more };
    if (octetsOf(learned) <= this.#limit / 8) this.#keep(this.#key(mailbox), uid, learned);
  }

  #keep(key: string, uid: Uid, learned: Learned): void {
    if (this.#young.octets + octetsOf(learned) > this.#limit / 2) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.set(key, uid, learned);
  }
}
