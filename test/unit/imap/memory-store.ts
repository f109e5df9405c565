/** A MailStore in memory, for faults and timing that a disk can not be asked for. Keeps the contract of store/mailbox.ts. */
import { Octets } from "../../../src/message/octets.ts";
import { listOf, type MessageList } from "../../../src/store/message-list.ts";
import { toCrlf } from "../../../src/message/line-ends.ts";
import { StoreFault, systemFlags, type Changes, type FlagChange, type Folder, type Mailbox, type MailStore, type Message, type ModSeq, type NewMessage, type Opened, type StoreFaultKind, type Uid } from "../../../src/store/mailbox.ts";
import { UidRuns } from "../../../src/store/uid-runs.ts";

const none: Changes = { arrived: [], expunged: [], flagged: [] };

export class MemoryMailbox implements Mailbox {
  readonly name: string;
  uidValidity: number;
  readonly readOnly = false;
  readonly canCreateKeywords = true;
  keywords: string[] = [];
  messages: readonly Message[] = [];
  /** Thrown by the next operation of this name. */
  readonly faults = new Map<string, StoreFaultKind>();
  /** Operations so far. */
  readonly calls: string[] = [];
  readonly #octets = new Map<Uid, Buffer>();
  readonly #facts = new Map<Uid, Buffer>();
  readonly #expunged: { readonly uid: Uid; readonly at: ModSeq }[] = [];
  highestModSeq = 1 as ModSeq;
  readonly #unclaimed = new Set<Uid>();
  readonly #hearers = new Set<(changes: Changes) => void>();
  #next = 1;

  constructor(name: string, uidValidity: number) {
    this.name = name;
    this.uidValidity = uidValidity;
  }

  get id(): string {
    return `${this.name}-${this.uidValidity}`;
  }

  /** The number of the change that is made now. */
  #change(): ModSeq {
    return (this.highestModSeq = (this.highestModSeq + 1) as ModSeq);
  }

  expungedSince(modSeq: ModSeq): readonly Uid[] {
    return this.#expunged.flatMap(({ uid, at }) => (at > modSeq ? uid : [])).sort((a, b) => a - b);
  }

  facts(uid: Uid): Buffer | undefined {
    return this.#facts.get(uid);
  }

  keepFacts(uid: Uid, facts: Buffer): void {
    this.#facts.set(uid, Buffer.from(facts));
  }

  get uidNext(): Uid {
    return this.#next as Uid;
  }

  #enter(operation: string): void {
    this.calls.push(operation);
    const kind = this.faults.get(operation);
    if (kind !== undefined) throw new StoreFault(kind, `no ${operation} today`);
  }

  #tell(changes: Partial<Changes>): void {
    for (const hear of [...this.#hearers]) hear({ ...none, ...changes });
  }

  get watchers(): number {
    return this.#hearers.size;
  }

  async refresh(): Promise<Changes> {
    this.#enter("refresh");
    return none;
  }

  async claimRecent(peek: boolean): Promise<UidRuns> {
    if (!peek) this.#enter("claimRecent");
    const found = UidRuns.of(this.#unclaimed);
    if (!peek) this.#unclaimed.clear();
    return found;
  }

  get recent(): number {
    return this.#unclaimed.size;
  }

  async read(uid: Uid): Promise<Buffer | undefined> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#enter("read");
    return this.#octets.get(uid);
  }

  async setFlags(uids: readonly Uid[], { how, flags }: FlagChange): Promise<readonly Message[]> {
    this.#enter("setFlags");
    const wanted = new Set(uids);
    const spelled = this.#spell(flags);
    const flagged: Message[] = [];
    const modSeq = this.#change();
    this.messages = this.messages.map((m) => {
      if (!wanted.has(m.uid)) return m;
      const next = how === "replace" ? spelled : new Set(how === "add" ? [...m.flags, ...spelled] : [...m.flags].filter((f) => !spelled.has(f)));
      if (next.size === m.flags.size && [...next].every((f) => m.flags.has(f))) return m;
      const changed = { ...m, flags: next, modSeq };
      flagged.push(changed);
      return changed;
    });
    if (flagged.length > 0) this.#tell({ flagged });
    return flagged;
  }

  #spell(flags: ReadonlySet<string>): Set<string> {
    return new Set(
      [...flags].map((f) => {
        const known = [...systemFlags, ...this.keywords].find((k) => k.toLowerCase() === f.toLowerCase());
        if (known === undefined) this.keywords = [...this.keywords, f];
        return known ?? f;
      }),
    );
  }

  get list(): MessageList {
    return listOf(this.messages);
  }

  async append(messages: readonly NewMessage[]): Promise<readonly Uid[]> {
    this.#enter("append");
    return this.add(messages);
  }

  /** As `append`, as if another program had done it. */
  add(messages: readonly NewMessage[]): Uid[] {
    const modSeq = this.#change();
    const arrived = messages.map((m): Message => {
      const uid = this.#next++ as Uid;
      const octets = toCrlf(Octets.of(m.octets).toBuffer());
      this.#octets.set(uid, octets);
      this.#unclaimed.add(uid);
      return { uid, flags: this.#spell(m.flags), size: octets.length, internalDate: m.internalDate ?? 0, saveDate: 0, modSeq, guid: `g${uid}` };
    });
    this.messages = [...this.messages, ...arrived];
    this.#tell({ arrived });
    return arrived.map((m) => m.uid);
  }

  async copy(uids: readonly Uid[], target: Mailbox): Promise<{ from: Uid[]; to: readonly Uid[] }> {
    this.#enter("copy");
    const chosen = this.messages.filter((m) => uids.includes(m.uid));
    const to = await target.append(chosen.map((m) => ({ octets: this.#octets.get(m.uid) ?? Buffer.alloc(0), flags: m.flags, internalDate: m.internalDate })));
    return { from: chosen.map((m) => m.uid), to };
  }

  async expunge(uids: readonly Uid[]): Promise<readonly Uid[]> {
    this.#enter("expunge");
    const expunged = this.messages.filter((m) => uids.includes(m.uid)).map((m) => m.uid);
    this.messages = this.messages.filter((m) => !expunged.includes(m.uid));
    const at = this.#change();
    for (const uid of expunged) {
      this.#octets.delete(uid);
      this.#facts.delete(uid);
      this.#expunged.push({ uid, at });
    }
    if (expunged.length > 0) this.#tell({ expunged });
    return expunged;
  }

  watch(hear: (changes: Changes) => void): () => void {
    this.#enter("watch");
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }
}

export class MemoryStore implements MailStore {
  readonly separator = "/" as const;
  readonly side: string = "/nonexistent";
  readonly mailboxes = new Map<string, MemoryMailbox>();
  /** Opened and not released. */
  open_ = 0;
  readonly #subscribed = new Set<string>();
  #lastValidity = 1000;

  constructor(...names: string[]) {
    for (const name of ["INBOX", ...names]) this.#make(name);
  }

  #make(name: string): void {
    this.mailboxes.set(name, new MemoryMailbox(name, ++this.#lastValidity));
  }

  mailbox(name: string): MemoryMailbox {
    const found = this.mailboxes.get(name);
    if (found === undefined) throw new StoreFault("nonexistent", `Mailbox doesn't exist: ${name}`);
    return found;
  }

  async folders(): Promise<readonly Folder[]> {
    const names = [...this.mailboxes.keys()];
    return names.map((name) => ({ name, selectable: true, children: names.some((n) => n.startsWith(`${name}/`)), inferiors: true, specialUse: name === "Sent" ? "\\Sent" : undefined, marked: undefined }));
  }

  async create(name: string): Promise<void> {
    if (this.mailboxes.has(name)) throw new StoreFault("exists", "Mailbox already exists");
    this.#make(name);
  }

  async remove(name: string): Promise<void> {
    this.mailbox(name);
    this.mailboxes.delete(name);
  }

  async rename(from: string, to: string): Promise<void> {
    const found = this.mailbox(from);
    if (this.mailboxes.has(to)) throw new StoreFault("exists", "Mailbox already exists");
    this.mailboxes.delete(from);
    this.mailboxes.set(to, found);
  }

  async subscriptions(): Promise<readonly string[]> {
    return [...this.#subscribed];
  }

  async subscribe(name: string, on: boolean): Promise<void> {
    if (on) this.#subscribed.add(name);
    else this.#subscribed.delete(name);
  }

  async status(name: string): Promise<{ messages: number; recent: number; uidNext: Uid; uidValidity: number; unseen: number }> {
    const m = this.mailbox(name);
    return { messages: m.messages.length, recent: m.recent, uidNext: m.uidNext, uidValidity: m.uidValidity, unseen: m.messages.filter((x) => !x.flags.has("\\Seen")).length };
  }

  async open(name: string, as: Opened = "known"): Promise<Mailbox> {
    const found = this.mailbox(name);
    if (as !== "known") await found.refresh();
    this.open_++;
    return found;
  }

  release(): void {
    this.open_--;
  }

  async deliver(name: string, message: NewMessage): Promise<void> {
    this.mailbox(name).add([message]);
  }

  async close(): Promise<void> {}
}
