/** Another site's mail server, which does what a test tells it to. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

export interface Received {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came, dots still doubled, without the final dot. */
  readonly octets: Buffer;
}

/** Answers a command, or "." for the end of a message: a reply line; undefined for the usual one; "hang" to say nothing; "drop" to close. */
export type Script = (command: string) => string | undefined;

export class FarServer {
  readonly received: Received[] = [];
  /** Commands of all connections. */
  readonly commands: string[] = [];
  script: Script = () => undefined;
  #server: Server | undefined;
  #port = 0;
  readonly #sockets = new Set<Socket>();
  readonly #waiters = new Set<() => void>();
  readonly #host: string;

  constructor(host = "127.0.0.1") {
    this.#host = host;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens; on the same port again after stop(). */
  async start(port = this.#port): Promise<void> {
    this.#server = createServer((socket) => this.#serve(socket)).listen(port, this.#host);
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server === undefined) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
    this.#server = undefined;
  }

  /** Resolves when `what` holds; looked at with every command and message. */
  until(what: () => boolean, seconds = 20): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!what()) return;
        clearTimeout(limit);
        this.#waiters.delete(look);
        resolve();
      };
      const limit = setTimeout(() => {
        this.#waiters.delete(look);
        reject(new Error(`far server: waited in vain; commands:\n${this.commands.join("\n")}`));
      }, seconds * 1000);
      this.#waiters.add(look);
      look();
    });
  }

  /** Messages whose octets hold this. */
  holding(text: string): Received[] {
    return this.received.filter((m) => m.octets.includes(text));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    let unread = Buffer.alloc(0);
    let from = "";
    let to: string[] = [];
    let data = false;
    const say = (line: string): void => {
      if (line === "drop") socket.destroy();
      else if (line !== "hang") socket.write(`${line}\r\n`);
    };
    const answer = (command: string, usual: string): string => {
      this.commands.push(command);
      const reply = this.script(command) ?? usual;
      say(reply);
      return reply;
    };
    const command = (line: string): void => {
      const verb = line.split(/[ :]/, 1)[0]?.toUpperCase();
      switch (verb) {
        case "EHLO":
          answer(line, "250-far.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES");
          break;
        case "MAIL":
          if (answer(line, "250 2.1.0 fine").startsWith("250")) [from, to] = [/<(.*?)>/.exec(line)?.[1] ?? "", []];
          break;
        case "RCPT":
          if (answer(line, "250 2.1.5 fine").startsWith("250")) to.push(/<(.*?)>/.exec(line)?.[1] ?? "");
          break;
        case "DATA":
          data = answer(line, to.length === 0 ? "554 5.5.1 no recipients" : "354 go ahead").startsWith("354");
          break;
        case "QUIT":
          answer(line, "221 2.0.0 bye");
          socket.end();
          break;
        default:
          answer(line, "250 2.0.0 fine");
      }
    };
    socket.on("data", (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      for (;;) {
        const end = data ? unread.indexOf("\r\n.\r\n") : unread.indexOf("\r\n");
        if (end < 0) break;
        const octets = unread.subarray(0, data ? end + 2 : end);
        unread = unread.subarray(end + (data ? 5 : 2));
        if (!data) command(octets.toString("latin1"));
        else {
          data = false;
          if (answer(".", "250 2.0.0 taken").startsWith("250")) this.received.push({ from, to, octets });
        }
      }
      for (const w of [...this.#waiters]) w();
    });
    say("220 far.test ESMTP");
  }
}
