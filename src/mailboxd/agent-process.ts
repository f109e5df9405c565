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
  #sent = 0;
  #taken = 0;

  constructor(child: ChildProcess, user: MailUser, startedAt: number) {
    this.key = user.agent;
    this.name = user.agent === "virtual" ? "virtual users" : user.name;
    this.child = child;
    this.pid = child.pid ?? -1;
    this.startedAt = startedAt;
  }

  /** Takes what a load note says. */
  load(note: Extract<AgentNote, { readonly kind: "load" }>): void {
    this.sessions = note.sessions;
    this.deliveries = note.deliveries;
    this.#taken = note.taken;
  }

  /** True when it has nothing to do and nothing is on its way to it. */
  get unused(): boolean {
    return this.settled && this.sessions === 0 && this.deliveries === 0;
  }

  /** True when it has taken every order it was sent. */
  get settled(): boolean {
    return this.#sent === this.#taken;
  }

  /** Gives it a socket. A peer that left meanwhile is dropped. */
  hand({ user, order, socket }: Handoff): void {
    if (socket.destroyed) return;
    clearTimeout(this.idle);
    this.users.set(user.name, user);
    this.#sent++;
    release(socket);
    this.child.send(order, socket, {}, (fault) => {
      // The channel broke before the socket went over: it is still here.
      if (fault !== null) refuse(socket, "temporary", "the agent went away");
    });
  }

  tell(order: AgentOrder): void {
    if (this.child.connected) this.child.send(order, () => {});
  }
}
