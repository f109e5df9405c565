import type { Duplex } from "node:stream";

/** A line without its line end; or one that was longer than allowed and has been thrown away. */
export type Line = { readonly kind: "line"; readonly octets: Buffer } | { readonly kind: "overlong" };

const lf = 0x0a;
const cr = 0x0d;

/** Cuts octets into lines ended by LF or CRLF. Pure; holds at most `limit` octets and one chunk. */
export class LineFramer {
  readonly #limit: number;
  #held: Buffer = Buffer.alloc(0);
  /** Octets of #held that are known to hold no LF. */
  #scanned = 0;
  /** Inside a line that is too long. */
  #dropping = false;

  /** `limit`: longest line, octets without its line end. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (this.#dropping) this.#drop();
  }

  /** The next complete line, or undefined when more octets are needed. An overlong line is told when its end is seen. */
  next(): Line | undefined {
    const at = this.#held.indexOf(lf, this.#scanned);
    if (at < 0) {
      this.#scanned = this.#held.length;
      // One more for a CR that may belong to the line end.
      if (this.#held.length > this.#limit + 1) {
        this.#dropping = true;
        this.#drop();
      }
      return undefined;
    }
    const end = at > 0 && this.#held[at - 1] === cr ? at - 1 : at;
    const line = this.#held.subarray(0, end);
    this.#held = this.#held.subarray(at + 1);
    this.#scanned = 0;
    const overlong = this.#dropping || end > this.#limit;
    this.#dropping = false;
    return overlong ? { kind: "overlong" } : { kind: "line", octets: line };
  }

  /** Takes everything behind the last line given out. */
  rest(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    this.#scanned = 0;
    return rest;
  }

  /** Keeps, of an overlong line, only what may be its end. */
  #drop(): void {
    const at = this.#held.indexOf(lf);
    this.#held = at < 0 ? Buffer.alloc(0) : this.#held.subarray(at);
    this.#scanned = 0;
  }
}

const events = ["readable", "end", "close", "error"] as const;

/**
 * Lines of a connection, asked for one at a time: as long as nobody asks, no more than the stream's own buffer is read. The
 * stream is used in paused mode and must have no other reader until `rest`.
 */
export class LineReader {
  readonly #stream: Duplex;
  readonly #framer: LineFramer;
  readonly #stopping: AbortSignal | undefined;
  #listening = false;
  #wake: (() => void) | undefined;
  /** Until when is waited, ms since the epoch. */
  #until = 0;
  /** One for many lines: it is not stopped when a line comes, but looks at `#until` when it goes off. */
  #timer: NodeJS.Timeout | undefined;
  /** When it goes off. */
  #due = 0;

  /** @param stopping  ends every wait */
  constructor(stream: Duplex, framer: LineFramer, stopping?: AbortSignal) {
    this.#stream = stream;
    this.#framer = framer;
    this.#stopping = stopping;
  }

  /** The next line, if it has come already. */
  atHand(): Line | undefined {
    return this.#framer.next();
  }

  /**
   * The next line; "end" when the connection is at its end or broken (what is behind the last line end is not a line); "timeout" after
   * `patience` ms without one; "aborted" when it is time to stop.
   */
  async next(patience: number): Promise<Line | "end" | "timeout" | "aborted"> {
    this.#until = Date.now() + patience;
    for (;;) {
      const line = this.#framer.next();
      if (line !== undefined) return line;
      const chunk: unknown = this.#stream.read();
      if (Buffer.isBuffer(chunk)) {
        this.#framer.push(chunk);
        continue;
      }
      const why = this.#over();
      if (why === undefined) await this.#readable();
      else {
        this.#leave();
        return why;
      }
    }
  }

  #over(): "end" | "timeout" | "aborted" | undefined {
    if (this.#stream.readableEnded || this.#stream.destroyed) return "end";
    if (this.#stopping?.aborted === true) return "aborted";
    return this.#until <= Date.now() ? "timeout" : undefined;
  }

  /** Everything read and not given out, for whoever takes the connection over; this reader is done with it. */
  rest(): Buffer {
    const chunk: unknown = this.#stream.read();
    if (Buffer.isBuffer(chunk)) this.#framer.push(chunk);
    this.#leave();
    return this.#framer.rest();
  }

  /** Settles when there may be something to read, or the connection ended, or the time is up, or it is time to stop. */
  #readable(): Promise<void> {
    if (!this.#listening) this.#listen();
    if (this.#timer === undefined || this.#until < this.#due) this.#setTimer();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  readonly #happened = (): void => {
    this.#wake?.();
    this.#wake = undefined;
  };

  readonly #closed = (): void => {
    this.#leave();
    this.#happened();
  };

  #listen(): void {
    this.#listening = true;
    for (const event of events) this.#stream.on(event, event === "close" ? this.#closed : this.#happened);
    this.#stopping?.addEventListener("abort", this.#happened);
  }

  #leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const event of events) this.#stream.off(event, event === "close" ? this.#closed : this.#happened);
    this.#stopping?.removeEventListener("abort", this.#happened);
    this.#listening = false;
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    this.#due = this.#until;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#wake === undefined) return;
      if (this.#until > Date.now()) this.#setTimer();
      else this.#happened();
    }, Math.max(1, this.#until - Date.now()));
  }
}
