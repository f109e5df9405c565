/** An SMTP client for load: one session, many messages, PIPELINING (RFC 2920) when asked. */
import { LineSocket } from "./line-socket.ts";

export interface SmtpReply {
  readonly code: number;
  /** Text of the last line. */
  readonly text: string;
}

export class SmtpClient {
  readonly wire: LineSocket;
  readonly pipelining: boolean;

  private constructor(wire: LineSocket, pipelining: boolean) {
    this.wire = wire;
    this.pipelining = pipelining;
  }

  /** Connects and says EHLO. Throws ConnectionLost, or an Error with the reply when it is refused. */
  static async connect(port: number, options: { readonly pipelining?: boolean; readonly timeout?: number } = {}): Promise<SmtpClient> {
    const client = new SmtpClient(await LineSocket.connect(port, "127.0.0.1", options.timeout), options.pipelining ?? true);
    try {
      await client.#expect(220);
      client.wire.write("EHLO load.example.test\r\n");
      await client.#expect(250);
    } catch (fault) {
      client.wire.destroy();
      throw fault;
    }
    return client;
  }

  /**
   * One transaction. The reply is the one to the end of data, or the first refusal: then the transaction was
   * reset. A recipient that is refused refuses the whole message. Throws ConnectionLost.
   */
  async send(from: string, recipients: readonly string[], octets: Buffer): Promise<SmtpReply> {
    const commands = [`MAIL FROM:<${from}>\r\n`, ...recipients.map((r) => `RCPT TO:<${r}>\r\n`), "DATA\r\n"];
    let refusal: SmtpReply | undefined;
    let last: SmtpReply = { code: 0, text: "" };
    if (this.pipelining) this.wire.write(commands.join(""));
    for (const command of commands) {
      if (!this.pipelining) this.wire.write(command);
      last = await this.reply();
      if (last.code >= 400) {
        refusal ??= last;
        if (!this.pipelining) break;
      }
    }
    if (last.code === 354) {
      // With a refusal among pipelined recipients the transaction is ended with an empty message, which is then
      // not what the caller asked for; the session can not go on without lying, so it is given up.
      if (refusal !== undefined) {
        this.wire.destroy();
        return refusal;
      }
      this.wire.write(Buffer.concat([octets, endOfData]));
      return this.reply();
    }
    this.wire.write("RSET\r\n");
    await this.reply();
    return refusal ?? last;
  }

  async reply(): Promise<SmtpReply> {
    for (;;) {
      const line = await this.wire.line();
      if (line[3] !== "-") return { code: Number(line.slice(0, 3)), text: line.slice(4) };
    }
  }

  async quit(): Promise<void> {
    this.wire.write("QUIT\r\n");
    await this.reply();
    this.wire.end();
  }

  async #expect(code: number): Promise<void> {
    const reply = await this.reply();
    if (reply.code !== code) throw new Error(`wanted ${String(code)}, got ${String(reply.code)} ${reply.text}`);
  }
}

const endOfData = Buffer.from(".\r\n");
