/**
 * One agent that is ready before anybody needs it (`agent_spare`): its process is root's and does nothing for anybody, until it is told whose it is
 * and gives up all other rights (agent/spare.ts). Whoever needs an agent while there is none ready has one started.
 */
import type { ChildProcess } from "node:child_process";
import type { Settings } from "../config/table.ts";
import type { Logger } from "../daemon/log.ts";
import { AgentChannel } from "./channel.ts";

/** Nothing is started for so long after the last agent was, ms: when many come at once, their agents need the processors. */
export const calm = 500;
/** How long it may take to load all, ms: it only runs where nobody else wants to. */
const readyTime = 600_000;
/** One that did not get ready or did not become what it should is followed by none for so long, ms. */
const failedTime = 60_000;
/** How long its end may take, ms. */
const endTime = 3_000;

/** A process that is to be an agent, with mailboxd's end of its channel. */
export interface Started {
  readonly child: ChildProcess;
  readonly channel: AgentChannel;
}

export interface SpareContext {
  readonly settings: () => Settings;
  readonly log: Logger;
  readonly spawn: () => ChildProcess;
}

type State = { readonly name: "none" } | { readonly name: "preparing" | "ready"; readonly started: Started; readonly settings: Settings };

export class Spare {
  readonly #context: SpareContext;
  #state: State = { name: "none" };
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** performance.now() before which none is started. */
  #notBefore = 0;

  constructor(context: SpareContext) {
    this.#context = context;
  }

  /** The process, to be told whom to become, which may have loaded all and not tried all yet; undefined when there is none, or it was made ready with other settings than those of now. */
  take(): Started | undefined {
    const state = this.#state;
    if (state.name !== "ready") return undefined;
    if (state.settings !== this.#context.settings()) {
      this.#end();
      return undefined;
    }
    this.#state = { name: "none" };
    state.started.child.removeAllListeners();
    return state.started;
  }

  /** An agent is needed, or was: one is made ready when no other is needed for a while. */
  soon(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#context.settings().agent_spare === 0) return;
    this.#timer = setTimeout(() => this.#make(), Math.max(calm, this.#notBefore - performance.now()));
  }

  /** One did not get ready, or did not become what it should. */
  failed(): void {
    this.#end();
    this.#notBefore = performance.now() + failedTime;
    this.#context.log.error(`no agent is kept ready for ${failedTime / 1000} s`);
    this.soon();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#end();
  }

  #end(): void {
    if (this.#state.name === "none") return;
    const { child, channel } = this.#state.started;
    this.#state = { name: "none" };
    // It ends with its channel, and takes its files away before.
    channel.close();
    setTimeout(() => child.kill("SIGKILL"), endTime).unref();
  }

  #make(): void {
    if (this.#state.name !== "none") return;
    const { log } = this.#context;
    const settings = this.#context.settings();
    let child: ChildProcess;
    try {
      child = this.#context.spawn();
    } catch (fault) {
      log.error(`an agent to be kept ready can not be started: ${fault instanceof Error ? fault.message : String(fault)}`);
      return;
    }
    const channel = new AgentChannel(child);
    const started = { child, channel };
    const mine = (): boolean => this.#state.name !== "none" && this.#state.started === started;
    const slow = setTimeout(() => {
      if (mine() && this.#state.name === "preparing") this.failed();
    }, readyTime);
    this.#state = { name: "preparing", started, settings };
    channel.listen(
      ({ kind }) => {
        if (!mine()) return;
        if (kind === "ready") {
          clearTimeout(slow);
          this.#state = { name: "ready", started, settings };
          log.debug(`an agent can be used, pid ${child.pid}`);
        } else if (kind === "tried") log.debug(`an agent is ready, pid ${child.pid}`);
      },
      () => child.kill("SIGKILL"),
    );
    const gone = (how: string): void => {
      clearTimeout(slow);
      if (!mine()) return;
      this.#state = { name: "none" };
      log.error(`the agent kept ready (pid ${child.pid}) ${how}`);
      this.failed();
    };
    child.on("error", (fault) => gone(fault.message));
    child.on("exit", (status, signal) => gone(signal === null ? `exited with status ${status}` : `was killed by ${signal}`));
    channel.send({ kind: "prepare", settings });
  }
}
