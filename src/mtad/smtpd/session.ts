/**
 * One SMTP, submission or LMTP session: commands in, replies out as values. RFC 5321 §3, §4; RFC 2033; RFC 4954;
 * RFC 3207. It owns the transaction and the protocol's order of things; it never sees a socket. The wording is Postfix's,
 * which log watchers and people know.
 */
import { transmissionType } from "../../cleanup/received.ts";
import { describeFault, printable } from "../../daemon/log.ts";
import { mechanismNamed, startExchange, stepExchange, type Credentials, type Exchange } from "../../sasl/exchange.ts";
import { complete, type Command, type MailCommand } from "../../smtp/command.ts";
import { mailboxKey, type Mailbox } from "../../smtp/mailbox.ts";
import { isRefusal, ok, plainReply, refusal, replyText, type Reply } from "../../smtp/reply.ts";
import type { ClientFacts, Envelope, RcptVerdict } from "../intake.ts";
import type { Client, Policy, Surroundings, Traits } from "./service.ts";
import { Tally } from "./tally.ts";

/** A reply, and what the connection does after it. "auth": the next line is part of the exchange; "data": the text follows. */
export interface Step {
  readonly reply: Reply;
  readonly then: "go on" | "close" | "data" | "starttls" | "auth";
  /** Still owed before `reply`. */
  readonly before?: Reply;
}

type Hello = { readonly verb: "HELO" | "EHLO" | "LHLO"; readonly name: string };

interface Transaction {
  readonly sender: string;
  readonly body: MailCommand["body"];
  readonly arrived: number;
  /** Accepted, each once. */
  readonly recipients: Map<string, string>;
  /** One for each RCPT that was accepted, in order: LMTP answers each of them (RFC 2033 §4.2). */
  readonly accepted: string[];
  /** An RCPT was tried. */
  tried: boolean;
}

const go = (reply: Reply): Step => ({ reply, then: "go on" });
const refuse5 = (code: `5${number}`, status: `5.${number}.${number}`, text: string): Step => go(refusal({ code, status, text }));
const refuse4 = (code: `4${number}`, status: `4.${number}.${number}`, text: string): Step => go(refusal({ code, status, text }));

/** Replies of every second command, made once. */
const mailOk = go(ok("2.1.0", "Ok"));
const rcptOk = go(ok("2.1.5", "Ok"));
const plainOk = go(ok("2.0.0", "Ok"));
const startData: Step = { reply: plainReply("354", "End data with <CR><LF>.<CR><LF>"), then: "data" };

export class Session {
  readonly client: Client;
  readonly traits: Traits;
  readonly policy: Policy;
  readonly #around: Surroundings;
  readonly #tally = new Tally();
  #hello: Hello | undefined;
  #user: { readonly name: string; readonly mechanism: string } | undefined;
  #secured: boolean;
  #exchange: Exchange | undefined;
  #transaction: Transaction | undefined;
  #errors = 0;
  /** For "lost connection after ...". */
  lastVerb = "CONNECT";
  /** TLS can be started: there is a certificate. */
  readonly #tlsAvailable: boolean;

  constructor(client: Client, traits: Traits, policy: Policy, around: Surroundings, tls: { readonly available: boolean; readonly active: boolean }) {
    this.client = client;
    this.traits = traits;
    this.policy = policy;
    this.#around = around;
    this.#tlsAvailable = tls.available;
    this.#secured = tls.active;
  }

  get lmtp(): boolean {
    return this.traits.kind === "lmtp";
  }

  /** " ehlo=1 ... commands=5", for the log. */
  get tally(): string {
    return this.#tally.toString();
  }

  get user(): { readonly name: string; readonly mechanism: string } | undefined {
    return this.#user;
  }

  get hello(): Hello | undefined {
    return this.#hello;
  }

  /** RFC 3848, for Received:. */
  get protocol(): string {
    return transmissionType({ hello: this.#hello?.verb ?? "HELO", secured: this.#secured, authenticated: this.#user !== undefined });
  }

  greeting(): Reply {
    return plainReply("220", `${this.policy.settings.myhostname} ${this.lmtp ? "LMTP" : "ESMTP"} Posthorn`);
  }

  /** After the handshake nothing is known that was said before it. RFC 3207 §4.2. */
  tlsStarted(): void {
    this.#secured = true;
    this.#hello = undefined;
    this.#user = undefined;
    this.#transaction = undefined;
  }

  /** Answers one command. The next must not come before the promise resolves. Never rejects. */
  command(command: Command): Step | Promise<Step> {
    const step = this.#dispatch(command);
    const verb = command.verb === "BAD" ? command.of : command.verb;
    return step instanceof Promise ? step.then((s) => this.#done(verb, s), (fault: unknown) => this.#done(verb, this.#bug(fault))) : this.#done(verb, step);
  }

  /** A line that can not be a command. */
  unreadable(text: string): Step {
    return this.#done("UNKNOWN", refuse5("500", "5.5.2", `Error: ${text}`));
  }

  /** The client talked on where it must wait for a reply: it may not be the one who is being talked to. RFC 2920 §3.1. */
  synchronization(): Step {
    return this.#done("UNKNOWN", { ...refuse5("554", "5.5.0", "Error: SMTP protocol synchronization"), then: "close" });
  }

  /** One line of an AUTH exchange. Never rejects. */
  authLine(line: string): Step | Promise<Step> {
    const step = this.#advance(this.#exchange === undefined ? { state: "failed", why: "syntax" } : stepExchange(this.#exchange, line));
    return step instanceof Promise ? step.then((s) => this.#done("AUTH", s), (fault: unknown) => this.#done("AUTH", this.#bug(fault))) : this.#done("AUTH", step);
  }

  /** The envelope of the message that is about to come; after a step "data". */
  envelope(): { readonly envelope: Envelope; readonly accepted: readonly string[] } | undefined {
    const t = this.#transaction;
    if (t === undefined) return undefined;
    const { sender, body, arrived, recipients, accepted } = t;
    return { envelope: { sender, recipients: [...recipients.values()], bodyType: body, arrived, facts: this.#facts(sender) }, accepted };
  }

  /** The text was read and answered with `reply`; one for each accepted RCPT in LMTP, equal in class. The transaction is over. */
  dataDone(reply: Reply): Step {
    this.#transaction = undefined;
    if (!isRefusal(reply)) this.#errors = 0;
    return this.#done("DATA", go(reply));
  }

  /** Text for the log behind a refusal: " from=<...> to=<...> proto=ESMTP helo=<...>". */
  context(recipient?: string): string {
    const from = this.#transaction === undefined ? "" : ` from=<${printable(this.#transaction.sender)}>`;
    const to = recipient === undefined ? "" : ` to=<${printable(recipient)}>`;
    const helo = this.#hello === undefined ? "" : ` helo=<${printable(this.#hello.name)}>`;
    return `${from}${to} proto=${this.#hello?.verb === "LHLO" ? "LMTP" : this.#hello?.verb === "EHLO" ? "ESMTP" : "SMTP"}${helo}`;
  }

  #done(verb: string, step: Step): Step {
    const refused = isRefusal(step.reply);
    this.lastVerb = verb;
    // RFC 4954: a challenge is not yet an AUTH; and 354 is not yet a DATA.
    if (step.then !== "auth" && step.then !== "data") this.#tally.count(verb, !refused);
    if (!refused) return step;
    this.#errors++;
    if (this.#errors < this.policy.settings.smtpd_hard_error_limit || step.then === "close") return step;
    this.traits.log.info(`too many errors after ${verb} from ${this.client.label}`);
    return this.closing("421", "4.7.0", "Error: too many errors", step.reply);
  }

  /** A last reply, behind `before` when that is still owed. */
  closing(code: `4${number}`, status: `4.${number}.${number}`, text: string, before?: Reply): Step {
    const reply = refusal({ code, status, text: `${this.policy.settings.myhostname} ${text}` });
    return before === undefined ? { reply, then: "close" } : { reply, then: "close", before };
  }

  #bug(fault: unknown): Step {
    this.traits.log.error(`session with ${this.client.label}: ${describeFault(fault, true)}`);
    return refuse4("451", "4.3.0", "Error: internal error");
  }

  #dispatch(command: Command): Step | Promise<Step> {
    switch (command.verb) {
      case "EHLO":
      case "HELO":
      case "LHLO":
        return this.#greet(command);
      case "MAIL":
        return this.#mail(command);
      case "RCPT":
        return this.#rcpt(command.recipient);
      case "DATA":
        return this.#data();
      case "RSET":
        this.#transaction = undefined;
        return plainOk;
      case "NOOP":
        return plainOk;
      case "QUIT":
        return { reply: ok("2.0.0", "Bye", "221"), then: "close" };
      case "HELP":
        return go({ code: "214", status: "2.0.0", lines: ["Commands: HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP STARTTLS AUTH", "See RFC 5321"] });
      case "VRFY":
        return this.#vrfy(command.recipient);
      case "STARTTLS":
        return this.#starttls();
      case "AUTH":
        return this.#auth(command.mechanism, command.initial);
      case "FOREIGN":
        // What follows is a stranger's header and body; none of it may be taken for commands.
        this.traits.log.warning(`non-SMTP command from ${this.client.label}`);
        return { reply: ok("2.7.0", "Error: I can break rules, too. Goodbye.", "221"), then: "close" };
      case "BAD":
        return go(refusal(command.refusal));
    }
  }

  /** EHLO and HELO end a transaction. RFC 5321 §4.1.4; LHLO: RFC 2033 §4.1. */
  #greet(hello: Hello): Step {
    if ((hello.verb === "LHLO") !== this.lmtp) return refuse5("502", "5.5.1", `Error: ${this.lmtp ? "this is LMTP, send LHLO" : "command not implemented"}`);
    this.#hello = hello;
    this.#transaction = undefined;
    const { settings } = this.policy;
    if (hello.verb === "HELO") return go(plainReply("250", settings.myhostname));
    const keywords = ["PIPELINING", `SIZE ${settings.message_size_limit}`];
    if (!settings.disable_vrfy_command) keywords.push("VRFY");
    if (this.#tlsAvailable && !this.#secured) keywords.push("STARTTLS");
    if (this.#mayAuthenticate) keywords.push(`AUTH ${this.policy.mechanisms.join(" ")}`);
    keywords.push("ENHANCEDSTATUSCODES", "8BITMIME");
    return go(plainReply("250", settings.myhostname, ...keywords));
  }

  /** Announced only where it works: RFC 4954 §4, RFC 8314 §3.3. */
  get #mayAuthenticate(): boolean {
    return this.traits.auth && this.policy.mechanisms.length > 0 && this.#user === undefined && (this.#secured || this.policy.mayUsePlaintext(this.client.address));
  }

  /** RFC 5321 §3.3, §4.1.1.2; RFC 1870 §6.1; RFC 6409 §4.3. */
  #mail(command: MailCommand): Step {
    const { settings } = this.policy;
    if (this.#hello === undefined) return refuse5("503", "5.5.1", `Error: send ${this.lmtp ? "LHLO" : "HELO/EHLO"} first`);
    if (this.#transaction !== undefined) return refuse5("503", "5.5.1", "Error: nested MAIL command");
    if (this.traits.closed && !this.client.trusted && this.#user === undefined) {
      return refuse5("530", "5.7.0", this.#mayAuthenticate || !this.#tlsAvailable || this.#secured ? "Authentication required" : "Must issue a STARTTLS command first");
    }
    const sender = command.sender === undefined ? "" : complete(command.sender, settings.myorigin);
    if (command.size !== undefined && command.size > settings.message_size_limit) return this.#rejected("MAIL", undefined, refuse5("552", "5.3.4", "Message size exceeds fixed limit"));
    if (!this.#around.intake.hasRoom(command.size ?? 0)) return this.#rejected("MAIL", undefined, refuse4("452", "4.3.1", "Insufficient system storage"));
    this.#transaction = { sender, body: command.body, arrived: this.#around.now(), recipients: new Map(), accepted: [], tried: false };
    return mailOk;
  }

  /** RFC 5321 §3.3, §4.1.1.3. */
  #rcpt(to: Mailbox): Step | Promise<Step> {
    const transaction = this.#transaction;
    if (transaction === undefined) return refuse5("503", "5.5.1", "Error: need MAIL command");
    transaction.tried = true;
    const { settings } = this.policy;
    const recipient = complete(to, settings.myorigin);
    const key = to.domain === "" ? `${to.local}@${settings.myorigin.toLowerCase()}` : mailboxKey(to);
    if (transaction.recipients.has(key)) {
      // Said twice, sent once; a list of nothing else must not grow without end either.
      if (transaction.accepted.length >= 2 * settings.smtpd_recipient_limit) return refuse4("452", "4.5.3", "Error: too many recipients");
      transaction.accepted.push(recipient);
      return rcptOk;
    }
    if (transaction.recipients.size >= settings.smtpd_recipient_limit) return this.#rejected("RCPT", recipient, refuse4("452", "4.5.3", "Error: too many recipients"));
    return this.#around.intake.decide(recipient, this.#facts(transaction.sender)).then((verdict) => {
      if (verdict.kind === "refuse") return this.#rejected("RCPT", recipient, refused(verdict));
      transaction.recipients.set(key, recipient);
      transaction.accepted.push(recipient);
      return rcptOk;
    });
  }

  /** RFC 5321 §4.1.1.4. */
  #data(): Step {
    if (this.#transaction === undefined) return refuse5("503", "5.5.1", "Error: need RCPT command");
    // RFC 2033 §4.2: LMTP has 503 also when every RCPT was refused.
    if (this.#transaction.recipients.size === 0) return this.#transaction.tried && !this.lmtp ? refuse5("554", "5.5.1", "Error: no valid recipients") : refuse5("503", "5.5.1", "Error: need RCPT command");
    return startData;
  }

  /** RFC 5321 §3.5: 252 as the mail might be delivered; what RCPT would refuse is refused in the same words. */
  async #vrfy(whom: Mailbox): Promise<Step> {
    const { settings } = this.policy;
    if (settings.disable_vrfy_command) return refuse5("502", "5.5.1", "VRFY command is disabled");
    const recipient = complete(whom, settings.myorigin);
    const verdict = await this.#around.intake.decide(recipient, this.#facts(""));
    if (verdict.kind === "refuse") return this.#rejected("VRFY", recipient, refused(verdict));
    return go(ok("2.0.0", recipient, "252"));
  }

  /** RFC 3207 §4. */
  #starttls(): Step {
    if (this.#secured) return refuse5("554", "5.5.1", "Error: TLS already active");
    if (!this.#tlsAvailable) return refuse5("502", "5.5.1", "Error: command not implemented");
    if (this.#transaction !== undefined) return refuse5("503", "5.5.1", "Error: MAIL transaction in progress");
    return { reply: ok("2.0.0", "Ready to start TLS", "220"), then: "starttls" };
  }

  /** RFC 4954 §4. */
  #auth(name: string, initial: string | undefined): Step | Promise<Step> {
    if (this.#hello === undefined || this.#hello.verb === "HELO") return refuse5("503", "5.5.1", "Error: send EHLO first");
    if (!this.traits.auth || this.policy.mechanisms.length === 0) return refuse5("503", "5.5.1", "Error: authentication not enabled");
    if (this.#user !== undefined) return refuse5("503", "5.5.1", "Error: already authenticated");
    if (this.#transaction !== undefined) return refuse5("503", "5.5.1", "Error: MAIL transaction in progress");
    if (!this.#mayAuthenticate) return refuse5("538", "5.7.11", "Encryption required for requested authentication mechanism");
    const mechanism = mechanismNamed(name);
    if (mechanism === undefined || !this.policy.mechanisms.includes(mechanism)) return refuse5("504", "5.5.4", "Error: unrecognized authentication mechanism");
    return this.#advance(startExchange(mechanism, initial));
  }

  #advance(exchange: Exchange): Step | Promise<Step> {
    this.#exchange = undefined;
    switch (exchange.state) {
      case "ask":
        this.#exchange = exchange;
        return { reply: plainReply("334", exchange.challenge), then: "auth" };
      case "failed":
        if (exchange.why === "cancelled") return refuse5("501", "5.7.0", "Authentication aborted");
        return refuse5("501", "5.5.2", "Error: can not decode the authentication response");
      case "done":
        return this.#verify(exchange.credentials);
    }
  }

  async #verify(credentials: Credentials): Promise<Step> {
    const { mechanism, user, authzid, password } = credentials;
    const { log } = this.traits;
    const about = `${this.client.label}: SASL ${mechanism} authentication failed`;
    try {
      const answer = await this.#around.authenticate({ op: "auth", service: "smtp", mechanism, user, authzid, password, remote: this.client.address, secured: this.#secured });
      if (answer.ok) {
        this.#user = { name: answer.user, mechanism };
        return go(ok("2.7.0", "Authentication successful", "235"));
      }
      log.warning(`${about}: ${answer.why === "credentials" ? "authentication failure" : answer.why}, sasl_username=${printable(user)}`);
      if (answer.why !== "temporary") return refuse5("535", "5.7.8", "Error: authentication failed");
    } catch (fault) {
      log.warning(`${about}: ${describeFault(fault)}`);
    }
    return refuse4("454", "4.7.0", "Temporary authentication failure");
  }

  #facts(sender: string): ClientFacts {
    return { service: this.traits.kind, address: this.client.address, trusted: this.client.trusted, user: this.#user?.name, sender };
  }

  #rejected(verb: string, recipient: string | undefined, step: Step): Step {
    this.traits.log.info(`NOQUEUE: reject: ${verb} from ${this.client.label}: ${printable(replyText(step.reply))};${this.context(recipient)}`);
    return step;
  }
}

const refused = (verdict: RcptVerdict & { kind: "refuse" }): Step => go(refusal(verdict));
