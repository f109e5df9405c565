/**
 * One message under way: its plan is carried out, every outcome logged and recorded, and at the end of the try it is
 * removed, returned or deferred. What happens on disk and in which order is in spool/INTERNALS.md.
 */
import type { Logger } from "../../daemon/log.ts";
import { bounced, deferred, sent, type Outcome } from "../../deliver/outcome.ts";
import type { MessageSource } from "../../deliver/source.ts";
import type { Delivery } from "../../route/router.ts";
import { recordsOffset, type History, type PartlyDone, type PendingRecipient } from "../../spool/format.ts";
import type { QueueFile } from "../../spool/read.ts";
import type { QueueName, Spool } from "../../spool/spool.ts";
import { nextTry, type Backoff } from "./backoff.ts";
import type { Destinations } from "./destinations.ts";
import { groupsOf, senderOf, type Group } from "./groups.ts";
import { forwardLoop } from "./insert.ts";
import * as lines from "./log-lines.ts";
import type { Deliver, Delivered, OutgoingMessage, Result } from "./transport.ts";

/** A delivery that failed for good, for the bounce. */
export interface Failure {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
}

/** What a message needs of the queue manager. */
export interface QueueParts {
  readonly spool: Spool;
  readonly now: () => number;
  readonly log: (ident: string) => Logger;
  plan(recipients: QueueFile["envelope"]["recipients"]): readonly Delivery[];
  readonly destinations: Destinations;
  readonly deliverLocal: Deliver;
  readonly deliverRemote: Deliver;
  /** Queues a copy for the addresses of a .forward; resolves with its queue id when it is durable. */
  forward(message: OutgoingMessage, delivery: Delivery, sender: string, addresses: readonly string[]): Promise<string>;
  /** Queues what tells the sender; resolves when it is durable. */
  bounce(message: OutgoingMessage, sender: string, failures: readonly Failure[]): Promise<void>;
  backoff(sender: string): Backoff;
}

/**
 * UTF-16 units of targets remembered for one delivery: the list goes to the agent in one line of the wire (1 MiB).
 * Whoever has a longer one may get a target a second time.
 */
const partlyLimit = 128 << 10;

/** After this many ms outcomes are recorded although the try goes on. */
const recordAfter = 100;

interface Failed {
  readonly kind: "failed";
  readonly outcome: Outcome;
  readonly sender: string;
  /** Only these targets are final when the sender has been told; undefined: the delivery is. */
  readonly targets?: readonly string[];
}

type End = { readonly delivery: Delivery } & ({ readonly kind: "done" } | { readonly kind: "pending"; readonly text: string } | Failed | { readonly kind: "untried" });

/** Octets of records after which the next try's record says it all anew: mail that is tried for days, for many, must stay readable. */
const compactAfter = 1 << 20;
/** Of why a recipient waits, for mailq(1); UTF-16 units. */
const reasonLimit = 500;

/** What was done and could not be written down. */
export interface Owed {
  readonly done: readonly string[];
  readonly partly: readonly PartlyDone[];
}

/** How a try ended, for the queue manager's books. */
export type Ended = "removed" | "deferred" | "stopped";

export class ActiveMessage {
  readonly id: string;
  readonly outgoing: OutgoingMessage;
  readonly #parts: QueueParts;
  readonly #history: History;
  readonly #entered: number;
  #queue: QueueName;
  #file: QueueFile;
  #unrecorded: string[] = [];
  #unrecordedParts: PartlyDone[] = [];
  #recordTimer: NodeJS.Timeout | undefined;
  #recording: Promise<void> = Promise.resolve();

  /**
   * @param body  the message, when it is in memory
   * @param owed  of an earlier try
   */
  constructor(parts: QueueParts, queue: QueueName, file: QueueFile, history: History, body: readonly Buffer[] | undefined, owed?: Owed) {
    this.id = file.envelope.id;
    this.#parts = parts;
    this.#queue = queue;
    this.#file = file;
    this.#history = owed === undefined ? history : together(history, owed);
    if (owed !== undefined) {
      this.#unrecorded = [...owed.done];
      this.#unrecordedParts = [...owed.partly];
    }
    this.#entered = parts.now();
    const source: MessageSource = body === undefined ? { octets: file.octets, memory: undefined, pieces: () => parts.spool.body(this.#queue, this.id, file) } : { octets: file.octets, memory: body, pieces: () => each(body) };
    this.outgoing = { envelope: file.envelope, source };
  }

  /** Where the file is now. */
  get queue(): QueueName {
    return this.#queue;
  }

  /** Undefined when everything is on disk. */
  get owed(): Owed | undefined {
    return this.#unrecorded.length + this.#unrecordedParts.length === 0 ? undefined : { done: this.#unrecorded, partly: this.#unrecordedParts };
  }

  /** One try. Rejects only when the queue itself fails (the message stays where it is). */
  async run(): Promise<Ended> {
    const { envelope } = this.outgoing;
    const { log, destinations } = this.#parts;
    log("qmgr").info(lines.queueActive(this.id, envelope.sender, this.#file.octets, envelope.recipients.length));
    if (this.#queue === "deferred") {
      this.#parts.spool.move("deferred", "active", this.id);
      this.#queue = "active";
    }
    const plan = this.#parts.plan(envelope.recipients).filter((d) => !this.#history.done.has(d.key)).map((d) => this.#withoutDone(d));
    const ends: Promise<readonly End[]>[] = [];
    for (const d of plan) if (d.kind === "final") ends.push(Promise.resolve([this.#note(d, senderOf(d, envelope.sender), { outcome: d.outcome, relay: d.key.startsWith("!") ? "local" : "none", connecting: 0 }, this.#entered, this.#entered, "local")]));
    for (const group of groupsOf(plan.filter((d) => d.kind !== "final"), envelope.sender)) {
      ends.push(new Promise((resolve, reject) => destinations.submit(group.destination, {
        run: () => this.#deliver(group, resolve, reject),
        skip: (why) => resolve(group.deliveries.map((delivery) => why.kind === "stopping" ? { delivery, kind: "untried" } : this.#suspended(delivery, group, why.text))),
      })));
    }
    const settled = await Promise.allSettled(ends);
    clearTimeout(this.#recordTimer);
    await this.#recording;
    const fault = settled.find((s) => s.status === "rejected");
    const all = settled.flatMap((s) => (s.status === "fulfilled" ? s.value : []));
    try {
      if (fault !== undefined) throw fault.reason;
      return await this.#finish(all);
    } catch (reason) {
      // The message is tried again; who has it already must not get it twice for that.
      await this.#record();
      throw reason;
    }
  }

  /** What earlier tries did of the delivery is not done again. */
  #withoutDone(delivery: Delivery): Delivery {
    const done = delivery.kind === "local" ? this.#history.partly.get(delivery.key) : undefined;
    return done === undefined ? delivery : { ...delivery, done: [...done] } as Delivery;
  }

  async #deliver(group: Group, resolve: (ends: readonly End[]) => void, reject: (fault: unknown) => void): Promise<Delivered> {
    const started = this.#parts.now();
    const ident = group.kind === "local" ? "local" : group.deliveries[0]?.hop.protocol === "lmtp" ? "lmtp" : "smtp";
    let delivered: Delivered;
    try {
      delivered = await (group.kind === "local" ? this.#parts.deliverLocal : this.#parts.deliverRemote)(group, this.outgoing);
    } catch (fault) {
      // Only a bug can do that; the message is tried again, and the others go on.
      reject(fault);
      return { results: [], unreachable: false };
    }
    const ends: End[] = [];
    const faults: unknown[] = [];
    for (const [i, delivery] of group.deliveries.entries()) {
      const reported = delivered.results[i];
      if (reported === undefined) {
        ends.push({ delivery, kind: "untried" });
        continue;
      }
      try {
        const { result, forwarded } = await this.#forward(group, delivery, reported);
        ends.push(...this.#settle(delivery, group.sender, result, started, ident, forwarded));
      } catch (fault) {
        // The others of the group have their mail: that must be noted.
        faults.push(fault);
      }
    }
    if (faults.length > 0) reject(faults[0]);
    else resolve(ends);
    return delivered;
  }

  /** The copies of a .forward are durable before the delivery counts as done. */
  async #forward(group: Group, delivery: Delivery, result: Result): Promise<{ result: Result; forwarded?: string }> {
    const { forwards, done = [] } = result;
    if (forwards === undefined || forwards.length === 0) return { result };
    const withForwards = { ...result, done: [...done, ...forwards] };
    const loop = forwardLoop(this.outgoing);
    if (loop !== undefined) return { result: result.outcome.kind === "sent" ? { ...result, outcome: loop } : { ...withForwards, also: [...(result.also ?? []), loop] } };
    try {
      return { result: withForwards, forwarded: await this.#parts.forward(this.outgoing, delivery, group.sender, forwards) };
    } catch (fault) {
      // Nobody has been told of what bounced: all targets are tried again then.
      if (![result.outcome, ...(result.also ?? [])].some((o) => o.kind === "bounced")) this.#partlyDone(delivery.key, done);
      throw fault;
    }
  }

  /** One recipient whose targets fared differently is several lines in the log, as several recipients would be. */
  #settle(delivery: Delivery, sender: string, result: Result, started: number, ident: string, forwarded: string | undefined): End[] {
    const { outcome, also = [], done = [] } = result;
    const ended = this.#parts.now();
    for (const other of also) this.#log(delivery, { ...result, outcome: other }, started, ended, ident);
    if (forwarded !== undefined && outcome.kind !== "sent") this.#log(delivery, { ...result, outcome: sent("") }, started, ended, ident, forwarded);
    const ends: End[] = [this.#note(delivery, sender, result, started, ended, ident, outcome.kind === "sent" ? forwarded : undefined)];
    const failed = also.filter((o) => o.kind === "bounced");
    const targets = outcome.kind === "deferred" ? done : undefined;
    for (const other of failed) ends.push({ delivery, kind: "failed", outcome: other, sender, ...(targets === undefined ? {} : { targets }) });
    if (targets !== undefined && targets.length > 0 && failed.length === 0) {
      this.#partlyDone(delivery.key, targets);
      this.#recordSoon();
    }
    return ends;
  }

  #suspended(delivery: Delivery, group: Group, text: string): End {
    const outcome = deferred("4.4.1", `delivery temporarily suspended: ${text}`);
    return this.#note(delivery, group.sender, { outcome, relay: "none", connecting: 0 }, this.#entered, this.#parts.now(), "qmgr");
  }

  #note(delivery: Delivery, sender: string, result: Result, started: number, ended: number, ident: string, forwarded?: string): End {
    this.#log(delivery, result, started, ended, ident, forwarded);
    const { outcome } = result;
    if (outcome.kind === "sent") {
      this.#done([delivery.key]);
      return { delivery, kind: "done" };
    }
    return outcome.kind === "deferred" ? { delivery, kind: "pending", text: outcome.text } : { delivery, kind: "failed", outcome, sender };
  }

  #log(delivery: Delivery, result: Result, started: number, ended: number, ident: string, forwarded?: string): void {
    const { outcome } = result;
    const arrived = this.outgoing.envelope.arrived;
    const delays = { before: this.#entered - arrived, queued: started - this.#entered, connecting: result.connecting, delivering: ended - started - result.connecting };
    const note = forwarded === undefined ? outcome.text : `forwarded as ${forwarded}`;
    this.#parts.log(ident).info(lines.delivered(this.id, delivery, result.relay, delays, outcome, note));
  }

  #done(keys: readonly string[]): void {
    this.#unrecorded.push(...keys);
    this.#recordSoon();
  }

  #partlyDone(key: string, targets: readonly string[]): void {
    const known = this.#history.partly.get(key);
    let room = partlyLimit;
    for (const target of known ?? []) room -= target.length;
    const fresh = targets.filter((t) => known?.has(t) !== true && (room -= t.length) >= 0);
    if (fresh.length === 0) return;
    this.#unrecordedParts.push({ key, targets: fresh });
  }

  #recordSoon(): void {
    this.#recordTimer ??= setTimeout(() => {
      this.#recordTimer = undefined;
      this.#recording = this.#recording.then(() => this.#record());
    }, recordAfter);
  }

  /** A record that can not be written (full disk) costs a second delivery, not the message. */
  async #record(end: { readonly tries: number; readonly pending: readonly PendingRecipient[] } | undefined = undefined): Promise<void> {
    const done = this.#unrecorded;
    const partly = this.#unrecordedParts;
    if (done.length === 0 && partly.length === 0 && end === undefined) return;
    this.#unrecorded = [];
    this.#unrecordedParts = [];
    try {
      const record = { ...(done.length > 0 ? { done } : {}), ...(partly.length > 0 ? { partly } : {}), ...end };
      const { spool } = this.#parts;
      const first = recordsOffset(this.#file);
      const known = end !== undefined && this.#file.end - first > compactAfter ? await spool.read(this.#queue, this.id) : undefined;
      this.#file =
        known?.kind === "complete"
          ? await spool.append(this.#queue, this.id, { ...this.#file, end: first }, { ...record, ...allOf(together(known.history, { done, partly })) })
          : await spool.append(this.#queue, this.id, this.#file, record);
    } catch (fault) {
      this.#unrecorded.unshift(...done);
      this.#unrecordedParts.unshift(...partly);
      this.#parts.log("qmgr").warning(`${this.id}: can not record what was delivered: ${String(fault)}`);
    }
  }

  async #finish(ends: readonly End[]): Promise<Ended> {
    const { spool, now, log, backoff } = this.#parts;
    const { sender, arrived } = this.outgoing.envelope;
    let pending = ends.filter((e) => e.kind === "pending");
    const failed = ends.filter((e) => e.kind === "failed");
    const tries = this.#history.tries + 1;
    const due = pending.length === 0 ? now() : nextTry(arrived, tries, now(), backoff(sender));
    if (due === "expired") {
      log("qmgr").info(lines.expired(this.id, sender));
      failed.push(...pending.map(({ delivery, text }) => ({ delivery, kind: "failed" as const, outcome: bounced("5.4.7", `delivery time expired: ${text}`), sender: senderOf(delivery, sender) })));
      pending = [];
    }
    for (const from of new Set(failed.map((f) => f.sender))) {
      const mine = failed.filter((f) => f.sender === from);
      // The bounce is durable before its recipients count as done.
      await this.#parts.bounce(this.outgoing, from, mine);
      for (const { delivery, targets } of mine) {
        if (targets === undefined) this.#unrecorded.push(delivery.key);
        else this.#partlyDone(delivery.key, targets);
      }
    }
    if (ends.some((e) => e.kind === "untried")) {
      await this.#record();
      return "stopped";
    }
    if (pending.length === 0 || due === "expired") {
      await spool.remove(this.#queue, this.id);
      log("qmgr").info(lines.removed(this.id));
      return "removed";
    }
    await this.#record({ tries, pending: pending.map((p) => ({ to: p.delivery.address, text: p.text.slice(0, reasonLimit) })) });
    spool.move(this.#queue, "deferred", this.id, due);
    this.#queue = "deferred";
    return "deferred";
  }
}

function together(history: History, owed: Owed): History {
  const partly = new Map(history.partly);
  for (const { key, targets } of owed.partly) partly.set(key, new Set([...(partly.get(key) ?? []), ...targets]));
  return { ...history, done: new Set([...history.done, ...owed.done]), partly };
}

const allOf = ({ done, partly }: History): Owed => ({ done: [...done], partly: [...partly].map(([key, targets]) => ({ key, targets: [...targets] })) });

async function* each(body: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* body;
}
