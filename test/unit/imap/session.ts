/** IMAP sessions of one user over real sockets, and a client that reads responses whole. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { serveImap } from "../../../src/agent/imap/serve.ts";
import { resolve as resolveSettings } from "../../../src/config/parse.ts";
import type { AgentContext } from "../../../src/agent/context.ts";
import type { Settings } from "../../../src/config/table.ts";
import { openLog } from "../../../src/daemon/log.ts";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import type { MailStore } from "../../../src/store/mailbox.ts";

/** Settings with defaults but for these. */
export function settingsWith(values: Readonly<Record<string, string>>): Settings {
  const resolved = resolveSettings(Object.entries(values).map(([name, value]) => ({ name, value, file: "test", line: 0 })), "/nowhere");
  if ("faults" in resolved) throw new Error(JSON.stringify(resolved.faults));
  return resolved.settings;
}

export const alice: MailUser = { name: "alice", uid: 0, gid: 0, home: "/nowhere", mail: "", shell: "", agent: "virtual" };

export interface Sessions {
  readonly port: number;
  readonly stopping: AbortController;
  /** Sessions served so far. */
  readonly served: readonly Promise<void>[];
  connect(): Promise<Client>;
  /** Connects and reads the tagged OK of the login. */
  login(): Promise<Client>;
  close(): Promise<void>;
}

export async function startSessions(store: MailStore, values: Readonly<Record<string, string>> = {}, seams: Pick<AgentContext, "findCandidates" | "folderSeen"> = {}): Promise<Sessions> {
  const settings = settingsWith({ log: "/dev/null", ...values });
  openLog(settings);
  const stopping = new AbortController();
  const served: Promise<void>[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const hello = { op: "session", service: "imap", session: "0123456789abcdef", remote: "127.0.0.1", local: "127.0.0.1", secured: false, tag: "login" } as const;
    served.push(serveImap(socket, alice, hello, { settings, storeOf: async () => store, userNamed: () => undefined, ...seams, stopping: stopping.signal }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const open = async (): Promise<Client> => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new Client(socket);
  };
  return {
    port,
    stopping,
    served,
    connect: open,
    async login() {
      const client = await open();
      await client.response();
      return client;
    },
    async close() {
      for (const s of sockets) s.destroy();
      server.close();
      await Promise.all(served);
    },
  };
}

/** Sends octets and reads responses: a line with the literals in it, one character per octet, without the last CRLF. */
export class Client {
  readonly socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};
  #tag = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("end", end).on("close", end);
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  /** One octet a time, each in a packet of its own as far as the kernel lets us. */
  async drip(text: string): Promise<void> {
    for (const octet of Buffer.from(text, "latin1")) await new Promise<void>((done) => this.socket.write(Buffer.of(octet), () => setImmediate(done)));
  }

  /** The next response, or undefined when the server has closed. */
  async response(): Promise<string | undefined> {
    for (;;) {
      const end = this.#whole();
      if (end !== undefined) {
        const text = this.#buffer.toString("latin1", 0, end);
        this.#buffer = this.#buffer.subarray(end + 2);
        return text;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  #whole(): number | undefined {
    for (let at = 0; ; ) {
      const end = this.#buffer.indexOf("\r\n", at, "latin1");
      if (end < 0) return undefined;
      const m = /\{(\d+)\}$/.exec(this.#buffer.toString("latin1", Math.max(at, end - 20), end));
      if (m === null) return end;
      at = end + 2 + Number(m[1]);
      if (at > this.#buffer.length) return undefined;
    }
  }

  /** Sends a command and reads up to its tagged response, which is last in the list, without its tag. */
  async ask(command: string): Promise<string[]> {
    const tag = `t${++this.#tag}`;
    this.send(`${tag} ${command}\r\n`);
    const found: string[] = [];
    for (;;) {
      const response = await this.response();
      if (response === undefined) throw new Error(`closed in ${command}: ${found.join(" | ")}`);
      if (response.startsWith(`${tag} `)) return [...found, response.slice(tag.length + 1)];
      found.push(response);
    }
  }
}
