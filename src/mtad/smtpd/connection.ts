/**
 * The adapter to the smtp-server package: its connection (socket life, TLS upgrade, half-close deadline) with our
 * command loop, data reader and session in place of its handlers. What is overridden here is not that package's API; its version is pinned.
 *
 * Replies of pipelined commands leave together (RFC 2920 §3.2). Reading stops while a command is at work, while the
 * queue is slow, and while the client does not read: nothing grows without a bound.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { SMTPConnection } from "smtp-server/lib/smtp-connection";
import { SMTPStream } from "smtp-server/lib/smtp-stream";
import { describeFault, printable } from "../../daemon/log.ts";
import { authLineLimit, commandLimit, parseCommand } from "../../smtp/command.ts";
import { DataReader } from "../../smtp/data.ts";
import { LineReader } from "../../smtp/lines.ts";
import { printReply, type Reply } from "../../smtp/reply.ts";
import type { Intake } from "../intake.ts";
import { Incoming } from "./incoming.ts";
import type { SmtpServer } from "./server.ts";
import type { Session, Step } from "./session.ts";

/** What arrives, up to a TLS handshake: the connection makes a new one behind it, so that nothing said before can be taken for something said after. */
class Input extends SMTPStream {
  readonly connection: Connection;
  readonly lines = new LineReader();
  /** Given while octets are being worked on: asks for more. */
  more: (() => void) | undefined;

  constructor(connection: Connection) {
    super({ decodeStrings: false });
    this.connection = connection;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | "buffer", next: () => void): void {
    if (this.isClosed) return next();
    this.lines.push(chunk);
    this.more = next;
    this.connection.work(this);
  }

  /** The client has sent all it wants to send. */
  override _flushData(): void {
    if (!this.isClosed) this.connection.inputEnded();
  }
}

type Mode =
  | { readonly name: "commands" }
  | { readonly name: "auth" }
  | { readonly name: "data"; readonly reader: DataReader; readonly message: Incoming; readonly replies: number }
  /** A command or commit is at work. */
  | { readonly name: "busy"; readonly message: Incoming | undefined };

const commands: Mode = { name: "commands" };
const busy: Mode = { name: "busy", message: undefined };

/** Behind these a client must wait for the reply (RFC 2920 §3.1). A stranger who does not is a broken bot, or is not the one who is being talked to. */
const mustWaitFor: ReadonlySet<string> = new Set(["HELO", "EHLO", "LHLO", "DATA"]);

export class Connection extends SMTPConnection {
  readonly #smtpServer: SmtpServer;
  readonly #intake: Intake;
  readonly #session: Session;
  #mode: Mode = commands;
  #out = "";
  #stopping = false;
  #lost = "";
  #ended = false;

  constructor(server: SmtpServer, socket: Socket, session: Session, intake: Intake, id: string) {
    super(server, socket, { id });
    this.#smtpServer = server;
    this.#session = session;
    this.#intake = intake;
  }

  override init(): void {
    this._setListeners(() => {
      this._ready = true;
      if (this.secure) this.#tlsDone();
      this.#say(this.#session.greeting());
      this.#flush();
    });
  }

  override _createParser(): SMTPStream {
    return new Input(this);
  }

  /** A client that closes its side in the middle of a handshake has nothing to wait for, and TLS ends both ways at once. */
  override upgrade(callback: () => void, secured?: () => void): void {
    this._socket.allowHalfOpen = false;
    super.upgrade(callback, secured);
  }

  /** Finish what is under way, then 421. RFC 5321 §3.8. */
  stop(): void {
    this.#stopping = true;
    if (this._upgrading) this._socket.destroy();
    else if (this.#mode.name === "commands" || this.#mode.name === "auth") this.#goodbye("4.3.2", "Service shutting down");
  }

  /** Works through what lies in the input, as far as it goes without waiting. Never throws: one session's bug must not end the others. */
  work(input: Input, first: () => void = () => {}): void {
    try {
      first();
      this.#work(input);
    } catch (fault) {
      this.#session.traits.log.error(`session with ${this.#session.client.label}: ${describeFault(fault, true)}`);
      this.#goodbye("4.3.0", "Error: internal error");
    }
  }

  #work(input: Input): void {
    for (;;) {
      if (input.isClosed || this.#mode.name === "busy") return;
      const step = this.#mode.name === "data" ? this.#readData(input, this.#mode) : this.#readLine(input, this.#mode.name);
      if (step === "wait") return;
      if (step === "more") break;
      this.#take(step, input);
    }
    this.#flush();
    const { more } = input;
    input.more = undefined;
    if (more === undefined) return;
    if (this._socket.writableNeedDrain) this._socket.once("drain", more);
    else more();
  }

  inputEnded(): void {
    this.#lost = this.#lost === "" ? "lost connection" : this.#lost;
    this.close();
  }

  #readLine(input: Input, mode: "commands" | "auth"): Step | "more" | "wait" {
    // RFC 4954 §4: lines of AUTH may be longer than others.
    const line = input.lines.next(mode === "auth" ? authLineLimit : commandLimit);
    if (line === undefined) return "more";
    if (line === "too long") {
      this.#mode = commands;
      return this.#session.unreadable("line too long");
    }
    if (line.includes(0)) {
      this.#mode = commands;
      return this.#session.unreadable("NUL in command");
    }
    if (mode === "auth") {
      this.#mode = commands;
      return this.#await(this.#session.authLine(line.toString("latin1")), input);
    }
    const command = parseCommand(line);
    const { client, user } = this.#session;
    if (input.lines.pending && mustWaitFor.has(command.verb) && !client.trusted && user === undefined) {
      this.#session.traits.log.info(`improper command pipelining after ${command.verb} from ${client.label}`);
      return this.#session.synchronization();
    }
    return this.#await(this.#session.command(command), input);
  }

  #await(step: Step | Promise<Step>, input: Input): Step | "wait" {
    if (!(step instanceof Promise)) return step;
    this.#mode = busy;
    void step.then((done) =>
      this.work(input, () => {
        this.#mode = commands;
        this.#take(done, input);
      }),
    );
    return "wait";
  }

  /** Says the reply and turns to what comes after it. */
  #take(step: Step, input: Input): void {
    if (input.isClosed) return;
    if (step.before !== undefined) this.#say(step.before);
    this.#say(step.reply);
    if (step.then === "close") {
      this.#lost = "quit";
      this.#flush();
      this.close();
    } else if (this.#stopping && step.then !== "data") this.#goodbye("4.3.2", "Service shutting down");
    else if (step.then === "auth") this.#mode = { name: "auth" };
    else if (step.then === "data") this.#startData();
    else if (step.then === "starttls") this.#startTls();
  }

  #startData(): void {
    const { settings } = this.#session.policy;
    const at = this.#session.envelope();
    if (at === undefined) return;
    const message = new Incoming(this.#session, this.#intake, at.envelope);
    const reader = new DataReader(settings.message_size_limit, settings.smtpd_forbid_bare_newline);
    this.#mode = { name: "data", reader, message, replies: this.#session.lmtp ? at.accepted.length : 1 };
    this.#flush();
  }

  #readData(input: Input, mode: Mode & { name: "data" }): "more" | "wait" {
    const chunk = input.lines.takeAll();
    if (chunk === undefined) return "more";
    const { octets, rest } = mode.reader.push(chunk);
    const wait = mode.message.write(octets);
    if (rest !== undefined) {
      if (rest.length > 0) input.lines.push(rest);
      this.#mode = busy;
      void mode.message.finish(mode.reader.fault).then((reply) => this.work(input, () => this.#dataDone(reply, mode.replies, input)));
      return "wait";
    }
    if (wait === undefined) return "more";
    this.#mode = { name: "busy", message: mode.message };
    void wait.then(() => {
      if (this._closed) return;
      this.#mode = mode;
      this.work(input);
    });
    return "wait";
  }

  #dataDone(reply: Reply, replies: number, input: Input): void {
    this.#mode = commands;
    // RFC 2033 §4.2: one reply for each RCPT that was accepted, all the same as there is one queue file.
    for (let i = 1; i < replies; i++) this.#say(reply);
    this.#take(this.#session.dataDone(reply), input);
  }

  #startTls(): void {
    this.#flush();
    this.#mode = commands;
    this.#smtpServer.takeCertificate();
    this.upgrade(
      () => {},
      () => {
        this.#session.tlsStarted();
        this.#tlsDone();
      },
    );
  }

  #tlsDone(): void {
    const socket = this._socket;
    if (!(socket instanceof TLSSocket)) return;
    const cipher = socket.getCipher();
    this.#session.traits.log.info(`Anonymous TLS connection established from ${this.#session.client.label}: ${socket.getProtocol() ?? "TLS"} with cipher ${cipher.standardName}`);
  }

  #say(reply: Reply): void {
    this.#out += printReply(reply);
  }

  #flush(): void {
    if (this.#out === "") return;
    const text = this.#out;
    this.#out = "";
    if (!this._upgrading && this._socket.writable) this._socket.write(text);
  }

  #goodbye(status: `4.${number}.${number}`, text: string): void {
    const { reply } = this.#session.closing("421", status, text);
    this.#say(reply);
    this.#flush();
    this.#lost = "quit";
    this.close();
  }

  override _onTimeout(): void {
    // While we owe the client a reply it is right to be silent. RFC 5321 §4.5.3.2.
    if (this.#mode.name === "busy" && !this._closing && !this._upgrading) return this._armTimeout();
    if (this._closing || this._upgrading) {
      this._socket.destroy();
      return;
    }
    this.#lost = "timeout";
    const { reply } = this.#session.closing("421", "4.4.2", "Error: timeout exceeded");
    this.#say(reply);
    this.#flush();
    this.close();
    // A client that does not read either would keep the socket for as long as it likes.
    this._socket.once("finish", () => this._socket.destroy());
  }

  override _onError(fault: Error & { code?: string | undefined }): void {
    if (this._upgrading) this.#session.traits.log.info(`SSL_accept error from ${this.#session.client.label}: ${describeFault(fault)}`);
    if (this.#lost === "") this.#lost = "lost connection";
    if (!this._socket.destroyed) this._socket.destroy();
  }

  override _onClose(): void {
    super._onClose();
    if (this.#ended) return;
    this.#ended = true;
    const { log } = this.#session.traits;
    const mode = this.#mode;
    const message = mode.name === "data" || mode.name === "busy" ? mode.message : undefined;
    if (this.#lost !== "quit") {
      const what = this.#lost === "timeout" ? "timeout" : "lost connection";
      log.info(`${what} after ${this.#after(mode)} from ${this.#session.client.label}`);
    }
    if (message !== undefined) void message.abort();
    log.info(`disconnect from ${this.#session.client.label}${this.#session.tally}`);
    this.#smtpServer.gone(this);
  }

  #after(mode: Mode): string {
    if (mode.name === "data") return `DATA (${mode.reader.size} bytes)`;
    if (this._upgrading) return "STARTTLS";
    return printable(this.#session.lastVerb);
  }
}
