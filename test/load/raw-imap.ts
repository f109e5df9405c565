/**
 * An IMAP client that does not read what it is told: octets are counted until the tagged response, and looked into
 * only afterwards. What it measures of a large answer is the server and the connection, and next to nothing of its own; for a short one there is `spin`.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { once } from "node:events";
import { spinFor } from "./spin.ts";

export type Security = "plain" | "tls" | "starttls";

export interface Answer {
  /** OK, NO or BAD. */
  readonly status: string;
  /** Of the tagged response, behind the status. */
  readonly text: string;
  /** From the first octet of the command to the last one of the answer. */
  readonly ms: number;
  readonly octets: number;
  /** Everything, untagged responses first. */
  whole(): Buffer;
}

/** Octets at the end of what came in which the tagged response is looked for: longer than any. */
const tailSize = 2048;

export class RawImap {
  readonly #socket: Socket;
  /** No message holds it at the start of a line. */
  readonly #mark = `t${randomBytes(6).toString("hex")}`;
  #tags = 0;
  #chunks: Buffer[] = [];
  #tail: Buffer = Buffer.alloc(0);
  #tag: Buffer = Buffer.from("* ");
  #done: ((end: number) => void) | undefined;
  #fail: ((fault: Error) => void) | undefined;
  #fault: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(600_000, () => socket.destroy(new Error("silent for 10 minutes")));
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (fault) => this.#lose(fault));
    socket.on("close", () => this.#lose(new Error("the server closed the connection")));
  }

  static async connect(port: number, security: Security): Promise<RawImap> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    if (security === "plain") return RawImap.#greeted(new RawImap(socket));
    if (security === "starttls") {
      await once(socket, "data");
      socket.write("s STARTTLS\r\n");
      await once(socket, "data");
    }
    socket.removeAllListeners();
    const secured = connectTls({ socket, rejectUnauthorized: false });
    await once(secured, "secureConnect");
    const client = new RawImap(secured);
    return security === "tls" ? RawImap.#greeted(client) : client;
  }

  static async login(port: number, user: string, password: string, security: Security = "plain"): Promise<RawImap> {
    const client = await RawImap.connect(port, security);
    await client.ok(`LOGIN ${user} ${password}`);
    return client;
  }

  /** Version and cipher, or "plain". */
  get protection(): string {
    const socket: Socket & { getProtocol?: () => string | null; getCipher?: () => { readonly name: string } } = this.#socket;
    return `${socket.getProtocol?.() ?? "plain"} ${socket.getCipher?.().name ?? ""}`.trim();
  }

  /** Sends one command and waits for its tagged response. Rejects when the connection breaks. */
  async command(text: string): Promise<Answer> {
    const tag = `${this.#mark}x${String(++this.#tags)} `;
    const octets = Buffer.from(`${tag}${text}\r\n`, "latin1");
    const start = performance.now();
    const answered = this.#await(tag);
    this.#socket.write(octets);
    return this.#answer(tag, (await answered) - start);
  }

  /** Like command, over a plain connection, waited for without sleeping (spin.ts): what the server takes, and nothing of ours. */
  spin(text: string): Answer {
    const tag = `${this.#mark}x${String(++this.#tags)} `;
    this.#tag = Buffer.from(tag, "latin1");
    const ms = spinFor(this.#socket, Buffer.from(`${tag}${text}\r\n`, "latin1"), (chunk) => this.#gather(chunk));
    return this.#answer(tag, ms);
  }

  #answer(tag: string, ms: number): Answer {
    const chunks = this.#chunks;
    this.#chunks = [];
    const line = lastLine(this.#tail).toString("latin1").slice(tag.length);
    const space = line.indexOf(" ");
    const whole = (): Buffer => Buffer.concat(chunks);
    return { status: line.slice(0, space), text: line.slice(space + 1), ms, octets: chunks.reduce((sum, c) => sum + c.length, 0), whole };
  }

  /** Like command; throws unless the answer is OK. */
  async ok(text: string): Promise<Answer> {
    const answer = await this.command(text);
    if (answer.status !== "OK") throw new Error(`${text.slice(0, 60)}: ${answer.status} ${answer.text}`);
    return answer;
  }

  /** LOGOUT, and until the server has closed. */
  async logout(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    await this.command("LOGOUT").catch(() => undefined);
    this.#socket.end();
    await closed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  static async #greeted(client: RawImap): Promise<RawImap> {
    if (client.#chunks.length === 0) await client.#await("* ");
    client.#chunks = [];
    return client;
  }

  #await(tag: string): Promise<number> {
    this.#tag = Buffer.from(tag, "latin1");
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#fail = reject;
    });
  }

  #take(chunk: Buffer): void {
    if (!this.#gather(chunk) || this.#done === undefined) return;
    this.#done(performance.now());
    this.#done = undefined;
  }

  /** Whether the tagged response is there. */
  #gather(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#tail = chunk.length >= tailSize ? chunk.subarray(-tailSize) : Buffer.concat([this.#tail, chunk]).subarray(-tailSize);
    return chunk.at(-1) === 10 && lastLine(this.#tail).subarray(0, this.#tag.length).equals(this.#tag);
  }

  #lose(fault: Error): void {
    this.#fault ??= fault;
    this.#done = undefined;
    this.#fail?.(this.#fault);
  }
}

/** Without its line end. */
function lastLine(octets: Buffer): Buffer {
  const end = octets.length - (octets.at(-2) === 13 ? 2 : 1);
  return octets.subarray(octets.lastIndexOf(10, end - 1) + 1, end);
}
