/** A listener on a loopback port with a queue that only remembers, and a client that speaks in octets. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type TLSSocket } from "node:tls";
import { parseFile, resolve } from "../../../src/config/parse.ts";
import type { Settings } from "../../../src/config/table.ts";
import type { ClientFacts, Envelope, Intake, QueueWriter, RcptVerdict } from "../../../src/mtad/intake.ts";
import { createSmtpd, type Smtpd } from "../../../src/mtad/smtpd/server.ts";
import type { Authenticate, ServiceName } from "../../../src/mtad/smtpd/service.ts";

export const here = import.meta.dirname;

/** Settings of a file with these lines. */
export function settingsOf(lines: string): Settings {
  const parsed = parseFile(`myhostname = mail.example.org\nmyorigin = example.org\nmydestination = example.org\n${lines}`, "test.conf");
  const resolved = resolve(parsed.assignments, "/tmp/test.conf");
  if ("faults" in resolved) throw new Error(JSON.stringify(resolved.faults));
  return resolved.settings;
}

export interface Queued {
  readonly id: string;
  readonly envelope: Envelope;
  readonly text: string;
}

/** Remembers what was committed. alice, bob and postmaster exist; "relay.example" needs rights. */
export class MemoryIntake implements Intake {
  readonly queued: Queued[] = [];
  aborted = 0;
  open = 0;
  room = true;
  /** Called before a commit resolves; may throw. */
  beforeCommit: () => Promise<void> = () => Promise.resolve();
  beforeWrite: (() => Promise<void>) | undefined;
  #last = 0;

  async decide(recipient: string, facts: ClientFacts): Promise<RcptVerdict> {
    await Promise.resolve();
    const at = recipient.lastIndexOf("@");
    const [local, domain] = [recipient.slice(0, at), recipient.slice(at + 1).toLowerCase()];
    if (domain !== "example.org") {
      if (facts.trusted || facts.user !== undefined) return { kind: "accept" };
      return { kind: "refuse", code: "554", status: "5.7.1", text: `<${recipient}>: Relay access denied` };
    }
    if (local.startsWith("no")) return { kind: "refuse", code: "550", status: "5.1.1", text: `<${recipient}>: Recipient address rejected: User unknown in local recipient table` };
    return { kind: "accept" };
  }

  begin(envelope: Envelope): QueueWriter {
    const id = `Q${++this.#last}`;
    const chunks: Buffer[] = [];
    this.open++;
    return {
      queueId: id,
      write: (chunk) => {
        chunks.push(Buffer.from(chunk));
        return this.beforeWrite?.();
      },
      commit: async () => {
        await this.beforeCommit();
        this.open--;
        this.queued.push({ id, envelope, text: Buffer.concat(chunks).toString("latin1") });
      },
      abort: async () => {
        await Promise.resolve();
        this.open--;
        this.aborted++;
      },
    };
  }

  hasRoom(): boolean {
    return this.room;
  }
}

export interface Stand {
  readonly intake: MemoryIntake;
  readonly smtpd: Smtpd;
  readonly port: number;
  client(): Promise<Client>;
  close(): Promise<void>;
}

const certificate = createSecureContext({ cert: readFileSync(`${here}/cert.pem`), key: readFileSync(`${here}/key.pem`) });

const nobody: Authenticate = async (request) => {
  await Promise.resolve();
  return request.user === "alice" && request.password === "secret" ? { id: 0, ok: true, user: "alice", ticket: "" } : { id: 0, ok: false, why: request.user === "broken" ? "temporary" : "credentials" };
};

export async function stand(lines = "", service: ServiceName = "smtp", options: { readonly tls?: boolean; readonly authenticate?: Authenticate } = {}): Promise<Stand> {
  const intake = new MemoryIntake();
  const smtpd = createSmtpd(settingsOf(lines), { intake, authenticate: options.authenticate ?? nobody, now: Date.now }, () => (options.tls === false ? undefined : certificate));
  const server: Server = createServer((socket) => smtpd.accept(service, socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clients: Client[] = [];
  return {
    intake,
    smtpd,
    port,
    async client() {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      const client = new Client(socket);
      clients.push(client);
      await once(socket, "connect");
      return client;
    },
    async close() {
      for (const c of clients) c.socket.destroy();
      server.close();
      await smtpd.stop();
    },
  };
}

export class Client {
  socket: Socket;
  #text = "";
  #ended = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.#listen();
  }

  #listen(): void {
    this.socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    this.socket.on("end", end);
    this.socket.on("close", end);
    this.socket.on("error", end);
  }

  write(text: string | Buffer): void {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  /** The next reply, all its lines without CRLF, joined by LF; "" at the end of the connection. */
  async reply(): Promise<string> {
    for (;;) {
      const m = /^(?:\d{3}-[^\n]*\r\n)*\d{3} [^\n]*\r\n/.exec(this.#text);
      if (m !== null) {
        this.#text = this.#text.slice(m[0].length);
        return m[0].replaceAll("\r\n", "\n").slice(0, -1);
      }
      if (this.#ended) return "";
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async say(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<string> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    const text = this.#text;
    this.#text = "";
    return text;
  }

  /** Greeting and EHLO; the EHLO reply. */
  async ehlo(): Promise<string> {
    await this.reply();
    return this.say("EHLO client.example");
  }

  /** To the 354, for one recipient. */
  async toData(recipient = "alice@example.org"): Promise<void> {
    await this.say("MAIL FROM:<carol@example.net>");
    await this.say(`RCPT TO:<${recipient}>`);
    const reply = await this.say("DATA");
    if (!reply.startsWith("354")) throw new Error(reply);
  }

  async secure(): Promise<TLSSocket> {
    const plain = this.socket;
    plain.removeAllListeners();
    const tls = connectTls({ socket: plain, rejectUnauthorized: false });
    this.socket = tls;
    await once(tls, "secureConnect");
    this.#listen();
    return tls;
  }
}
