/** The asking side of the wire: one connection, many requests in flight, matched by id. */
import { connect, type OnReadOpts, type Socket } from "node:net";
import { sendFrame, WireFault, WireFramer } from "./wire.ts";

/** The other program is not there, or went away before it answered. Try again later. */
export class PeerGone extends Error {}

const retryEvery = 50;

/**
 * Connects to a Unix socket; while the program behind it is being started again, keeps trying up to `patience` ms. Rejects with PeerGone.
 *
 * @param onread  who reads, instead of "data" events
 */
export async function connectUnix(path: string, patience = 5000, onread?: OnReadOpts): Promise<Socket> {
  const until = Date.now() + patience;
  for (;;) {
    try {
      return await connectOnce(path, onread);
    } catch (fault) {
      const { code } = fault as NodeJS.ErrnoException;
      const transient = code === "ECONNREFUSED" || code === "ENOENT" || code === "EAGAIN" || code === "ECONNRESET";
      if (!transient || Date.now() >= until) throw new PeerGone(`${path}: ${code ?? String(fault)}`, { cause: fault });
    }
    await new Promise((resolve) => setTimeout(resolve, retryEvery));
  }
}

function connectOnce(path: string, onread: OnReadOpts | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, ...(onread === undefined ? {} : { onread }) });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

export class WirePeer {
  readonly #path: string;
  readonly #bodyLimit: number;
  readonly #patience: number;
  #socket: Promise<Socket> | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, { resolve: (answer: { value: object; body: Buffer }) => void; reject: (fault: Error) => void }>();

  /** Connects when first asked. `bodyLimit`: longest body taken in an answer, octets. `patience`: ms to wait for a program being started. */
  constructor(path: string, bodyLimit = 0, patience = 5000) {
    this.#path = path;
    this.#bodyLimit = bodyLimit;
    this.#patience = patience;
  }

  /**
   * Sends a request (its `id` is set here) and resolves with the answer of the same id. Rejects with PeerGone when the
   * program can not be reached or goes away first: whether it acted is then unknown.
   */
  async request(value: object, body?: Buffer | readonly Buffer[]): Promise<{ value: object; body: Buffer }> {
    const socket = await this.#connected();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      sendFrame(socket, { ...value, id }, body);
    });
  }

  close(): void {
    this.#socket?.then((s) => s.destroy(), () => {});
    this.#socket = undefined;
  }

  #connected(): Promise<Socket> {
    if (this.#socket !== undefined) return this.#socket;
    const connecting = connectUnix(this.#path, this.#patience).then((socket) => {
      this.#listen(socket, connecting);
      return socket;
    });
    connecting.catch(() => this.#forget(connecting));
    this.#socket = connecting;
    return connecting;
  }

  #listen(socket: Socket, self: Promise<Socket>): void {
    const framer = new WireFramer(this.#bodyLimit);
    socket.on("data", (chunk) => {
      try {
        for (const { value, body } of framer.push(chunk)) this.#answer(value, body);
      } catch (fault) {
        socket.destroy(fault instanceof Error ? fault : undefined);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#forget(self);
      const gone = new PeerGone(`${this.#path}: connection lost`);
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const w of waiting) w.reject(gone);
    });
  }

  #answer(value: unknown, body: Buffer): void {
    if (typeof value !== "object" || value === null || !("id" in value) || typeof value.id !== "number") throw new WireFault("answer without id");
    const waiting = this.#waiting.get(value.id);
    this.#waiting.delete(value.id);
    waiting?.resolve({ value, body });
  }

  #forget(self: Promise<Socket>): void {
    if (this.#socket === self) this.#socket = undefined;
  }
}
