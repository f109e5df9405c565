/** One connection of imapd: greeting, the not authenticated state, then it is handed over to the user's agent. */
import type { Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import { handOver } from "../daemon/hand-over.ts";
import { disconnectLine, loginDetails, originOf, startTls, type LoginResult, type Origin } from "../daemon/login.ts";
import { attemptLimit, endConnection, type Surroundings } from "../daemon/login-program.ts";
import type { FramerLimits } from "../imap/framer.ts";
import { condition, no, ok, type Reply } from "../imap/respond.ts";
import { responseLimit, type Credentials } from "../sasl/exchange.ts";
import { capabilitiesNow, start, step, type Authorization, type Conditions } from "./authorization.ts";
import { FrameReader } from "./frame-reader.ts";

/** Commands in a row that can not be understood before the client is sent away. */
const badLimit = 10;
/** Before login nobody has anything large to say: a name, a password, ID. */
const limits: FramerLimits = { line: responseLimit + 4096, literals: 64, literal: () => 8192, skip: 65_536 };

/** Serves one connection to its end, with TLS from the first octet or not. Never rejects. */
export async function serveConnection(socket: Socket, implicitTls: boolean, around: Surroundings): Promise<void> {
  socket.on("error", () => {});
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 120_000);
  const leave = around.gate.admit();
  if (leave === undefined) {
    // In clear even on the TLS port there is nothing to say: a handshake is what there is no room for.
    if (!implicitTls) socket.write("* BYE [UNAVAILABLE] Too many connections, try again later.\r\n");
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
  #reader: FrameReader;
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
    this.#reader = new FrameReader(socket, limits);
    socket.once("close", () => this.#gone.abort());
  }

  async run(implicitTls: boolean): Promise<void> {
    if (implicitTls) {
      const fault = await this.#secure();
      if (fault !== undefined) return this.#disconnected(fault);
    }
    this.#say(condition("*", ok(this.#around.settings.login_greeting, `CAPABILITY ${capabilitiesNow(this.#conditions())}`)));
    const why = await this.#authorize();
    if (why === undefined) return;
    this.#disconnected(why);
    await endConnection(this.#socket);
  }

  /** Commands until the client is logged in and its session is over or not ours any more (undefined), or why there was no session. */
  async #authorize(): Promise<string | undefined> {
    let now: Authorization = start;
    let misunderstood = 0;
    for (;;) {
      const patience = this.#since + this.#around.settings.login_timeout - Date.now();
      const frame = patience <= 0 ? "timeout" : await this.#reader.next(patience);
      if (frame === "end") return "";
      if (frame === "timeout") {
        this.#say("* BYE Disconnected for inactivity.\r\n");
        return "Inactivity";
      }
      const done = step(now, frame, this.#conditions());
      now = done.next;
      switch (done.do) {
        case "say":
          this.#say(done.text);
          misunderstood = done.bad === true ? misunderstood + 1 : 0;
          if (misunderstood < badLimit) break;
          this.#say("* BYE Too many invalid IMAP commands.\r\n");
          return "Too many invalid commands";
        case "end":
          this.#say(done.text);
          return done.why;
        case "tls": {
          this.#say(done.text);
          // RFC 3501 §6.2.1, RFC 2595 §4: nothing that came in clear behind STARTTLS may be taken for a command later.
          this.#reader.rest();
          const fault = await this.#secure();
          if (fault !== undefined) return fault;
          break;
        }
        case "login":
          if (await this.#login(done.tag, done.credentials)) return undefined;
          if (this.#attempts < attemptLimit) break;
          this.#say("* BYE Too many failed logins.\r\n");
          return "Too many failed logins";
      }
    }
  }

  #conditions(): Conditions {
    const { gate, tls, settings } = this.#around;
    return {
      tls: this.#secured ? "on" : tls.current === undefined ? "off" : "offered",
      plaintextAllowed: gate.plaintextAllowed(this.#origin.remote, this.#secured),
      mechanisms: settings.auth_mechanisms,
    };
  }

  /** True when there was a session, which is over now or goes on without us. The agent says the tagged OK (protocol.ts SessionHello). */
  async #login(tag: string, credentials: Credentials): Promise<boolean> {
    const { gate, log, settings } = this.#around;
    this.#user = credentials.user;
    this.#method = credentials.mechanism;
    const result = await gate.login(credentials, this.#origin, this.#secured, this.#gone.signal);
    if (!result.ok) {
      if (result.why === "credentials" || result.why === "disabled") this.#attempts++;
      this.#say(condition(tag, refusal(result.why)));
      return false;
    }
    this.#user = result.user;
    const { session, remote, local } = this.#origin;
    const hello = { op: "session", ticket: result.ticket, service: "imap", session, remote, local, secured: this.#secured, tag } as const;
    const handed = await handOver(settings, hello, this.#socket, () => this.#reader.rest());
    if (!handed.ok) {
      if (handed.why !== "limit") log.error(`hand-over failed: ${handed.text}: ${this.#details()}`);
      this.#say(condition(tag, handed.why === "limit" ? limited(settings) : no("Your mailbox can not be opened now, try again later.", "UNAVAILABLE")));
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
    this.#reader = new FrameReader(this.#socket, limits);
    this.#secured = true;
    return undefined;
  }

  #say(text: string): void {
    // Answers here are short and one to a command; a client that reads none of them is cut off by login_timeout.
    if (text !== "" && this.#socket.writable) this.#socket.write(text, "latin1");
  }

  #details(): string {
    return loginDetails(this.#user, this.#method, this.#origin, this.#secured);
  }

  #disconnected(why: string): void {
    this.#around.log.info(disconnectLine(why, this.#attempts, this.#since, Date.now(), this.#details()));
  }
}

/** RFC 5530 §3 */
function refusal(why: Exclude<LoginResult, { ok: true }>["why"]): Reply {
  switch (why) {
    case "credentials":
      return no("Authentication failed.", "AUTHENTICATIONFAILED");
    case "disabled":
      return no("This account may not log in.", "CONTACTADMIN");
    case "temporary":
      return no("Temporary authentication failure, try again later.", "UNAVAILABLE");
  }
}

const limited = (settings: Settings): Reply => no(`Maximum number of connections from user+IP exceeded (mail_max_userip_connections=${settings.mail_max_userip_connections})`, "LIMIT");
