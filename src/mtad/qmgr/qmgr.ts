/**
 * The queue manager: which messages are under way, which wait for room, which are due again. Truth is in the
 * queue's files; what is held here can be lost at any time.
 */
import type { QueueEntry } from "../../daemon/protocol.ts";
import { describeFault } from "../../daemon/log.ts";
import { noHistory } from "../../spool/format.ts";
import type { Accepted } from "../../spool/write.ts";
import { queueNames, type QueueName, type Spool } from "../../spool/spool.ts";
import { ActiveMessage, type Owed, type QueueParts } from "./message.ts";

export interface QueueLimits {
  /** Messages under way at once. */
  readonly active: number;
  /** ms between looks at deferred mail. */
  readonly runDelay: number;
  /** Octets of messages kept in memory from acceptance to delivery; others are read again. */
  readonly memory: number;
  /** ms before a message is tried again whose queue file could not be worked with. */
  readonly retryAfterFault: number;
}

export class QueueManager {
  readonly #parts: QueueParts;
  readonly #limits: QueueLimits;
  readonly #spool: Spool;
  readonly #active = new Map<string, Promise<void>>();
  /** Accepted or due, and waiting for room among the active; ids only. */
  readonly #waiting: { readonly queue: QueueName; readonly id: string }[] = [];
  readonly #waitingIds = new Set<string>();
  /** Of messages whose records could not be written (full or read-only disk): nobody gets them again for that. */
  readonly #owed = new Map<string, Owed>();
  /** Entries of #waiting before this one are taken. */
  #head = 0;
  #memory = 0;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  #scanning: Promise<void> | undefined;

  constructor(parts: QueueParts, limits: QueueLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#spool = parts.spool;
  }

  /** Sweeps what a crash left and takes up all mail. Nothing may be accepted before this resolves. */
  async start(): Promise<void> {
    const log = this.#parts.log("qmgr");
    const strange = (name: string): void => log.warning(`${this.#spool.directory}: "${name}" is not a queue file`);
    for (const id of this.#spool.ids("incoming", strange)) {
      let found;
      try {
        found = await this.#spool.read("incoming", id, true);
      } catch (fault) {
        // One bad sector must not stop all mail.
        log.error(`${id}: can not be read: ${describeFault(fault)}`);
        this.#later("incoming", id);
        continue;
      }
      if (found?.kind === "complete") this.#wait("incoming", id);
      else if (found?.kind === "half-written") {
        log.info(`${id}: removed: half-written, and never acknowledged`);
        await this.#spool.remove("incoming", id);
      } else if (found?.kind === "corrupt") this.#setAside("incoming", id, found.why);
    }
    for (const id of this.#spool.ids("active", strange)) this.#wait("active", id);
    await this.#scan();
    this.#timer = setInterval(() => void this.#scan(), this.#limits.runDelay);
    this.#fill();
  }

  /** A message was just accepted: it is tried at once when there is room. */
  accept(accepted: Accepted): void {
    const { envelope, octets } = accepted.file;
    if (this.#stopping) return;
    if (this.#active.size >= this.#limits.active) {
      this.#wait("incoming", envelope.id);
      return;
    }
    const body = this.#memory + octets <= this.#limits.memory ? accepted.body : undefined;
    const held = body === undefined ? 0 : octets;
    this.#memory += held;
    const message = new ActiveMessage(this.#parts, "incoming", accepted.file, noHistory, body);
    this.#begin(envelope.id, () => this.#try(message).finally(() => (this.#memory -= held)));
  }

  /** Tries all deferred mail now; resolves when that is begun. */
  async flush(): Promise<void> {
    this.#parts.destinations.forgive();
    await this.#scanning;
    await this.#scan(Infinity);
  }

  /** All mail in the queue, for mailq(1). */
  async list(): Promise<readonly QueueEntry[]> {
    const entries: QueueEntry[] = [];
    const seen = new Set<string>();
    for (const queue of queueNames) {
      for (const id of this.#spool.ids(queue)) {
        const found = await this.#spool.read(queue, id).catch(() => undefined);
        if (seen.has(id) || found === undefined || found.kind === "half-written") continue;
        seen.add(id);
        if (found.kind === "corrupt") {
          entries.push({ queueId: id, queue: "corrupt", arrived: 0, octets: 0, sender: "", recipients: [] });
          continue;
        }
        const { file, history } = found;
        const waiting = history.pending.length > 0 ? history.pending.map((p) => ({ address: p.to, reason: p.text })) : file.envelope.recipients.map((r) => ({ address: r.address, reason: "" }));
        entries.push({ queueId: id, queue: this.#active.has(id) ? "active" : queue, arrived: file.envelope.arrived, octets: file.octets, sender: file.envelope.sender, recipients: waiting });
      }
    }
    return entries;
  }

  /** Starts nothing more; resolves when what is under way has ended. Untried mail stays in the queue. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#parts.destinations.stop();
    await Promise.all(this.#active.values());
  }

  #wait(queue: QueueName, id: string): void {
    if (this.#waitingIds.has(id) || this.#active.has(id)) return;
    this.#waitingIds.add(id);
    this.#waiting.push({ queue, id });
  }

  /** Takes waiting messages as long as there is room. */
  #fill(): void {
    while (!this.#stopping && this.#active.size < this.#limits.active) {
      const next = this.#waiting[this.#head];
      if (next === undefined) break;
      this.#head++;
      this.#waitingIds.delete(next.id);
      this.#begin(next.id, () => this.#load(next.queue, next.id));
    }
    if (this.#head > 1000 || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #begin(id: string, work: () => Promise<void>): void {
    if (this.#active.has(id)) return;
    const running = work().finally(() => {
      this.#active.delete(id);
      if (this.#waiting.length > this.#head) this.#fill();
    });
    this.#active.set(id, running);
  }

  async #load(queue: QueueName, id: string): Promise<void> {
    let found;
    try {
      found = await this.#spool.read(queue, id);
    } catch (fault) {
      this.#parts.log("qmgr").error(`${id}: can not be read: ${describeFault(fault)}`);
      this.#later(queue, id);
      return;
    }
    if (found === undefined) return;
    if (found.kind !== "complete") return this.#setAside(queue, id, found.kind === "corrupt" ? found.why : "half-written");
    if (found.file.envelope.id !== id) return this.#setAside(queue, id, "holds another queue id");
    await this.#try(new ActiveMessage(this.#parts, queue, found.file, found.history, undefined, this.#owed.get(id)));
  }

  async #try(message: ActiveMessage): Promise<void> {
    try {
      const ended = await message.run();
      this.#owe(message.id, ended === "removed" ? undefined : message.owed);
    } catch (fault) {
      this.#owe(message.id, message.owed);
      // Full disk, or a queue directory in trouble: the message is where it was, and is tried again.
      this.#parts.log("qmgr").error(`${message.id}: try broken off: ${describeFault(fault, true)}`);
      this.#later(message.queue, message.id);
    }
  }

  #owe(id: string, owed: Owed | undefined): void {
    if (owed === undefined) this.#owed.delete(id);
    else this.#owed.set(id, owed);
  }

  #later(queue: QueueName, id: string): void {
    const timer = setTimeout(() => {
      if (this.#stopping) return;
      this.#wait(queue, id);
      this.#fill();
    }, this.#limits.retryAfterFault);
    timer.unref();
  }

  #setAside(queue: QueueName, id: string, why: string): void {
    this.#parts.log("qmgr").error(`${id}: ${why}; moved to ${this.#spool.path("corrupt", id)}`);
    try {
      this.#spool.move(queue, "corrupt", id);
    } catch (fault) {
      this.#parts.log("qmgr").error(`${id}: can not be moved: ${describeFault(fault)}`);
    }
  }

  /** Looks for deferred mail that is due. `now` Infinity: all of it. */
  #scan(now: number = this.#parts.now()): Promise<void> {
    this.#scanning ??= this.#look(now)
      .catch((fault: unknown) => this.#parts.log("qmgr").error(`deferred: ${describeFault(fault)}`))
      .finally(() => (this.#scanning = undefined));
    return this.#scanning;
  }

  async #look(now: number): Promise<void> {
    let looked = 0;
    const { minimal, maximal } = this.#parts.backoff("");
    const longest = Math.max(minimal, maximal);
    for (const id of this.#spool.ids("deferred")) {
      if (this.#stopping) return;
      // A hundred thousand files take a while to look at; the sessions must not wait for that.
      if (++looked % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      const due = now === Infinity ? 0 : this.#spool.due(id);
      // Later than any wait we make: the clock was set back.
      if (due !== undefined && (due <= now || due > now + longest)) this.#wait("deferred", id);
    }
    this.#fill();
  }
}
