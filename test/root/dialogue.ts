/** A line dialogue with a server of the stack: SMTP and IMAP, enough to see what a user gets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export class Dialogue {
  readonly #socket: Socket;
  #text = "";
  #ended = false;
  #hear: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    const wake = (): void => {
      for (const hear of this.#hear.splice(0)) hear();
    };
    socket.on("data", (chunk) => {
      this.#text += chunk.toString("latin1");
      wake();
    });
    socket.on("close", () => {
      this.#ended = true;
      wake();
    });
    socket.on("error", () => {});
  }

  static async open(port: number): Promise<Dialogue> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new Dialogue(socket);
  }

  /** Everything up to and with the first line that matches; throws when the server closes first. */
  async until(line: RegExp, seconds = 20): Promise<string> {
    const limit = Date.now() + seconds * 1000;
    for (;;) {
      const match = new RegExp(`^${line.source}.*\\r\\n`, "m").exec(this.#text);
      if (match !== null) {
        const end = match.index + match[0].length;
        const taken = this.#text.slice(0, end);
        this.#text = this.#text.slice(end);
        return taken;
      }
      if (this.#ended) throw new Error(`closed before ${line}: ${this.#text}`);
      if (Date.now() > limit) throw new Error(`no ${line} in time: ${this.#text}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#hear.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Sends a line; resolves with the answer up to the line that matches. */
  ask(text: string, line: RegExp): Promise<string> {
    this.#socket.write(`${text}\r\n`);
    return this.until(line);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Sends one message over SMTP; resolves with the answer to the dot. */
export async function sendMail(port: number, sender: string, recipients: readonly string[], body: string): Promise<string> {
  const smtp = await Dialogue.open(port);
  const say = async (text: string, code: string): Promise<string> => {
    const reply = await smtp.ask(text, /\d\d\d /);
    if (!reply.includes(`${code} `)) throw new Error(`${text}: ${reply}`);
    return reply;
  };
  try {
    await smtp.until(/220 /);
    await say("EHLO client.example", "250");
    await say(`MAIL FROM:<${sender}>`, "250");
    for (const recipient of recipients) await say(`RCPT TO:<${recipient}>`, "250");
    await say("DATA", "354");
    return await say(`From: <${sender}>\r\nTo: undisclosed:;\r\nSubject: test\r\n\r\n${body}\r\n.`, "250");
  } finally {
    smtp.close();
  }
}

/** Logs in to IMAP; the caller closes. */
export async function imapLogin(port: number, user: string, password: string): Promise<Dialogue> {
  const imap = await Dialogue.open(port);
  await imap.until(/\* OK/);
  const answer = await imap.ask(`a LOGIN ${user} ${password}`, /a /);
  if (!/^a OK/m.test(answer)) throw new Error(answer);
  return imap;
}
