/** One agent as mailboxd sees it: a child process, the orders it was given and what it said of them. */
import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { AgentNote, AgentOrder, MailUser } from "../daemon/protocol.ts";
import { refuse, release } from "./hello.ts";

/** A socket for a user's agent, until it is handed over or refused. */
export interface Handoff {
  readonly user: MailUser;
  readonly order: Extract<AgentOrder, { readonly kind: "session" | "deliver" }>;
  readonly socket: Socket;
}

/**
 * starting  not ready yet; handoffs wait in `queue`
 * running   takes orders
 * retiring  was told to go while no order was on its way; handoffs wait for the next one
 * ended     the process is gone
 */
export type AgentState = "starting" | "running" | "retiring" | "ended";

interface Closable {
  close(): void;
}

/** What is under a socket. Closing it twice does nothing. */
function handleOf(socket: Socket): Closable | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  return typeof handle === "object" && handle !== null && "close" in handle && typeof handle.close === "function" ? (handle as Closable) : undefined;
}

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
  /** Of the last socket sent. Node closes it when it has arrived; when it never does, nobody would. */
  #onItsWay: Closable | undefined;
  readonly #outbox: Handoff[] = [];
  #sent = 0;
  #taken = 0;

  readonly #leaves: (socket: Socket) => void;

  /** @param leaves  hears of each socket that is on its way now */
  constructor(child: ChildProcess, user: MailUser, startedAt: number, leaves: (socket: Socket) => void) {
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

  /** The process is gone: closes what was on its way to it, and returns what was never sent. */
  end(): Handoff[] {
    if (this.#sent !== this.#taken) this.#onItsWay?.close();
    return [...this.queue.splice(0), ...this.#outbox.splice(0)];
  }

  /**
   * One socket at a time: Node itself sends the next only when the last has arrived, and what waits inside of it when the process
   * dies would stay open for ever.
   */
  #pump(): void {
    while (this.#sent === this.#taken && this.child.connected) {
      const handoff = this.#outbox.shift();
      if (handoff === undefined) return;
      const { order, socket } = handoff;
      if (socket.destroyed) continue;
      this.#sent++;
      this.#leaves(socket);
      release(socket);
      this.#onItsWay = handleOf(socket);
      this.child.send(order, socket, {}, (fault) => {
        // The channel broke before the socket went over: it is still here.
        if (fault !== null) refuse(socket, "temporary", "the agent went away");
      });
    }
  }

  tell(order: AgentOrder): void {
    if (this.child.connected) this.child.send(order, () => {});
  }
}
