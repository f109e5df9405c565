/** A POP3 client for load and checks. */
import { LineSocket } from "./line-socket.ts";

export class Pop3Client {
  readonly wire: LineSocket;

  private constructor(wire: LineSocket) {
    this.wire = wire;
  }

  static async login(port: number, user: string, password: string, timeout?: number): Promise<Pop3Client> {
    const client = new Pop3Client(await LineSocket.connect(port, "127.0.0.1", timeout));
    try {
      await client.#good();
      await client.ok(`USER ${user}`);
      await client.ok(`PASS ${password}`);
    } catch (fault) {
      client.wire.destroy();
      throw fault;
    }
    return client;
  }

  /** Sends a command; the text behind +OK. Throws on -ERR. */
  ok(command: string): Promise<string> {
    this.wire.write(`${command}\r\n`);
    return this.#good();
  }

  /** Reads a multi-line response up to its dot; octets without dot-stuffing removed. RFC 1939 §3. */
  async lines(command: string): Promise<{ readonly count: number; readonly octets: number }> {
    await this.ok(command);
    let count = 0;
    let octets = 0;
    for (;;) {
      const line = await this.wire.line();
      if (line === ".") return { count, octets };
      count++;
      octets += line.length + 2;
    }
  }

  async quit(): Promise<void> {
    await this.ok("QUIT").catch(() => undefined);
    this.wire.destroy();
  }

  async #good(): Promise<string> {
    const line = await this.wire.line();
    if (!line.startsWith("+OK")) throw new Error(line);
    return line.slice(4);
  }
}
