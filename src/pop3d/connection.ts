/** One connection of pop3d: greeting, AUTHORIZATION, then it is handed over to the user's agent. */
import type { Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import { LineFramer, LineReader } from "../daemon/line-reader.ts";
import { handOver } from "../daemon/hand-over.ts";
import { disconnectLine, loginDetails, originOf, startTls, type LoginResult, type Origin } from "../daemon/login.ts";
import { attemptLimit, endConnection, type Surroundings } from "../daemon/login-program.ts";
import { err, ok, replyOctets, type Reply } from "../pop3/reply.ts";
import { responseLimit, type Credentials } from "../sasl/exchange.ts";
import { overlong, start, step, type Authorization } from "./authorization.ts";

/** Lines that were no command after which the connection is closed. */
const badCommandLimit = 10;
/** Room for "AUTH PLAIN " before the longest response. */
const lineRoom = responseLimit + 32;

/** Serves one connection to its end, with TLS from the first octet or not. Never rejects. */
export async function serveConnection(socket: Socket, implicitTls: boolean, around: Surroundings): Promise<void> {
  socket.on("error", () => {});
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 120_000);
  const leave = around.gate.admit();
  if (leave === undefined) {
    // In clear even on the TLS port: a handshake is what there is no room for.
    if (!implicitTls) socket.write(replyOctets(err("Too many connections, try again later.", "SYS/TEMP")));
    socket.destroySoon();
    return;
  }
  try {
    await new Connection(socket, around).run(implicitTls);
  } finally {
    leave();
  }
}

class Connection {
  #socket: Socket;
  #reader: LineReader;
  #secured = false;
  readonly #around: Surroundings;
  readonly #origin: Origin;
  readonly #since = Date.now();
  readonly #gone = new AbortController();
  #attempts = 0;
  /** Of the last attempt, for the log. */
  #user = "";
  #method: string | undefined;

  constructor(socket: Socket, around: Surroundings) {
    this.#around = around;
    this.#origin = originOf(socket);
    this.#socket = socket;
    this.#reader = new LineReader(socket, new LineFramer(lineRoom));
    socket.once("close", () => this.#gone.abort());
  }

  async run(implicitTls: boolean): Promise<void> {
    if (implicitTls) {
      const fault = await this.#secure();
      if (fault !== undefined) return this.#disconnected(fault);
    }
    this.#say(ok(this.#around.settings.login_greeting));
    const why = await this.#authorize();
    if (why === undefined) return;
    this.#disconnected(why);
    this.#reader.rest();
    await endConnection(this.#socket);
  }

  /** Commands until the client is logged in and its session is over or not ours any more (undefined), or why there was no session. */
  async #authorize(): Promise<string | undefined> {
    let now: Authorization = start;
    let bad = 0;
    for (;;) {
      const patience = this.#since + this.#around.settings.login_timeout - Date.now();
      const line = patience <= 0 ? "timeout" : await this.#reader.next(patience);
      if (line === "end" || line === "aborted") return "";
      if (line === "timeout") {
        this.#say(err("Disconnected for inactivity.", "SYS/TEMP"));
        return "Inactivity";
      }
      const done = line.kind === "overlong" ? overlong() : step(now, line.octets, this.#conditions());
      now = done.next;
      switch (done.do) {
        case "reply":
          if (done.bad === true && ++bad >= badCommandLimit) {
            this.#say(err("Too many bad commands."));
            return "Too many invalid commands";
          }
          this.#say(done.reply);
          break;
        case "quit":
          this.#say(done.reply);
          return "Aborted";
        case "tls": {
          this.#say(done.reply);
          // RFC 2595 §4: nothing that came in clear behind STLS may be taken for a command later.
          this.#reader.rest();
          const fault = await this.#secure();
          if (fault !== undefined) return fault;
          break;
        }
        case "login":
          if (await this.#login(done.credentials, done.method)) return undefined;
          if (this.#attempts >= attemptLimit) return "Too many failed logins";
      }
    }
  }

  #conditions(): { secured: boolean; tlsOffered: boolean; plaintextAllowed: boolean } {
    const { gate, tls } = this.#around;
    return { secured: this.#secured, tlsOffered: tls.current !== undefined, plaintextAllowed: gate.plaintextAllowed(this.#origin.remote, this.#secured) };
  }

  /** True when there was a session, which is over now or goes on without us. */
  async #login(credentials: Credentials, method: string): Promise<boolean> {
    const { gate, log, settings } = this.#around;
    this.#user = credentials.user;
    this.#method = method;
    const result = await gate.login(credentials, this.#origin, this.#secured, this.#gone.signal);
    if (!result.ok) {
      if (result.why === "credentials" || result.why === "disabled") this.#attempts++;
      this.#say(refusal(result.why));
      return false;
    }
    this.#user = result.user;
    const { session, remote, local } = this.#origin;
    const hello = { op: "session", ticket: result.ticket, service: "pop3", session, remote, local, secured: this.#secured } as const;
    const handed = await handOver(settings, hello, this.#socket, () => this.#reader.rest());
    if (!handed.ok) {
      if (handed.why !== "limit") log.error(`hand-over failed: ${handed.text}: ${this.#details()}`);
      this.#say(handed.why === "limit" ? limited(settings) : err("Your mailbox can not be opened now, try again later.", "SYS/TEMP"));
      return false;
    }
    log.info(`Login: ${this.#details()}`);
    await handed.over;
    return true;
  }

  /** Undefined, or why there is no TLS; the connection is then gone. */
  async #secure(): Promise<string | undefined> {
    const context = this.#around.tls.current;
    if (context === undefined) return "no TLS";
    const result = await startTls(this.#socket, context);
    if (!result.ok) return result.text;
    this.#socket = result.socket;
    this.#socket.on("error", () => {});
    this.#reader = new LineReader(this.#socket, new LineFramer(lineRoom));
    this.#secured = true;
    return undefined;
  }

  #say(reply: Reply): void {
    // Replies here are short and answer one line each; a client that reads none of them is cut off by login_timeout.
    if (this.#socket.writable) this.#socket.write(replyOctets(reply));
  }

  #details(): string {
    return loginDetails(this.#user, this.#method, this.#origin, this.#secured);
  }

  #disconnected(why: string): void {
    this.#around.log.info(disconnectLine(why, this.#attempts, this.#since, Date.now(), this.#details()));
  }
}

function refusal(why: Exclude<LoginResult, { ok: true }>["why"]): Reply {
  switch (why) {
    case "credentials":
      return err("Authentication failed.", "AUTH");
    case "disabled":
      return err("This account may not log in.", "AUTH");
    case "temporary":
      return err("Temporary authentication failure, try again later.", "SYS/TEMP");
  }
}

const limited = (settings: Settings): Reply => err(`Maximum number of connections from user+IP exceeded (mail_max_userip_connections=${settings.mail_max_userip_connections})`, "IN-USE");
