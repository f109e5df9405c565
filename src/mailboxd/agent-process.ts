/** One agent as mailboxd sees it: a child process, the orders it was given and what it said of them. */
import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { AgentNote, AgentOrder, MailUser, SocketOrder } from "../daemon/protocol.ts";
import type { AgentChannel } from "./channel.ts";
import { release } from "./hello.ts";
import type { Started } from "./spare.ts";

/** A socket for a user's agent, until it is handed over or refused. */
export interface Handoff {
  readonly user: MailUser;
  readonly order: SocketOrder;
  readonly socket: Socket;
}

/**
 * starting  not ready yet; handoffs wait in `queue`
 * running   takes orders
 * retiring  was told to go while no order was on its way; handoffs wait for the next one
 * ended     the process is gone
 */
export type AgentState = "starting" | "running" | "retiring" | "ended";

/** How long the end of a process may take after that of its channel, ms. */
const closedTime = 1000;

export class AgentProcess {
  readonly key: string;
  /** Who it was started for, for the log. */
  readonly name: string;
  readonly child: ChildProcess;
  readonly pid: number;
  readonly startedAt: number;
  state: AgentState = "starting";
  readonly queue: Handoff[] = [];
  sessions = 0;
  deliveries = 0;
  /** When the last handoff was, performance.now(): for choosing whom to retire. */
  lastUse = 0;
  idle: NodeJS.Timeout | undefined;
  /** Whose orders it was given: the only users it may ask privileged things for. */
  readonly users = new Map<string, MailUser>();
  readonly #outbox: Handoff[] = [];
  #sent = 0;
  #taken = 0;

  readonly #channel: AgentChannel;
  readonly #leaves: (socket: Socket) => void;

  /**
   * @param leaves  hears of each socket that is on its way now
   * @param hear    hears the agent's notes
   * @param broken  hears when the agent says what it must not
   */
  constructor({ child, channel }: Started, user: MailUser, startedAt: number, leaves: (socket: Socket) => void, hear: (note: AgentNote) => void, broken: (why: string) => void) {
    this.#channel = channel;
    channel.listen(hear, broken);
    // An agent that only closes its channel is of no use any more.
    channel.onClose(() => {
      setTimeout(() => {
        if (this.state !== "ended") child.kill("SIGKILL");
      }, closedTime).unref();
    });
    this.#leaves = leaves;
    this.key = user.agent;
    this.name = user.agent === "virtual" ? "virtual users" : user.name;
    this.child = child;
    this.pid = child.pid ?? -1;
    this.startedAt = startedAt;
  }

  /** Takes what a load note says, and goes on with what was held back. */
  load(note: Extract<AgentNote, { readonly kind: "load" }>): void {
    this.sessions = note.sessions;
    this.deliveries = note.deliveries;
    this.#taken = note.taken;
    this.#pump();
  }

  /** True when it has nothing to do and nothing is on its way to it. */
  get unused(): boolean {
    return this.settled && this.sessions === 0 && this.deliveries === 0;
  }

  /** True when it has taken every order it was given. */
  get settled(): boolean {
    return this.#sent === this.#taken && this.#outbox.length === 0;
  }

  /** Gives it a socket. */
  hand(handoff: Handoff): void {
    clearTimeout(this.idle);
    this.users.set(handoff.user.name, handoff.user);
    this.#outbox.push(handoff);
    this.#pump();
  }

  /** The process is gone: returns what was never sent. What was on its way the kernel closes. */
  end(): Handoff[] {
    this.#channel.close();
    return [...this.queue.splice(0), ...this.#outbox.splice(0)];
  }

  /** One socket at a time, so that what an agent that dies has not taken yet can go to the next one. */
  #pump(): void {
    while (this.#sent === this.#taken && this.#channel.open) {
      const handoff = this.#outbox.shift();
      if (handoff === undefined) return;
      if (handoff.socket.destroyed) continue;
      this.#sent++;
      this.#leaves(handoff.socket);
      release(handoff.socket);
      this.#channel.sendSocket(handoff.order, handoff.socket);
    }
  }

  tell(order: AgentOrder): void {
    this.#channel.send(order);
  }
}
