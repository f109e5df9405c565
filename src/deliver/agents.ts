/**
 * The client of the agents: one connection per agent through mailboxd's `deliver` socket, many jobs under way on
 * it (daemon/protocol.ts, DeliverJob). A connection that is lost leaves its jobs without reply; whether the agent
 * had delivered is then unknown, and the queue tries them again.
 */
import type { Socket } from "node:net";
import type { DeliverJob, DeliverReply, DeliverRecipient, HandoffReply, MailUser } from "../daemon/protocol.ts";
import type { Outcome } from "./outcome.ts";
import { connectUnix } from "../daemon/peer.ts";
import { sendFrame, WireFault, WireFramer } from "../daemon/wire.ts";
import type { MessageSource } from "./source.ts";

export interface AgentResult {
  /** Same order as the recipients; undefined where no reply came. */
  readonly replies: readonly (DeliverReply | undefined)[];
  /** Why replies are missing. */
  readonly fault: { readonly kind: "nouser" | "temporary" | "lost"; readonly text: string } | undefined;
}

export interface AgentOptions {
  /** Path of the `deliver` socket. */
  readonly path: string;
  /** A connection without jobs is closed after this many ms, so that the agent can retire. */
  readonly idle: number;
  /** A job without all its replies after this many ms counts as lost. */
  readonly jobLimit: number;
  /** How long to wait for mailboxd while it is started again, ms. */
  readonly patience: number;
}

export type AgentJob = Omit<DeliverJob, "id" | "op" | "octets" | "recipients"> & { readonly recipients: readonly DeliverRecipient[] };

export class Agents {
  readonly #options: AgentOptions;
  readonly #connections = new Map<string, Connection>();

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** Hands a job to the agent of `user`; its recipients must all be of that agent. Resolves when every reply is there or can not come any more. Never rejects. */
  async deliver(user: MailUser, job: AgentJob, message: MessageSource): Promise<AgentResult> {
    let connection = this.#connections.get(user.agent);
    if (connection === undefined || connection.closed) {
      const fresh = new Connection(this.#options, user, () => {
        if (this.#connections.get(user.agent) === fresh) this.#connections.delete(user.agent);
      });
      connection = fresh;
      this.#connections.set(user.agent, fresh);
    }
    return connection.deliver(user, job, message);
  }

  /** Closes every connection; jobs under way are lost. */
  close(): void {
    for (const connection of this.#connections.values()) connection.lose("shutting down");
  }
}

interface Waiting {
  /** In whose name the connection would have been asked for. */
  readonly user: string;
  readonly replies: (DeliverReply | undefined)[];
  missing: number;
  readonly resolve: (result: AgentResult) => void;
  readonly limit: NodeJS.Timeout;
}

class Connection {
  readonly #options: AgentOptions;
  readonly #user: string;
  readonly #onClose: () => void;
  readonly #ready: Promise<Socket>;
  readonly #framer = new WireFramer(0);
  readonly #jobs = new Map<number, Waiting>();
  #socket: Socket | undefined;
  #lastId = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Long messages go out one after the other. */
  #sending: Promise<void> = Promise.resolve();
  #longUnderWay = 0;
  #handedOff: ((reply: HandoffReply) => void) | undefined;
  #fault: NonNullable<AgentResult["fault"]> | undefined;

  constructor(options: AgentOptions, user: MailUser, onClose: () => void) {
    this.#options = options;
    this.#user = user.name;
    this.#onClose = onClose;
    this.#ready = this.#open(user);
    this.#ready.catch(() => {});
  }

  get closed(): boolean {
    return this.#fault !== undefined;
  }

  deliver(user: MailUser, job: AgentJob, message: MessageSource): Promise<AgentResult> {
    clearTimeout(this.#idle);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.lose("the agent does not answer"), this.#options.jobLimit);
      this.#jobs.set(id, { user: user.name, replies: job.recipients.map(() => undefined), missing: job.recipients.length, resolve, limit });
      if (this.#fault !== undefined) this.#settleAll(this.#fault);
      else this.#send({ ...job, id, op: "deliver", octets: message.octets }, message).catch((fault: unknown) => this.lose(fault instanceof Error ? fault.message : String(fault)));
    });
  }

  async #send(job: DeliverJob, message: MessageSource): Promise<void> {
    const socket = this.#socket ?? (await this.#ready);
    if (message.memory !== undefined && this.#longUnderWay === 0) {
      sendFrame(socket, job, message.memory);
      return;
    }
    this.#longUnderWay++;
    const turn = this.#sending.then(() => this.#stream(socket, job, message));
    this.#sending = turn.catch(() => {});
    try {
      await turn;
    } finally {
      this.#longUnderWay--;
    }
  }

  /** A frame is all or nothing: when the queue file can not be read to its end, the connection has to go. */
  async #stream(socket: Socket, job: DeliverJob, message: MessageSource): Promise<void> {
    socket.write(`${JSON.stringify(job)}\n`);
    let octets = 0;
    for await (const piece of message.pieces()) {
      octets += piece.length;
      if (!socket.write(piece)) await drained(socket);
    }
    if (octets !== message.octets) throw new Error(`queue file has ${octets} octets, not ${message.octets}`);
  }

  async #open(user: MailUser): Promise<Socket> {
    let socket: Socket;
    try {
      socket = await connectUnix(this.#options.path, this.#options.patience);
    } catch (fault) {
      this.lose(fault instanceof Error ? fault.message : String(fault));
      throw fault;
    }
    if (this.#fault !== undefined) {
      socket.destroy();
      throw new Error(this.#fault.text);
    }
    socket.on("error", () => {});
    socket.on("close", () => this.lose("connection to the agent lost"));
    const handedOff = new Promise<HandoffReply>((resolve) => (this.#handedOff = resolve));
    socket.on("data", (chunk) => {
      try {
        for (const { value } of this.#framer.push(chunk)) this.#take(value);
      } catch (fault) {
        if (!(fault instanceof WireFault)) throw fault;
        this.lose(`the agent does not make sense: ${fault.message}`);
        socket.destroy();
      }
    });
    sendFrame(socket, { op: "deliver", user: user.name });
    const reply = await handedOff;
    if (!reply.ok) {
      this.#end({ kind: reply.why === "nouser" ? "nouser" : "temporary", text: reply.text });
      socket.destroy();
      throw new Error(reply.text);
    }
    this.#socket = socket;
    return socket;
  }

  #take(value: unknown): void {
    if (this.#handedOff !== undefined) {
      this.#handedOff(handoffReply(value));
      this.#handedOff = undefined;
      return;
    }
    const reply = deliverReply(value);
    const job = this.#jobs.get(reply.id);
    if (job === undefined || reply.index >= job.replies.length) throw new WireFault("reply to no job");
    if (job.replies[reply.index] !== undefined) return;
    job.replies[reply.index] = reply;
    if (--job.missing > 0) return;
    this.#settle(reply.id, job, undefined);
    if (this.#jobs.size === 0) this.#idle = setTimeout(() => this.#retire(), this.#options.idle).unref();
  }

  /** Nothing to do for a while: no new job may come to this connection from here on. */
  #retire(): void {
    this.#end({ kind: "lost", text: "idle" });
    this.#socket?.end();
  }

  /** Every job under way is without further reply. */
  lose(text: string): void {
    this.#end({ kind: "lost", text });
    this.#socket?.destroy();
  }

  #end(fault: NonNullable<AgentResult["fault"]>): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    clearTimeout(this.#idle);
    this.#handedOff?.({ ok: false, why: "temporary", text: fault.text });
    this.#handedOff = undefined;
    this.#onClose();
    this.#settleAll(fault);
  }

  #settleAll(fault: NonNullable<AgentResult["fault"]>): void {
    for (const [id, job] of this.#jobs) {
      // Only the user in whose name the agent was asked for is unknown; the others of that agent have to ask again.
      const theirs = fault.kind === "nouser" && job.user !== this.#user ? { kind: "temporary" as const, text: fault.text } : fault;
      this.#settle(id, job, theirs);
    }
  }

  #settle(id: number, job: Waiting, fault: AgentResult["fault"]): void {
    clearTimeout(job.limit);
    this.#jobs.delete(id);
    job.resolve({ replies: job.replies, fault });
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      if (socket.destroyed) reject(new Error("connection to the agent lost"));
      else resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null;

function handoffReply(value: unknown): HandoffReply {
  if (!isObject(value)) throw new WireFault("bad hand-off reply");
  if (value.ok === true) return { ok: true };
  return { ok: false, why: value.why === "nouser" ? "nouser" : "temporary", text: typeof value.text === "string" ? value.text : "refused" };
}

/** The agent runs as the user, and may be the user's doing: nothing of its reply is taken unseen. */
function deliverReply(value: unknown): DeliverReply {
  if (!isObject(value) || typeof value.id !== "number" || typeof value.index !== "number" || !Number.isInteger(value.index) || value.index < 0) throw new WireFault("bad reply");
  const forwards = strings(value.forwards);
  const done = strings(value.done);
  const also = Array.isArray(value.also) ? (value.also as unknown[]).slice(0, 2).map(outcomeOf) : undefined;
  const given = { ...(forwards === undefined ? {} : { forwards }), ...(done === undefined ? {} : { done }), ...(also === undefined ? {} : { also }) };
  return { id: value.id, op: "delivered", index: value.index, outcome: outcomeOf(value.outcome), ...given };
}

const strings = (value: unknown): string[] | undefined => (Array.isArray(value) ? (value as unknown[]).filter((s): s is string => typeof s === "string") : undefined);

function outcomeOf(value: unknown): Outcome {
  const { kind, status, text } = isObject(value) ? value : {};
  const classes: Readonly<Record<string, string>> = { sent: "2", deferred: "4", bounced: "5" };
  const wanted = typeof kind === "string" ? classes[kind] : undefined;
  if (wanted === undefined || typeof status !== "string" || typeof text !== "string" || !/^[245]\.\d{1,3}\.\d{1,3}$/.test(status) || !status.startsWith(wanted)) throw new WireFault("bad outcome");
  return { kind, status, text } as Outcome;
}
