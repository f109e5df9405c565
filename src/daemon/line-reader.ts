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

/**
 * Lines of a connection, asked for one at a time: as long as nobody asks, no more than the stream's own buffer is read. The
 * stream is used in paused mode and must have no other reader.
 */
export class LineReader {
  readonly #stream: Duplex;
  readonly #framer: LineFramer;

  constructor(stream: Duplex, framer: LineFramer) {
    this.#stream = stream;
    this.#framer = framer;
  }

  /**
   * The next line; "end" when the connection is at its end or broken (what is behind the last line end is not a line); "timeout" after
   * `patience` ms without one; "aborted" when `signal` aborts.
   */
  async next(patience: number, signal?: AbortSignal): Promise<Line | "end" | "timeout" | "aborted"> {
    const until = Date.now() + patience;
    for (;;) {
      const line = this.#framer.next();
      if (line !== undefined) return line;
      const chunk: unknown = this.#stream.read();
      if (Buffer.isBuffer(chunk)) {
        this.#framer.push(chunk);
        continue;
      }
      if (this.#stream.readableEnded || this.#stream.destroyed) return "end";
      if (signal?.aborted === true) return "aborted";
      const left = until - Date.now();
      if (left <= 0) return "timeout";
      await readable(this.#stream, left, signal);
    }
  }

  /** Everything read and not given out, for whoever takes the connection over. */
  rest(): Buffer {
    const chunk: unknown = this.#stream.read();
    if (Buffer.isBuffer(chunk)) this.#framer.push(chunk);
    return this.#framer.rest();
  }
}

/** Settles when there may be something to read, or the connection ended, or the time is up, or `signal` aborted. */
function readable(stream: Duplex, patience: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      for (const event of ["readable", "end", "close", "error"]) stream.off(event, finish);
      resolve();
    };
    const timer = setTimeout(finish, patience);
    signal?.addEventListener("abort", finish);
    for (const event of ["readable", "end", "close", "error"]) stream.on(event, finish);
  });
}
