/**
 * What mailboxd and an agent say to each other: JSON lines over a socket pair, orders down with sockets attached, notes up.
 *
 * The agent's end is Node's own child channel (`process.send`, "message" events; JSON lines, NODE_HANDLE with a descriptor). Our
 * end is written here, because an agent belongs to its user, who may make it say anything: Node's end of it throws on what it does not
 * expect, and takes a line of any length. Here such an agent is one that is cut off.
 */
import type { ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import type { AgentNote, AgentOrder } from "../daemon/protocol.ts";
import { WireFramer } from "../daemon/wire.ts";
import { sendDescriptor } from "../sys/pass-descriptor.ts";

/** For spawn: where the child finds its end. */
export const channelFd = 3;
export const channelEnv: Readonly<Record<string, string>> = { NODE_CHANNEL_FD: String(channelFd), NODE_CHANNEL_SERIALIZATION_MODE: "json" };

/** How long to wait when the channel is full, ms. The agent is busy then, not the channel. */
const retryAfter = 5;

interface Line {
  readonly octets: Buffer;
  readonly passed: Socket | undefined;
}

export class AgentChannel {
  readonly #socket: Socket;
  readonly #lines: Line[] = [];
  #sending = false;
  #hear: (note: AgentNote) => void = () => {};
  #broken: (why: string) => void = () => {};

  /** @param child started with its end of the channel at `channelFd` */
  constructor(child: ChildProcess) {
    const socket = child.stdio[channelFd];
    if (!(socket instanceof Socket)) throw new Error("started without a channel");
    this.#socket = socket;
    const framer = new WireFramer(0);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      try {
        for (const { value } of framer.push(chunk)) {
          const note = agentNote(value);
          if (note !== undefined) this.#hear(note);
        }
      } catch (fault) {
        // Before the agent hears that the channel is closed: it would go by itself, as one that was retired.
        this.#broken(fault instanceof Error ? fault.message : String(fault));
        socket.destroy();
      }
    });
  }

  /**
   * Who hears from now on.
   *
   * @param broken  hears once when the agent says what it must not; not when the channel simply closes
   */
  listen(hear: (note: AgentNote) => void, broken: (why: string) => void): void {
    this.#hear = hear;
    this.#broken = broken;
  }

  get open(): boolean {
    return this.#socket.writable;
  }

  /** Calls when the agent's end is closed. */
  onClose(closed: () => void): void {
    this.#socket.once("close", closed);
  }

  send(order: AgentOrder): void {
    this.#push({ octets: Buffer.from(`${JSON.stringify(order)}\n`), passed: undefined });
  }

  /** Sends a socket along and closes it here. One that was closed meanwhile is passed over, and so is its order. */
  sendSocket(order: AgentOrder, passed: Socket): void {
    this.#push({ octets: Buffer.from(`${JSON.stringify({ cmd: "NODE_HANDLE", type: "net.Socket", msg: order })}\n`), passed });
  }

  close(): void {
    this.#socket.destroy();
    for (const { passed } of this.#lines.splice(0)) passed?.destroy();
  }

  #push(line: Line): void {
    this.#lines.push(line);
    if (!this.#sending) this.#pump();
  }

  #pump(): void {
    this.#sending = false;
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      if (!this.#socket.writable) {
        line.passed?.destroy();
        continue;
      }
      if (line.passed === undefined) {
        this.#socket.write(line.octets);
        continue;
      }
      // The descriptor must not overtake lines that libuv still holds.
      if (this.#socket.writableLength > 0) return this.#wait(line, () => this.#socket.write("", () => this.#pump()));
      const written = this.#pass(line.octets, line.passed);
      if (written === 0) return this.#wait(line, () => setTimeout(() => this.#pump(), retryAfter));
    }
  }

  #wait(line: Line, arrange: () => void): void {
    this.#lines.unshift(line);
    this.#sending = true;
    arrange();
  }

  /** Octets written, 0 to try again. */
  #pass(octets: Buffer, passed: Socket): number {
    let written: number;
    try {
      written = sendDescriptor(this.#socket, octets, passed);
    } catch {
      // One of the two sockets is closed: the peer left, or the agent is gone and its end will say so.
      written = octets.length;
    }
    if (written === 0) return 0;
    if (written < octets.length) this.#socket.write(octets.subarray(written));
    passed.destroy();
    return written;
  }
}

const isCount = (v: unknown): v is number => typeof v === "number" && Number.isSafeInteger(v) && v >= 0;

/** A line of an agent as a note; undefined for one of Node's own ("NODE_HANDLE_ACK"). Throws on anything else. */
export function agentNote(value: unknown): AgentNote | undefined {
  if (typeof value === "object" && value !== null) {
    const { cmd, kind, sessions, deliveries, taken, id, op, user } = value as Readonly<Record<string, unknown>>;
    if (cmd === "NODE_HANDLE_ACK") return undefined;
    if (kind === "ready" || kind === "tried") return { kind };
    if (kind === "load" && isCount(sessions) && isCount(deliveries) && isCount(taken)) return { kind, sessions, deliveries, taken };
    if (kind === "privileged" && isCount(id) && typeof user === "string" && (op === "lock-inbox" || op === "touch-lock-inbox" || op === "unlock-inbox")) return { kind, id, op, user };
  }
  throw new Error("not a note");
}
