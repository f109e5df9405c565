import type { Duplex } from "node:stream";
import { Framer, type Frame, type FramerLimits } from "../imap/framer.ts";

/** Frames of a connection, asked for one at a time. The stream is used in paused mode and has no other reader. */
export class FrameReader {
  readonly #stream: Duplex;
  readonly #framer: Framer;

  constructor(stream: Duplex, limits: FramerLimits) {
    this.#stream = stream;
    this.#framer = new Framer(limits);
  }

  /** The next frame; "end" when the connection is at its end or broken; "timeout" after `patience` ms. */
  async next(patience: number): Promise<Frame | "end" | "timeout"> {
    const until = Date.now() + patience;
    for (;;) {
      const frame = this.#framer.next();
      if (frame !== undefined) return frame;
      const chunk: unknown = this.#stream.read();
      if (Buffer.isBuffer(chunk)) {
        this.#framer.push(chunk);
        continue;
      }
      if (this.#stream.readableEnded || this.#stream.destroyed) return "end";
      const left = until - Date.now();
      if (left <= 0) return "timeout";
      await readable(this.#stream, left);
    }
  }

  /** Everything read and not given out. */
  rest(): Buffer {
    const chunk: unknown = this.#stream.read();
    if (Buffer.isBuffer(chunk)) this.#framer.push(chunk);
    return this.#framer.rest();
  }
}

function readable(stream: Duplex, patience: number): Promise<void> {
  const events = ["readable", "end", "close", "error"];
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      for (const event of events) stream.off(event, finish);
      resolve();
    };
    const timer = setTimeout(finish, patience);
    for (const event of events) stream.on(event, finish);
  });
}
