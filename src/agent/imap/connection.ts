/**
 * The octets of one session: reading with back-pressure, and writing in pieces. Memory is bounded: reading stops while a command runs, and
 * `settle` waits for a client that is slow to take what it asked for.
 */
import type { Duplex } from "node:stream";
import { giveWay, waitAwake } from "../../sys/awake.ts";
import { receiveStraight, writeStraight } from "../../sys/straight.ts";
import { Output } from "../output.ts";

/** Octets on their way to the client from which it lags behind. */
const congestion = 1 << 20;
/** Octets that may be here while nobody waits for them; what comes behind them waits in the kernel. */
const ahead = 1 << 16;
/** A sleep may be interrupted so much too early, ms, and goes on. */
const early = 1000;

export type Woken = "data" | "end" | "nudge" | "timeout" | "stop";

export class Connection {
  readonly #socket: Duplex;
  readonly #stopping: AbortSignal;
  /** For responses of many parts; what is in it goes out with the next `settle` or `wait` at the latest. */
  readonly output: Output;
  #received: Buffer[] = [];
  #receivedLength = 0;
  #ended = false;
  #gone = false;
  #nudged = false;
  /** The client answers at once: it may be awake. */
  #prompt = false;
  #wake: (() => void) | undefined;
  /** Ends a `wait` that lasts too long; goes on from wait to wait. */
  #timer: NodeJS.Timeout | undefined;
  #timerLength = 0;
  octetsIn = 0;
  octetsOut = 0;

  constructor(socket: Duplex, stopping: AbortSignal) {
    this.#socket = socket;
    this.#gone = socket.destroyed;
    this.#ended = socket.destroyed || socket.readableEnded;
    this.#stopping = stopping;
    this.output = new Output((octets, written) => {
      this.octetsOut += octets.length;
      if (this.#gone) written();
      else writeStraight(socket, octets, written);
    });
    // A client may end its side behind its last command and still wants the answers.
    socket.allowHalfOpen = true;
    socket.on("data", this.#take);
    socket.on("end", () => {
      this.#ended = true;
      this.#wake?.();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#gone = true;
      this.#ended = true;
      this.#wake?.();
    });
    stopping.addEventListener("abort", this.#onStop);
  }

  readonly #take = (chunk: Buffer): void => {
    this.octetsIn += chunk.length;
    this.#received.push(chunk);
    this.#receivedLength += chunk.length;
    if (this.#receivedLength >= ahead) this.#socket.pause();
    this.#wake?.();
  };

  readonly #onStop = (): void => this.#wake?.();

  /** The client can not be written to any more. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Octets that have come; empty when there are none. Returns at once. */
  received(): Buffer {
    const chunks = this.#received;
    this.#received = [];
    this.#receivedLength = 0;
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  /** Sends what is gathered and waits for what the client says to it at once, awake (sys/awake.ts), at most `ms`. */
  async waitAwake(ms: number): Promise<void> {
    this.output.flush();
    this.#flow();
    await waitAwake(ms, () => this.#look() || this.#ended);
    this.#prompt = this.#received.length > 0;
  }

  /** Whether octets have come; those that are here are read. */
  #look(): boolean {
    if (this.#received.length > 0) return true;
    const chunk = receiveStraight(this.#socket);
    if (chunk === undefined) return false;
    this.#take(chunk);
    return true;
  }

  /** Sends what is gathered, when it answers all that has come. */
  answer(): void {
    this.output.flush();
    if (!this.#prompt) return;
    this.#prompt = false;
    // A client that was on this processor a moment ago need not wait until the session sleeps.
    giveWay();
  }

  /** Ends a `wait` under way or the next one. */
  nudge(): void {
    this.#nudged = true;
    this.#wake?.();
  }

  /** Sends what is gathered and waits until there is something to do, at most `ms`. Data are then in `received`. */
  async wait(ms: number): Promise<Woken> {
    // Made ready before anything is sent: a client may answer within microseconds.
    let asleep = this.#reason() === undefined ? this.#sleep(ms) : undefined;
    this.output.flush();
    if (this.#socket.writableNeedDrain) await this.settle(ms);
    const until = Date.now() + ms;
    this.#flow();
    for (;;) {
      await asleep;
      const reason = this.#reason();
      if (reason === "nudge") this.#nudged = false;
      if (reason !== undefined) return reason;
      const left = until - Date.now();
      if (left <= 0) return "timeout";
      asleep = this.#sleep(left);
    }
  }

  #flow(): void {
    if (this.#socket.readableFlowing !== true) this.#socket.resume();
  }

  #reason(): Exclude<Woken, "timeout"> | undefined {
    if (this.#received.length > 0) return "data";
    if (this.#ended) return "end";
    if (this.#stopping.aborted) return "stop";
    return this.#nudged ? "nudge" : undefined;
  }

  /** Forgets nudges so far. */
  calm(): void {
    this.#nudged = false;
  }

  /** Until something wakes it, at most `ms`. */
  #sleep(ms: number): Promise<void> {
    this.#wakeIn(ms);
    return new Promise<void>((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** The timer of the last sleep is used again where it does not wake later: to make one takes as long as to read a command. */
  #wakeIn(ms: number): void {
    if (this.#timer !== undefined && this.#timerLength <= ms && ms < this.#timerLength + early) this.#timer.refresh();
    else {
      clearTimeout(this.#timer);
      this.#timerLength = ms;
      this.#timer = setTimeout(() => this.#wake?.(), ms);
    }
  }

  /** Octets, one per character. */
  write(text: string): void {
    this.output.write(text);
  }

  /** True when the client lags behind: call `settle` before writing more. */
  get congested(): boolean {
    return this.#socket.writableLength >= congestion;
  }

  /** Sends what is gathered; waits while the client lags behind. One that takes nothing for `ms` is cut off. Never rejects. */
  async settle(ms: number): Promise<void> {
    this.output.flush();
    while (!this.#gone && this.#socket.writableNeedDrain) {
      const before = this.#socket.writableLength;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.#socket.off("drain", done).off("close", done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        this.#socket.on("drain", done).on("close", done);
      });
      if (this.#socket.writableNeedDrain && this.#socket.writableLength >= before) this.cut();
    }
  }

  /** Ends the connection after what was written. */
  async close(): Promise<void> {
    this.output.end();
    clearTimeout(this.#timer);
    this.#stopping.removeEventListener("abort", this.#onStop);
    if (this.#gone) return;
    await new Promise<void>((resolve) => {
      const closed = (): void => {
        clearTimeout(limit);
        resolve();
      };
      const limit = setTimeout(() => {
        this.cut();
        closed();
      }, 5000);
      this.#socket.on("close", closed);
      this.#socket.end();
      this.#socket.resume();
    });
  }

  /** Ends the connection now. */
  cut(): void {
    this.#gone = true;
    this.#ended = true;
    this.#socket.destroy();
  }
}
