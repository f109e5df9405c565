/** A connection to an SMTP or LMTP server: octets, replies in order, time limits, TLS. */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ReplyFault, ReplyReader, type ServerReply } from "./smtp-reply.ts";

/** The connection can not be used any more. `message` is for log and bounce. */
export class ConnectionLost extends Error {
  readonly kind: "connect" | "timeout" | "lost" | "nonsense" | "tls";
  constructor(kind: ConnectionLost["kind"], text: string, cause?: unknown) {
    super(text, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

export type ServerPlace = { readonly host: string; readonly address: string; readonly port: number } | { readonly path: string };

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Connection refused",
  ETIMEDOUT: "Connection timed out",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  ECONNRESET: "Connection reset by peer",
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
};

/** Replies kept that nobody has asked for yet. More than the commands of one pipelined transaction have. */
const repliesLimit = 1000;

export class SmtpConnection {
  readonly relay: string;
  readonly #host: string;
  #socket: Socket;
  #reader = new ReplyReader();
  #replies: ServerReply[] = [];
  #waiting: { resolve: (reply: ServerReply) => void; reject: (fault: Error) => void } | undefined;
  #fault: ConnectionLost | undefined;
  #wakeWriter: (() => void) | undefined;

  private constructor(socket: Socket, host: string, relay: string) {
    this.#socket = socket;
    this.#host = host;
    this.relay = relay;
    this.#attach(socket);
  }

  /** Throws ConnectionLost "connect". `limit`: ms. */
  static open(place: ServerPlace, limit: number): Promise<SmtpConnection> {
    const relay = "path" in place ? `${place.path}[${place.path}]` : `${place.host}[${place.address}]:${place.port}`;
    const host = "path" in place ? "localhost" : place.host;
    return new Promise((resolve, reject) => {
      const socket = "path" in place ? connect(place.path) : connect({ host: place.address, port: place.port });
      const fail = (text: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new ConnectionLost("connect", `connect to ${relay}: ${text}`));
      };
      const timer = setTimeout(() => fail("Connection timed out"), limit);
      socket.once("error", (fault: NodeJS.ErrnoException) => fail(words[fault.code ?? ""] ?? fault.message));
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.removeAllListeners("error");
        socket.setNoDelay(true);
        resolve(new SmtpConnection(socket, host, relay));
      });
    });
  }

  #attach(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const reply of this.#reader.push(chunk)) this.#arrived(reply);
      } catch (fault) {
        if (!(fault instanceof ReplyFault)) throw fault;
        this.#fail(new ConnectionLost("nonsense", `protocol error from ${this.relay}: ${fault.message}`));
      }
    });
    socket.on("error", (fault: NodeJS.ErrnoException) => this.#fail(new ConnectionLost("lost", `lost connection with ${this.relay}: ${words[fault.code ?? ""] ?? fault.message}`)));
    socket.on("close", () => this.#fail(new ConnectionLost("lost", `lost connection with ${this.relay}`)));
    socket.on("end", () => this.#fail(new ConnectionLost("lost", `lost connection with ${this.relay}`)));
    socket.on("drain", () => this.#wakeWriter?.());
  }

  #arrived(reply: ServerReply): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) waiting.resolve(reply);
    else if (this.#replies.length < repliesLimit) this.#replies.push(reply);
    else this.#fail(new ConnectionLost("nonsense", `protocol error from ${this.relay}: more replies than commands`));
  }

  #fail(fault: ConnectionLost): void {
    this.#fault ??= fault;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(this.#fault);
    this.#wakeWriter?.();
    this.#socket.destroy();
  }

  /** The next reply. `limit`: ms. `during` says at what, for the text of the fault. Throws ConnectionLost. */
  async reply(limit: number, during: string): Promise<ServerReply> {
    const there = this.#replies.shift();
    if (there !== undefined) return there;
    const timer = setTimeout(() => this.#fail(new ConnectionLost("timeout", `conversation with ${this.relay} timed out`)), limit);
    try {
      if (this.#fault !== undefined) throw this.#fault;
      return await new Promise<ServerReply>((resolve, reject) => (this.#waiting = { resolve, reject }));
    } catch (fault) {
      if (!(fault instanceof ConnectionLost)) throw fault;
      throw new ConnectionLost(fault.kind, `${fault.message} while ${during}`, fault);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether the server already said something nobody asked for: a refusal amid the message. */
  get early(): boolean {
    return this.#replies.length > 0;
  }

  send(text: string): void {
    if (this.#fault === undefined) this.#socket.write(text);
  }

  /** Waits while the server is slow, up to `limit` ms. Throws ConnectionLost. */
  async write(octets: Buffer, limit: number): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#socket.write(octets)) return;
    const timer = setTimeout(() => this.#fail(new ConnectionLost("timeout", `conversation with ${this.relay} timed out while sending message body`)), limit);
    await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    this.#wakeWriter = undefined;
    clearTimeout(timer);
    if (this.#fault !== undefined) throw this.#fault as ConnectionLost;
  }

  /** After the 220 of STARTTLS. Opportunistic: no certificate is checked (RFC 7435). Throws ConnectionLost "tls". */
  async startTls(limit: number): Promise<void> {
    // RFC 3207 §6: what was said before the handshake does not count; octets that are there already are an attack.
    if (this.#replies.length > 0) throw new ConnectionLost("tls", `${this.relay} sent data behind its STARTTLS reply`);
    const plain = this.#socket;
    plain.removeAllListeners();
    this.#reader = new ReplyReader();
    await new Promise<void>((resolve, reject) => {
      const secure = connectTls({ socket: plain, rejectUnauthorized: false, ...(isIP(this.#host) === 0 ? { servername: this.#host } : {}) });
      const fail = (text: string): void => {
        clearTimeout(timer);
        secure.destroy();
        plain.destroy();
        reject(new ConnectionLost("tls", `TLS handshake with ${this.relay} failed: ${text}`));
      };
      const timer = setTimeout(() => fail("timed out"), limit);
      plain.on("error", (fault) => fail(fault.message));
      secure.once("error", (fault) => fail(fault.message));
      secure.once("close", () => fail("connection lost"));
      secure.once("secureConnect", () => {
        clearTimeout(timer);
        secure.removeAllListeners("error");
        secure.removeAllListeners("close");
        this.#socket = secure;
        this.#attach(secure);
        resolve();
      });
    });
  }

  /** RFC 5321 §4.1.1.10: says QUIT, and does not make the queue wait for the answer. */
  quit(): void {
    if (this.#fault !== undefined) return;
    const socket = this.#socket;
    this.#fault = new ConnectionLost("lost", "closed");
    socket.removeAllListeners();
    socket.on("error", () => {});
    socket.end("QUIT\r\n");
    socket.resume();
    setTimeout(() => socket.destroy(), 5000).unref();
  }

  destroy(): void {
    this.#fault ??= new ConnectionLost("lost", "closed");
    this.#socket.removeAllListeners();
    this.#socket.on("error", () => {});
    this.#socket.destroy();
  }
}
