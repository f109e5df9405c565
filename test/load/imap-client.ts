/**
 * An IMAP client for load and checks: a command, its untagged responses, its tagged end. Literals are
 * cut by their count and never looked into, so a fetch of 10,000 messages costs little here.
 */
import { LineSocket } from "./line-socket.ts";

/** One response: its line with each literal replaced by "{n}", and the literals. */
export interface Untagged {
  readonly line: string;
  readonly literals: readonly Buffer[];
}

export interface Completed {
  readonly status: string;
  readonly text: string;
  readonly untagged: readonly Untagged[];
  /** Octets of all lines and literals. */
  readonly octets: number;
}

export class ImapClient {
  readonly wire: LineSocket;
  #tag = 0;

  private constructor(wire: LineSocket) {
    this.wire = wire;
  }

  static async connect(port: number, timeout?: number): Promise<ImapClient> {
    const client = new ImapClient(await LineSocket.connect(port, "127.0.0.1", timeout));
    const greeting = await client.wire.line().catch((fault: unknown) => {
      client.wire.destroy();
      throw fault;
    });
    if (!greeting.startsWith("* OK")) {
      client.wire.destroy();
      throw new Error(`greeting: ${greeting}`);
    }
    return client;
  }

  static async login(port: number, user: string, password: string, timeout?: number): Promise<ImapClient> {
    const client = await ImapClient.connect(port, timeout);
    try {
      await client.ok(`LOGIN ${user} ${password}`);
    } catch (fault) {
      client.wire.destroy();
      throw fault;
    }
    return client;
  }

  /** Sends a command and reads up to its tagged response. `literal` follows a synchronising "{n}" at the end of the command. */
  async command(text: string, literal?: Buffer): Promise<Completed> {
    const tag = `a${String(++this.#tag)}`;
    if (literal === undefined) {
      this.wire.write(`${tag} ${text}\r\n`);
    } else {
      this.wire.write(`${tag} ${text} {${String(literal.length)}}\r\n`);
      const untagged: Untagged[] = [];
      for (;;) {
        const response = await this.response();
        if (response.line.startsWith("+")) break;
        if (response.line.startsWith(`${tag} `)) return { ...split(response.line), untagged, octets: 0 };
        untagged.push(response);
      }
      this.wire.write(literal);
      this.wire.write("\r\n");
    }
    return this.finish(tag);
  }

  /** Like command; throws unless the answer is OK. */
  async ok(text: string, literal?: Buffer): Promise<Completed> {
    const done = await this.command(text, literal);
    if (done.status !== "OK") throw new Error(`${text.slice(0, 60)}: ${done.status} ${done.text}`);
    return done;
  }

  /** IDLE (RFC 2177) up to the continuation. */
  async idle(): Promise<void> {
    this.wire.write("idle IDLE\r\n");
    for (;;) {
      const { line } = await this.response();
      if (line.startsWith("+")) return;
      if (line.startsWith("idle ")) throw new Error(line);
    }
  }

  async response(): Promise<Untagged> {
    let line = await this.wire.line();
    const literals: Buffer[] = [];
    for (;;) {
      if (!line.endsWith("}")) return { line, literals };
      const count = /\{(\d+)\}$/.exec(line)?.[1];
      if (count === undefined) return { line, literals };
      literals.push(await this.wire.octets(Number(count)));
      line += await this.wire.line();
    }
  }

  async logout(): Promise<void> {
    await this.command("LOGOUT").catch(() => undefined);
    this.wire.destroy();
  }

  async finish(tag: string): Promise<Completed> {
    const untagged: Untagged[] = [];
    let octets = 0;
    for (;;) {
      const response = await this.response();
      octets += response.line.length + 2;
      for (const l of response.literals) octets += l.length;
      if (response.line.startsWith(`${tag} `)) return { ...split(response.line), untagged, octets };
      untagged.push(response);
    }
  }
}

function split(line: string): { readonly status: string; readonly text: string } {
  const [, status = "", text = ""] = /^\S+ (\S+) ?(.*)$/s.exec(line) ?? [];
  return { status, text };
}
