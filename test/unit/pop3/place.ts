/** pop3d and a POP3 session joined by real sockets, with authd and mailboxd reduced to what the two need. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecureContext } from "node:tls";
import { Load } from "../../../src/agent/load.ts";
import { servePop3 } from "../../../src/agent/pop3/serve.ts";
import { resolve as resolveSettings } from "../../../src/config/parse.ts";
import type { Settings } from "../../../src/config/table.ts";
import { LoginGate } from "../../../src/daemon/login.ts";
import { receiveClient } from "../../../src/daemon/pass-client.ts";
import type { MailUser, SessionHello } from "../../../src/daemon/protocol.ts";
import { sendFrame, WireFramer } from "../../../src/daemon/wire.ts";
import { serveConnection } from "../../../src/pop3d/connection.ts";
import { memoryStore, type MemoryMailbox } from "./memory-mailbox.ts";

export interface Place {
  readonly port: number;
  readonly tlsPort: number;
  /** Lines pop3d logged. */
  readonly log: readonly string[];
  /** Settles when the connection that came n-th (from 1) has been served. */
  served(n: number): Promise<void>;
  /** Settles when the session that began n-th (from 1) has ended. */
  session(n: number): Promise<void>;
  /** Settles when every session that has begun has ended. */
  sessionsOver(): Promise<void>;
  readonly stopping: AbortController;
  /** Settles when authd was asked about the password "held"; call the result for the answer. */
  held(): Promise<() => void>;
  /** Requests authd saw. */
  readonly asked: readonly Record<string, unknown>[];
  close(): Promise<void>;
}

/** Settings with defaults but for these. */
export function settingsWith(values: Readonly<Record<string, string>>): Settings {
  const resolved = resolveSettings(Object.entries(values).map(([name, value]) => ({ name, value, file: "test", line: 0 })), "/nowhere");
  if ("faults" in resolved) throw new Error(JSON.stringify(resolved.faults));
  return resolved.settings;
}

/** Users are alice and bob; the password is the name, "tempfail" has authd out of order. Both read the same mailbox. */
export async function startPlace(mailbox: MemoryMailbox, values: Readonly<Record<string, string>> = {}, secureContext?: SecureContext): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), "pop3-"));
  const settings = settingsWith({ run_directory: directory, ...values });
  const stopping = new AbortController();
  const log: string[] = [];
  const asked: Record<string, unknown>[] = [];
  const note = (line: string): void => void log.push(line);
  const logger = { info: note, warning: note, error: note, debug: () => {} };
  const gate = new LoginGate(settings, "pop3");
  const around = { settings, gate, tls: { current: secureContext, close: () => Promise.resolve() }, log: logger };
  const served: Promise<void>[] = [];
  const sessions: Promise<void>[] = [];
  const load = new Load(() => {});
  const waiting: (() => void)[] = [];
  const store = memoryStore(mailbox);
  let hold: (answer: () => void) => void = () => {};
  const holding = new Promise<() => void>((resolve) => {
    hold = resolve;
  });
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };

  const auth = createServer((socket) => {
    keep(socket);
    const framer = new WireFramer(0);
    socket.on("data", (chunk) => {
      for (const { value } of framer.push(chunk)) {
        const request = value as Record<string, unknown>;
        asked.push(request);
        const { id, user, password } = request;
        if (password === "held") hold(() => sendFrame(socket, { id, ok: false, why: "credentials" }));
        else if (password === "tempfail") sendFrame(socket, { id, ok: false, why: "temporary" });
        else if (password === user && (user === "alice" || user === "bob")) sendFrame(socket, { id, ok: true, user, ticket: `ticket-${user}` });
        else sendFrame(socket, { id, ok: false, why: "credentials" });
      }
    });
  });
  const session = createServer((socket) => {
    keep(socket);
    const framer = new WireFramer(0);
    const onData = (chunk: Buffer): void => {
      const [frame] = framer.push(chunk);
      if (frame === undefined) return;
      socket.off("data", onData).pause();
      const { ticket, ...hello } = frame.value as SessionHello;
      const name = ticket.replace("ticket-", "");
      const user: MailUser = { name, uid: 0, gid: 0, home: directory, mail: "", shell: "", agent: "virtual" };
      if (!load.enter(name, settings.mail_max_userip_connections)) {
        sendFrame(socket, { ok: false, why: "limit", text: "too many" });
        return void socket.end();
      }
      sendFrame(socket, { ok: true });
      const converse = async (): Promise<void> => {
        const client = hello.pass === true ? await receiveClient(socket) : socket;
        if (client === undefined) return;
        keep(client);
        await servePop3(client, user, hello, { settings, storeOf: async () => store, userNamed: () => undefined, stopping: stopping.signal });
        load.leave(name);
      };
      sessions.push(converse());
    };
    socket.on("data", onData);
  });
  const serve = (implicitTls: boolean) => (socket: Socket): void => {
    keep(socket);
    served.push(serveConnection(socket, implicitTls, around));
    for (const w of waiting.splice(0)) w();
  };
  const clear = createServer({ allowHalfOpen: true }, serve(false));
  const tls = createServer({ allowHalfOpen: true }, serve(true));
  auth.listen(join(directory, "auth"));
  session.listen(join(directory, "session"));
  clear.listen(0, "127.0.0.1");
  tls.listen(0, "127.0.0.1");
  const servers = [auth, session, clear, tls];
  await Promise.all(servers.map((s) => once(s, "listening")));
  const portOf = (s: Server): number => (s.address() as AddressInfo).port;
  return {
    port: portOf(clear),
    tlsPort: portOf(tls),
    log,
    asked,
    stopping,
    held: () => holding,
    async served(n) {
      while (served.length < n) await new Promise<void>((r) => waiting.push(r));
      await served[n - 1];
    },
    async session(n) {
      await served[n - 1];
      await sessions[n - 1];
    },
    async sessionsOver() {
      await Promise.all(sessions);
    },
    async close() {
      gate.close();
      for (const s of sockets) s.destroy();
      await Promise.all(servers.map((s) => new Promise((done) => s.close(done))));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A client that sends octets and reads lines. */
export class Client {
  readonly socket: Socket;
  #text = "";
  #ended = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("end", end).on("close", end);
  }

  static async to(port: number): Promise<Client> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new Client(socket);
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"));
  }

  /** One octet a time, each in a packet of its own as far as the kernel lets us. */
  async drip(text: string): Promise<void> {
    for (const octet of Buffer.from(text, "latin1")) {
      await new Promise<void>((done) => this.socket.write(Buffer.of(octet), () => setImmediate(done)));
    }
  }

  /** The next line without CRLF, or undefined at the end. A line that ends in a bare LF shows it. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const at = this.#text.indexOf("\r\n");
      if (at >= 0) {
        const line = this.#text.slice(0, at);
        this.#text = this.#text.slice(at + 2);
        return line;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  /** Lines up to ".", which is not among them. */
  async multiline(): Promise<string[]> {
    const lines: string[] = [];
    for (let line = await this.line(); line !== undefined && line !== "."; line = await this.line()) lines.push(line);
    return lines;
  }

  async ask(command: string): Promise<string | undefined> {
    this.send(`${command}\r\n`);
    return this.line();
  }
}
