/**
 * A TCP connection read by lines and counted octets: what the load generators need of a client, with
 * as little work per line as Node allows, because they share the machine with the server they measure.
 */
import { connect, type Socket } from "node:net";

const LF = 10;
const nothing = Buffer.alloc(0);

type Want = { readonly kind: "line" } | { readonly kind: "octets"; readonly count: number };

interface Waiting {
  readonly want: Want;
  readonly resolve: (found: Buffer) => void;
  readonly reject: (cause: Error) => void;
}

export class ConnectionLost extends Error {}

export class LineSocket {
  readonly socket: Socket;
  #unread: Buffer = nothing;
  #waiting: Waiting | undefined;
  #closed: Error | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
      this.#answer();
    });
    socket.on("error", (cause) => this.#lose(cause));
    socket.on("close", () => this.#lose(new ConnectionLost("closed")));
    socket.on("end", () => this.#lose(new ConnectionLost("end of file")));
  }

  /** Rejects with the socket's error when nobody listens, or after `timeout` ms without progress. */
  static connect(port: number, host = "127.0.0.1", timeout = 60_000): Promise<LineSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true });
      socket.setTimeout(timeout, () => socket.destroy(new ConnectionLost(`silent for ${String(timeout)} ms`)));
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.removeListener("error", reject);
        resolve(new LineSocket(socket));
      });
    });
  }

  write(octets: string | Uint8Array): void {
    if (typeof octets === "string") this.socket.write(octets, "latin1");
    else this.socket.write(octets);
  }

  /** The next line without its CRLF or LF. Rejects with ConnectionLost at the end of the connection. */
  async line(): Promise<string> {
    const found = await this.#take({ kind: "line" });
    const end = found.at(-2) === 13 ? found.length - 2 : found.length - 1;
    return found.toString("latin1", 0, end);
  }

  octets(count: number): Promise<Buffer> {
    return this.#take({ kind: "octets", count });
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(want: Want): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting !== undefined) {
        reject(new Error("two readers of one connection"));
        return;
      }
      this.#waiting = { want, resolve, reject };
      this.#answer();
    });
  }

  #answer(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const length = waiting.want.kind === "line" ? this.#unread.indexOf(LF) + 1 : waiting.want.count;
    const complete = waiting.want.kind === "line" ? length > 0 : this.#unread.length >= length;
    if (complete) {
      const found = this.#unread.subarray(0, length);
      this.#unread = this.#unread.subarray(length);
      this.#waiting = undefined;
      waiting.resolve(found);
    } else if (this.#closed !== undefined) {
      this.#waiting = undefined;
      waiting.reject(this.#closed);
    }
  }

  #lose(cause: Error): void {
    this.#closed ??= cause;
    this.#answer();
  }
}
