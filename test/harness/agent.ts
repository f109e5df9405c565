/** An agent as it runs for a user; mailboxd's end of its channel is the test's. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import type { AgentNote, AgentOrder, SocketOrder } from "../../src/daemon/protocol.ts";
import { settingsWith } from "../unit/users/settings.ts";
import { asked, exited } from "./child.ts";

/** Of its log, in a fault. */
const lastOctets = 2000;

export class Agent {
  readonly process: ChildProcess;
  log = "";
  readonly notes: AgentNote[] = [];
  readonly #directory = mkdtempSync(`${tmpdir()}/agent-`);
  readonly #listeners = new Set<() => void>();

  /** One that was told nothing. */
  constructor(env: NodeJS.ProcessEnv) {
    const program = `${import.meta.dirname}/../../src/agent/main.ts`;
    this.process = fork(program, { env, stdio: ["ignore", "inherit", "pipe", "ipc"], serialization: "json" });
    this.process.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.log += chunk;
      this.#heard();
    });
    this.process.on("message", (note: AgentNote) => {
      this.notes.push(note);
      this.#heard();
    });
  }

  /** It has nothing to do when this resolves. @param values settings */
  static async start(values: Readonly<Record<string, string>> = {}, env = process.env): Promise<Agent> {
    const agent = new Agent(env);
    agent.tell({ kind: "settings", settings: settingsWith({ log: "stderr", ...values }) });
    await agent.until("is ready", () => agent.notes.some(({ kind }) => kind === "ready"));
    return agent;
  }

  #heard(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  tell(order: AgentOrder): void {
    this.process.send(order);
  }

  /** What it is asked for; a fault has the end of its log, and where it is when it takes too long. */
  async answers<T>(what: string, answer: Promise<T>): Promise<T> {
    try {
      return await asked(this.process, what, answer);
    } catch (fault) {
      throw new Error(`${what}: ${String(fault)}\n${this.log.slice(-lastOctets)}`, { cause: fault });
    }
  }

  /** Resolves when that is so, asked again when it has said something. */
  async until(what: string, so: () => boolean): Promise<void> {
    let listener = (): void => undefined;
    const answer = new Promise<void>((resolve) => {
      listener = () => {
        if (so()) resolve();
      };
      this.#listeners.add(listener);
      listener();
    });
    try {
      await this.answers(what, answer);
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Resolves when its log behind `from` has such a line. */
  logged(line: RegExp, from = 0): Promise<void> {
    return this.until(`logs ${line}`, () => line.test(this.log.slice(from)));
  }

  /** Both ends of a new connection. */
  async pair(): Promise<readonly [ours: Socket, theirs: Socket]> {
    const path = `${this.#directory}/socket`;
    const server = createServer({ pauseOnConnect: true }).listen(path);
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const ours = connect(path);
    const [theirs] = await accepted;
    server.close();
    return [ours, theirs];
  }

  /** Our end of a connection whose other end it gets with this order. */
  async hand(order: SocketOrder): Promise<Socket> {
    const [ours, theirs] = await this.pair();
    this.process.send(order, theirs);
    return ours;
  }

  /** Resolves when all of its log is read, once it has ended. */
  async read(): Promise<void> {
    const { stderr } = this.process;
    if (stderr !== null && !stderr.closed) await once(stderr, "close");
  }

  /** Its channel is closed; resolves when it has ended. */
  async end(): Promise<void> {
    if (this.process.connected) this.process.disconnect();
    await exited(this.process);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
