/**
 * All agents: one process per key (`MailUser.agent`), started when first needed, at most `agent_limit` at once, retired after
 * `agent_idle_timeout` without work.
 *
 * No order is lost to a retiring agent: it is told to go only when it has taken every order sent to it, and from then on
 * handoffs wait until it has ended and go to the next one. So two agents of one user never run at once.
 */
import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import type { Logger } from "../daemon/log.ts";
import type { AgentNote, MailUser } from "../daemon/protocol.ts";
import { AgentProcess, type Handoff } from "./agent-process.ts";
import { Backoff, wellAfter } from "./backoff.ts";
import { AgentChannel } from "./channel.ts";
import { refuse } from "./hello.ts";
import type { Spare, Started } from "./spare.ts";
import { canBecome, envOf } from "./spawn.ts";

/** How long an agent may take to get ready, ms. */
const startTime = 30_000;
/** How long what one that is kept ready tries may go on when it is wanted, ms; behind that another agent is started for whoever waits. */
const trialTime = 10_000;
/** How long a handoff waits for an agent, ms. */
const handoffTime = 30_000;
/** How long an agent keeps its deliveries while others wait for a place, ms. */
const turnTime = 1_000;
/** Handoffs that wait at once. */
const waitingLimit = 5_000;

export interface AgentsContext {
  readonly settings: () => Settings;
  readonly log: Logger;
  readonly spawn: (user: MailUser) => ChildProcess;
  readonly spare?: Spare;
  /** A PrivilegedRequest of an agent; `user` is from our own record. Throws the kernel's error. */
  readonly privileged: (op: Extract<AgentNote, { readonly kind: "privileged" }>["op"], user: MailUser, pid: number) => boolean;
  /** An agent is dead. */
  readonly ended: (pid: number) => void;
}

export class Agents {
  readonly #context: AgentsContext;
  readonly #agents = new Map<string, AgentProcess>();
  /** Handoffs whose agent can not be started yet because of agent_limit, in order. */
  #waiting: Handoff[] = [];
  readonly #backoff = new Backoff(() => performance.now());
  /** Sockets that wait for an agent, with the timer that ends their waiting. */
  readonly #patience = new Map<Socket, NodeJS.Timeout>();
  #pressing: NodeJS.Timeout | undefined;
  #stopping: (() => void) | undefined;

  constructor(context: AgentsContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#agents.size;
  }

  /** Gives a socket to the user's agent, sooner or later, or refuses it. */
  hand(handoff: Handoff): void {
    if (handoff.socket.destroyed) return;
    if (this.#stopping !== undefined) return refuse(handoff.socket, "temporary", "shutting down");
    if (!this.#place(handoff)) {
      this.#waiting.push(handoff);
      this.#makeRoom();
    }
  }

  /** Retires every agent; resolves when the last has ended. */
  stop(): Promise<void> {
    for (const handoff of this.#waiting) refuse(handoff.socket, "temporary", "shutting down");
    this.#waiting = [];
    clearTimeout(this.#pressing);
    this.#context.spare?.stop();
    return new Promise((resolve) => {
      this.#stopping = resolve;
      if (this.#agents.size === 0) resolve();
      for (const agent of this.#agents.values()) this.#retire(agent);
    });
  }

  /** False when a new agent is needed and agent_limit is reached. */
  #place(handoff: Handoff): boolean {
    const { socket, user } = handoff;
    const agent = this.#agents.get(user.agent);
    if (agent === undefined && this.#backoff.waiting(user.agent)) refuse(socket, "temporary", "the agent does not start");
    else if (!this.#bounded(handoff)) refuse(socket, "temporary", "too many requests wait for agents");
    else if (agent?.state === "running") this.#give(agent, handoff);
    else if (agent !== undefined) agent.queue.push(handoff);
    else if (this.#agents.size < this.#context.settings().agent_limit) this.#start(handoff);
    else return false;
    return true;
  }

  /** Sees to it that a handoff does not wait too long. False when too many wait already. */
  #bounded({ socket }: Handoff): boolean {
    if (this.#patience.has(socket)) return true;
    if (this.#patience.size >= waitingLimit) return false;
    const timer = setTimeout(() => refuse(socket, "temporary", "no agent in time"), handoffTime);
    this.#patience.set(socket, timer);
    socket.once("close", () => this.#unbound(socket));
    return true;
  }

  #unbound(socket: Socket): void {
    clearTimeout(this.#patience.get(socket));
    this.#patience.delete(socket);
  }

  #give(agent: AgentProcess, handoff: Handoff): void {
    agent.lastUse = performance.now();
    agent.hand(handoff);
  }

  #start(first: Handoff): void {
    const { user } = first;
    const { log, spare, settings } = this.#context;
    const ready = canBecome(user) ? spare?.take() : undefined;
    let started: Started;
    try {
      started = ready ?? this.#spawn(user);
    } catch (fault) {
      log.error(`agent of ${user.name} can not be started: ${fault instanceof Error ? fault.message : String(fault)}`);
      this.#backoff.died(user.agent);
      return refuse(first.socket, "temporary", "the agent does not start");
    }
    const { child } = started;
    const agent = new AgentProcess(
      started,
      user,
      performance.now(),
      (socket) => this.#unbound(socket),
      (note) => {
        if (note.kind === "ready") clearTimeout(slow);
        this.#note(agent, note);
      },
      (why) => {
        log.error(`agent of ${agent.name} (pid ${agent.pid}) is cut off: ${why}`);
        child.kill("SIGKILL");
      },
    );
    agent.queue.push(first);
    this.#agents.set(agent.key, agent);
    const slow = setTimeout(() => {
      log.error(`agent of ${agent.name} (pid ${agent.pid}) did not get ready in time`);
      child.kill("SIGKILL");
    }, startTime);
    let over = false;
    const end = (how: string, well: boolean): void => {
      if (over) return;
      over = true;
      clearTimeout(slow);
      if (ready !== undefined && agent.state === "starting") spare?.failed();
      this.#ended(agent, how, well);
    };
    child.on("error", (fault) => {
      log.error(`agent of ${agent.name}: ${fault.message}`);
      if (child.pid === undefined) end("can not be started", false);
    });
    child.on("exit", (status, signal) => end(signal === null ? `exited with status ${status}` : `killed by ${signal}`, status === 0));
    if (ready === undefined) agent.tell({ kind: "settings", settings: settings() });
    else agent.tell({ kind: "become", settings: settings(), user: { name: user.name, uid: user.uid, gid: user.gid }, env: envOf(user), patience: trialTime });
    if (canBecome(user)) spare?.soon();
    log.debug(`agent of ${agent.name} started, pid ${agent.pid}`);
  }

  #spawn(user: MailUser): Started {
    const child = this.#context.spawn(user);
    return { child, channel: new AgentChannel(child) };
  }

  #note(agent: AgentProcess, note: AgentNote): void {
    // What a dead agent still said.
    if (agent.state === "ended") return;
    switch (note.kind) {
      case "ready":
        if (agent.state !== "starting") return;
        agent.state = "running";
        for (const handoff of agent.queue.splice(0)) this.#give(agent, handoff);
        // A peer that left while it waited leaves an agent with nothing to do.
        if (agent.unused) this.#idle(agent);
        return;
      case "tried":
        return;
      case "load":
        agent.load(note);
        if (agent.state === "running" && agent.unused) this.#idle(agent);
        return;
      case "privileged":
        this.#privileged(agent, note);
    }
  }

  #privileged(agent: AgentProcess, { id, op, user: name }: Extract<AgentNote, { readonly kind: "privileged" }>): void {
    const user = agent.users.get(name);
    if (user === undefined) return agent.tell({ kind: "answer", id, ok: false, error: "not a user of this agent" });
    try {
      agent.tell({ kind: "answer", id, ok: this.#context.privileged(op, user, agent.pid) });
    } catch (fault) {
      const error = fault instanceof Error ? fault.message : String(fault);
      this.#context.log.error(`${op} for ${name}: ${error}`);
      agent.tell({ kind: "answer", id, ok: false, error });
    }
  }

  #idle(agent: AgentProcess): void {
    // Somebody waits for its place.
    if (this.#waiting.length > 0) return this.#retire(agent);
    clearTimeout(agent.idle);
    agent.idle = setTimeout(() => {
      if (agent.unused) this.#retire(agent);
    }, this.#context.settings().agent_idle_timeout);
  }

  #retire(agent: AgentProcess): void {
    if (agent.state === "retiring") return;
    agent.state = "retiring";
    clearTimeout(agent.idle);
    agent.tell({ kind: "retire" });
    // The agent gives up by itself after shutdown_timeout.
    agent.idle = setTimeout(() => agent.child.kill("SIGKILL"), this.#context.settings().shutdown_timeout + 2000);
  }

  /**
   * agent_limit is reached and somebody waits: the agent that was unused longest goes now, or else one that only has deliveries and
   * had time for them: it finishes the message under way, and its peer connects again.
   */
  #makeRoom(): void {
    clearTimeout(this.#pressing);
    if (this.#waiting.length === 0 || this.#stopping !== undefined) return;
    const agents = [...this.#agents.values()];
    const leaving = agents.filter((a) => a.state === "retiring").length;
    const lately = performance.now() - turnTime;
    const candidates = agents.filter((a) => a.state === "running" && (a.unused || (a.settled && a.sessions === 0 && a.lastUse < lately)));
    candidates.sort((a, b) => Number(b.unused) - Number(a.unused) || a.lastUse - b.lastUse);
    for (const agent of candidates.slice(0, Math.max(0, this.#waiting.length - leaving))) this.#retire(agent);
    this.#pressing = setTimeout(() => this.#makeRoom(), turnTime);
  }

  #ended(agent: AgentProcess, how: string, well: boolean): void {
    clearTimeout(agent.idle);
    agent.state = "ended";
    this.#agents.delete(agent.key);
    this.#context.ended(agent.pid);
    const unsent = agent.end();
    const lived = performance.now() - agent.startedAt;
    if (well || lived >= wellAfter) this.#backoff.lived(agent.key);
    if (!well) {
      const wait = lived >= wellAfter ? 0 : this.#backoff.died(agent.key);
      this.#context.log.error(`agent of ${agent.name} (pid ${agent.pid}) ${how}${wait === 0 ? "" : `; not started again for ${wait / 1000} s`}`);
    } else this.#context.log.debug(`agent of ${agent.name} (pid ${agent.pid}) retired`);
    if (this.#stopping !== undefined) {
      for (const handoff of unsent) refuse(handoff.socket, "temporary", "shutting down");
      if (this.#agents.size === 0) this.#stopping();
      return;
    }
    this.#waiting.push(...unsent);
    this.#admit();
  }

  /** Starts agents for those that waited, in their order, as far as there is room. */
  #admit(): void {
    this.#waiting = this.#waiting.filter((handoff) => !handoff.socket.destroyed && !this.#place(handoff));
    this.#makeRoom();
  }
}
