/** A mailbox in memory behind the mailbox seam, for sessions without a store on disk. */
import { Octets } from "../../../src/message/octets.ts";
import { listOf, type MessageList } from "../../../src/store/message-list.ts";
import { toCrlf } from "../../../src/message/line-ends.ts";
import type { Changes, Folder, FolderStatus, Mailbox, MailStore, Message, ModSeq, NewMessage, Uid } from "../../../src/store/mailbox.ts";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { UidRuns } from "../../../src/store/uid-runs.ts";

export class MemoryMailbox implements Mailbox {
  readonly name = "INBOX";
  readonly id = "inbox";
  uidValidity = 1_700_000_000;
  readonly highestModSeq = 1 as ModSeq;
  readonly readOnly = false;
  readonly keywords: readonly string[] = [];
  readonly canCreateKeywords = true;
  uidNext = 1 as Uid;
  messages: readonly Message[] = [];
  readonly #octets = new Map<Uid, Buffer>();
  /** The next call of this operation throws it. */
  fault: { readonly of: "expunge" | "read" | "refresh"; readonly fault: StoreFault } | undefined;

  constructor(texts: readonly (string | Buffer)[] = []) {
    for (const text of texts) this.add(Buffer.from(text));
  }

  add(octets: Buffer): Uid {
    const uid = this.uidNext;
    const stored = toCrlf(octets);
    this.#octets.set(uid, stored);
    this.messages = [...this.messages, { uid, flags: new Set(), size: stored.length, internalDate: 0, saveDate: undefined, modSeq: 1 as ModSeq, guid: `17000000${uid}.M1P1.host` }];
    this.uidNext = (uid + 1) as Uid;
    return uid;
  }

  #maybe(of: "expunge" | "read" | "refresh"): void {
    if (this.fault?.of !== of) return;
    const { fault } = this.fault;
    this.fault = undefined;
    throw fault;
  }

  expungedSince(): undefined {
    return undefined;
  }

  facts(): undefined {
    return undefined;
  }

  keepFacts(): void {}

  async refresh(): Promise<Changes> {
    this.#maybe("refresh");
    return { arrived: [], expunged: [], flagged: [] };
  }

  async claimRecent(): Promise<UidRuns> {
    return new UidRuns();
  }

  async read(uid: Uid): Promise<Buffer | undefined> {
    this.#maybe("read");
    return this.#octets.get(uid);
  }

  async setFlags(uids: readonly Uid[], change: { flags: ReadonlySet<string> }): Promise<readonly Message[]> {
    this.messages = this.messages.map((m) => (uids.includes(m.uid) ? { ...m, flags: new Set([...m.flags, ...change.flags]) } : m));
    return this.messages.filter((m) => uids.includes(m.uid));
  }

  get list(): MessageList {
    return listOf(this.messages);
  }

  async append(messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    return messages.map((m) => this.add(Octets.of(m.octets).toBuffer()));
  }

  copy(): Promise<never> {
    return Promise.reject(new StoreFault("io", "not here"));
  }

  async expunge(uids: readonly Uid[]): Promise<readonly Uid[]> {
    this.#maybe("expunge");
    const gone = this.messages.filter((m) => uids.includes(m.uid)).map((m) => m.uid);
    this.messages = this.messages.filter((m) => !uids.includes(m.uid));
    for (const uid of gone) this.#octets.delete(uid);
    return gone;
  }

  watch(): () => void {
    return () => {};
  }
}

/** A store whose only folder is that mailbox. */
export function memoryStore(mailbox: MemoryMailbox): MailStore {
  const no = (): Promise<never> => Promise.reject(new StoreFault("nonexistent", "There is only INBOX."));
  return {
    separator: "/",
    side: "/nonexistent",
    folders: async (): Promise<readonly Folder[]> => [],
    create: no,
    remove: no,
    rename: no,
    subscriptions: async () => [],
    subscribe: no,
    status: (): Promise<FolderStatus> => no(),
    open: async (_name, as = "known") => {
      if (as !== "known") await mailbox.refresh();
      return mailbox;
    },
    release: () => {},
    deliver: no,
    close: async () => {},
  };
}
