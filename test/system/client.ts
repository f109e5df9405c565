/** Small clients that show every line of a dialogue: what the tests of the whole stack talk with. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { LineSocket } from "../load/line-socket.ts";
import { bin, type Stack } from "../harness/stack.ts";
import { run, type Ended } from "../peers/client.ts";

/** A dialogue by lines; `line()` fails when the server is silent for 20 s or has closed. */
export class Dialogue {
  #wire: LineSocket;

  protected constructor(wire: LineSocket) {
    this.#wire = wire;
  }

  static async open(port: number): Promise<Dialogue> {
    return new Dialogue(await LineSocket.connect(port, "127.0.0.1", 20_000));
  }

  line(): Promise<string> {
    return this.#wire.line();
  }

  octets(count: number): Promise<Buffer> {
    return this.#wire.octets(count);
  }

  send(octets: string | Uint8Array): void {
    this.#wire.write(octets);
  }

  /** The TLS handshake, after the server agreed to it. The certificate is the instance's own. */
  async secure(): Promise<void> {
    const { socket } = this.#wire;
    const tls = connectTls({ socket, rejectUnauthorized: false });
    await once(tls, "secureConnect");
    this.#wire = new LineSocket(tls);
  }

  /** Everything up to the end of the connection, as lines. */
  async rest(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      try {
        lines.push(await this.line());
      } catch {
        return lines;
      }
    }
  }

  /** Drops the line without a word. */
  drop(): void {
    this.#wire.destroy();
  }
}

export interface Reply {
  readonly code: number;
  /** Each line without its code. */
  readonly lines: readonly string[];
  /** "250 2.1.0 Ok"; lines joined by LF. */
  readonly text: string;
}

export class Smtp extends Dialogue {
  /** Connects and reads the greeting; says EHLO unless told not to. */
  static async connect(port: number, hello = "EHLO client.example.net"): Promise<Smtp> {
    const smtp = new Smtp(await LineSocket.connect(port, "127.0.0.1", 20_000));
    assert.equal((await smtp.reply()).code, 220);
    if (hello !== "") assert.equal((await smtp.command(hello)).code, 250);
    return smtp;
  }

  async reply(): Promise<Reply> {
    const raw: string[] = [];
    do raw.push(await this.line());
    while (raw.at(-1)?.[3] === "-");
    return { code: Number(raw[0]?.slice(0, 3)), lines: raw.map((l) => l.slice(4)), text: raw.join("\n") };
  }

  command(line: string): Promise<Reply> {
    this.send(`${line}\r\n`);
    return this.reply();
  }

  /** One transaction; a refusal of any step is the answer. `message` has CRLF line ends. */
  async message(from: string, to: readonly string[], message: string | Uint8Array): Promise<Reply> {
    for (const line of [`MAIL FROM:<${from}>`, ...to.map((r) => `RCPT TO:<${r}>`), "DATA"]) {
      const reply = await this.command(line);
      if (reply.code >= 400) return reply;
    }
    this.send(message);
    this.send(".\r\n");
    return this.reply();
  }
}

/** Sends one message by SMTP; fails unless it gets 250. Returns the queue id. */
export async function deliver(stack: Stack, to: string | readonly string[], message: string | Uint8Array, from = "sender@example.net"): Promise<string> {
  const smtp = await Smtp.connect(stack.ports.smtp);
  const reply = await smtp.message(from, typeof to === "string" ? [to] : to, message);
  assert.equal(reply.code, 250, reply.text);
  await smtp.command("QUIT");
  return /queued as (\S+)/.exec(reply.text)?.[1] ?? "";
}

/** A message for tests, CRLF line ends. */
export const mail = (subject: string, body = "body\n", more = ""): string => `From: sender@example.net\nTo: somebody@example.test\nSubject: ${subject}\nMessage-ID: <${subject.replaceAll(/[^a-z0-9]+/gi, ".")}@example.net>\nDate: Fri, 20 Nov 2026 12:00:00 +0100\n${more}\n${body}`.replaceAll("\n", "\r\n");

/** Runs one of our commands against the instance. */
export const command = (stack: Stack, name: string, args: readonly string[] = [], input = ""): Promise<Ended> => run(bin(name), args, { env: stack.env, input });

/** One answer of an IMAP server: its line, each literal replaced by its count, and the literals. */
export interface Answer {
  readonly line: string;
  readonly literals: readonly Buffer[];
}

export interface Completed {
  /** "OK", "NO", "BAD". */
  readonly status: string;
  /** What follows it. */
  readonly text: string;
  readonly untagged: readonly Answer[];
  /** The untagged lines. */
  readonly lines: readonly string[];
}

export class Imap extends Dialogue {
  #tag = 0;

  /** @param patience how long the server may be silent, ms */
  static async connect(port: number, patience = 20_000): Promise<Imap> {
    const imap = new Imap(await LineSocket.connect(port, "127.0.0.1", patience));
    assert.match(await imap.line(), /^\* OK /);
    return imap;
  }

  /** A session of the user, who has her name as password. */
  static async login(port: number, user: string, select = ""): Promise<Imap> {
    const imap = await Imap.connect(port);
    await imap.ok(`LOGIN ${user} ${user}`);
    if (select !== "") await imap.ok(`SELECT ${select}`);
    return imap;
  }

  async answer(): Promise<Answer> {
    let line = await this.line();
    const literals: Buffer[] = [];
    for (let m = /\{(\d+)\}$/.exec(line); m !== null; m = /\{(\d+)\}$/.exec(line)) {
      literals.push(await this.octets(Number(m[1])));
      line += await this.line();
    }
    return { line, literals };
  }

  /** Sends a command, with non-synchronising literals (RFC 7888) for the Buffers in it, and reads to its tagged answer. */
  async command(...parts: readonly (string | Buffer)[]): Promise<Completed> {
    const tag = `t${++this.#tag}`;
    const wire = parts.map((p) => (typeof p === "string" ? Buffer.from(p, "latin1") : Buffer.concat([Buffer.from(`{${p.length}+}\r\n`), p])));
    this.send(Buffer.concat([Buffer.from(`${tag} `), ...wire, Buffer.from("\r\n")]));
    return this.finish(tag);
  }

  /** Reads to the tagged answer. */
  async finish(tag: string): Promise<Completed> {
    const untagged: Answer[] = [];
    for (;;) {
      const answer = await this.answer();
      const m = new RegExp(`^${tag} (\\S+) ?(.*)$`, "s").exec(answer.line);
      if (m !== null) return { status: m[1] ?? "", text: m[2] ?? "", untagged, lines: untagged.map((u) => u.line) };
      untagged.push(answer);
    }
  }

  async ok(...parts: readonly (string | Buffer)[]): Promise<Completed> {
    const done = await this.command(...parts);
    assert.equal(done.status, "OK", `${parts.map((p) => String(p).slice(0, 60)).join("")}: ${done.status} ${done.text}`);
    return done;
  }

  /** IDLE up to its continuation (RFC 2177). */
  async idle(): Promise<void> {
    this.send("idle IDLE\r\n");
    for (;;) if ((await this.line()).startsWith("+")) return;
  }

  /** Ends IDLE; what came before its end. */
  done(): Promise<Completed> {
    this.send("DONE\r\n");
    return this.finish("idle");
  }

  /** Untagged answers up to one that matches, that one included. */
  async until(pattern: RegExp): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const { line } = await this.answer();
      lines.push(line);
      if (pattern.test(line)) return lines;
    }
  }

  async logout(): Promise<void> {
    const done = await this.ok("LOGOUT");
    assert.match(done.lines.join("\n"), /^\* BYE/m);
    this.drop();
  }
}
