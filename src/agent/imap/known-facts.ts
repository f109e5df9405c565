/**
 * Facts of messages, from the store, or from memory where the store could not keep them (another process has its index, a read-only file
 * system). What is in memory lasts as long as the user's store in this process and is bounded in octets; forgetting it costs only time.
 *
 * There are two generations. What is kept or used goes to the young one; when that has half of the limit, it becomes the old one, and
 * what nobody used since then is forgotten. A look costs two Map look-ups and no reordering.
 */
import { areFacts } from "../../imap/facts.ts";
import type { Mailbox, Uid } from "../../store/mailbox.ts";
import { messagesKey } from "./messages-key.ts";

/** Octets that an entry costs besides its facts. */
const overhead = 200;

/** By folder, then by UID. */
class Generation {
  readonly #folders = new Map<string, Map<Uid, Buffer>>();
  octets = 0;

  folder(key: string): Map<Uid, Buffer> | undefined {
    return this.#folders.get(key);
  }

  set(key: string, uid: Uid, facts: Buffer): void {
    let folder = this.#folders.get(key);
    if (folder === undefined) this.#folders.set(key, (folder = new Map()));
    const before = folder.get(uid);
    if (before !== undefined) this.octets -= overhead + before.length;
    folder.set(uid, facts);
    this.octets += overhead + facts.length;
  }
}

export class KnownFacts {
  readonly #limit: number;
  #young = new Generation();
  #old = new Generation();
  /** Nothing was ever kept in memory: the rule, where the store keeps facts. */
  #empty = true;
  /** Commands ask for many messages of one folder. */
  #last = { uidValidity: 0, edits: 0, id: "", key: "" };

  /** @param limit octets kept in memory */
  constructor(limit: number) {
    this.#limit = limit;
  }

  #key(mailbox: Mailbox): string {
    const { uidValidity, id, edits = 0 } = mailbox;
    const last = this.#last;
    if (last.uidValidity !== uidValidity || last.id !== id || last.edits !== edits) this.#last = { uidValidity, edits, id, key: messagesKey(mailbox) };
    return this.#last.key;
  }

  /** Whole facts of this layout, or undefined. Good until the next call. */
  get(mailbox: Mailbox, uid: Uid): Buffer | undefined {
    const stored = mailbox.facts(uid);
    if (stored !== undefined && areFacts(stored)) return stored;
    if (this.#empty) return undefined;
    const key = this.#key(mailbox);
    const young = this.#young.folder(key)?.get(uid);
    if (young !== undefined) return young;
    const old = this.#old.folder(key)?.get(uid);
    if (old !== undefined) this.#keep(key, uid, old);
    return old;
  }

  /** Takes a copy. */
  keep(mailbox: Mailbox, uid: Uid, facts: Buffer): void {
    mailbox.keepFacts(uid, facts);
    if (mailbox.facts(uid) !== undefined || facts.length > this.#limit / 8) return;
    this.#empty = false;
    this.#keep(this.#key(mailbox), uid, Buffer.from(facts));
  }

  #keep(key: string, uid: Uid, facts: Buffer): void {
    if (this.#young.octets + overhead + facts.length > this.#limit / 2) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.set(key, uid, facts);
  }
}
