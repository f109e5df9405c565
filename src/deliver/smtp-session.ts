/** One transaction with one SMTP or LMTP server, from greeting to QUIT. RFC 5321 §3.3, RFC 2033. */
import type { Outcome } from "./outcome.ts";
import { ConnectionLost, SmtpConnection, type ServerPlace } from "./smtp-connection.ts";
import { replyOutcome, type ServerReply } from "./smtp-reply.ts";
import type { MessageSource } from "./source.ts";
import { DataWriter } from "./wire-text.ts";

export interface SessionOptions {
  readonly protocol: "smtp" | "lmtp";
  /** Our name in EHLO. */
  readonly helo: string;
  readonly tls: "none" | "may" | "encrypt";
  /** ms. */
  readonly connectLimit: number;
  readonly replyLimit: number;
}

export interface Transaction {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly bodyType: "7BIT" | "8BITMIME" | undefined;
  readonly message: MessageSource;
}

export interface SessionResult {
  /** One for each recipient, same order. */
  readonly outcomes: readonly Outcome[];
  readonly relay: string;
  /** ms until the server was ready for mail. */
  readonly connecting: number;
  /** "connect": no conversation came about, another server may do better; "tls": without TLS it may. */
  readonly failed: "connect" | "tls" | undefined;
}

/** RFC 5321 §4.5.3.2.4-6, ms. */
const dataInitiation = 120_000;
const dataBlock = 180_000;
const dataTermination = 600_000;

interface Hello {
  readonly name: string;
  /** Keyword to parameters, upper case keywords. */
  readonly extensions: ReadonlyMap<string, string>;
}

/** Refused before or outside of a recipient: it counts for all of them. */
class Refused extends Error {
  readonly outcome: Outcome;
  readonly stage: "connect" | "transaction";
  constructor(outcome: Outcome, stage: "connect" | "transaction") {
    super(outcome.text);
    this.outcome = outcome;
    this.stage = stage;
  }
}

/**
 * What may stand between the angle brackets: no controls, and white space and brackets in quotes only. Addresses come from users' `.forward`
 * and from lists, too; a line end or ">" in one would be further commands on the wire.
 */
const onWire = /^(?:[^\s"<>\u0000-\u001f\u007f]|"(?:[^"\\\u0000-\u001f\u007f]|\\[^\u0000-\u001f\u007f])*")*$/;

/** Never rejects: whatever happens is an outcome. */
export async function smtpTransaction(place: ServerPlace, options: SessionOptions, transaction: Transaction, now: () => number): Promise<SessionResult> {
  const { sender, recipients } = transaction;
  if (onWire.test(sender) && recipients.every((r) => onWire.test(r))) return converse(place, options, transaction, now);
  const bad = (status: `5.${number}.${number}`, what: string): Outcome => ({ kind: "bounced", status, text: `bad ${what} address syntax` });
  const good = onWire.test(sender) ? recipients.filter((r) => onWire.test(r)) : [];
  const session = good.length === 0 ? { outcomes: [], relay: "none", connecting: 0, failed: undefined } : await converse(place, options, { ...transaction, recipients: good }, now);
  const outcomes = session.outcomes.values();
  return { ...session, outcomes: recipients.map((r) => (!onWire.test(sender) ? bad("5.1.7", "sender") : !onWire.test(r) ? bad("5.1.3", "recipient") : (outcomes.next().value ?? { kind: "deferred", status: "4.3.0", text: "no result" }))) };
}

async function converse(place: ServerPlace, options: SessionOptions, transaction: Transaction, now: () => number): Promise<SessionResult> {
  const started = now();
  const all = (outcome: Outcome): Outcome[] => transaction.recipients.map(() => outcome);
  let connection: SmtpConnection | undefined;
  let connecting: number | undefined;
  try {
    connection = await SmtpConnection.open(place, options.connectLimit);
    const hello = await greet(connection, options);
    connecting = now() - started;
    const outcomes = await transact(connection, hello, options, transaction);
    connection.quit();
    return { outcomes, relay: connection.relay, connecting, failed: undefined };
  } catch (fault) {
    const relay = connection?.relay ?? "none";
    const early = connecting === undefined;
    connecting ??= now() - started;
    if (fault instanceof Refused) {
      connection?.quit();
      return { outcomes: all(fault.outcome), relay, connecting, failed: fault.stage === "connect" ? "connect" : undefined };
    }
    connection?.destroy();
    if (fault instanceof ConnectionLost) return { outcomes: all({ kind: "deferred", ...lost(fault), ...(connection === undefined ? {} : { remote: { relay, code: undefined } }) }), relay, connecting, failed: fault.kind === "tls" ? "tls" : early ? "connect" : undefined };
    return { outcomes: all({ kind: "deferred", status: "4.3.0", text: `queue file read error: ${fault instanceof Error ? fault.message : String(fault)}` }), relay, connecting, failed: undefined };
  }
}

/** RFC 3463 §3.5. */
function lost(fault: ConnectionLost): { status: `4.${number}.${number}`; text: string } {
  const statuses = { connect: "4.4.1", timeout: "4.4.2", lost: "4.4.2", nonsense: "4.5.0", tls: "4.7.5" } as const;
  return { status: statuses[fault.kind], text: fault.message };
}

/** Greeting, EHLO or LHLO, STARTTLS. Throws Refused or ConnectionLost. */
async function greet(connection: SmtpConnection, options: SessionOptions): Promise<Hello> {
  const greeting = await connection.reply(options.replyLimit, "receiving the initial server greeting");
  // A server that does not want us at all: another exchanger may, so a 5xx here is not the end (postconf(5) smtp_skip_5xx_greeting).
  if (greeting.code !== 220) throw new Refused(softened(replyOutcome(greeting, "connection", connection.relay)), "connect");
  let hello = await sayHello(connection, options);
  if (options.tls === "none") return hello;
  if (!hello.extensions.has("STARTTLS")) {
    if (options.tls === "encrypt") throw new Refused({ kind: "deferred", status: "4.7.4", text: `TLS is required, but was not offered by host ${connection.relay}` }, "connect");
    return hello;
  }
  connection.send("STARTTLS\r\n");
  const reply = await connection.reply(options.replyLimit, "sending STARTTLS");
  if (reply.code === 220) {
    await connection.startTls(options.replyLimit);
    // RFC 3207 §4.2: what was announced before TLS is forgotten.
    hello = await sayHello(connection, options);
  } else if (options.tls === "encrypt") throw new Refused(softened(replyOutcome(reply, "STARTTLS", connection.relay)), "connect");
  return hello;
}

async function sayHello(connection: SmtpConnection, options: SessionOptions): Promise<Hello> {
  const verb = options.protocol === "lmtp" ? "LHLO" : "EHLO";
  connection.send(`${verb} ${options.helo}\r\n`);
  let reply = await connection.reply(options.replyLimit, `performing the ${verb} handshake`);
  if (reply.code === 250) return parseHello(reply);
  // RFC 5321 §3.2: an old server knows HELO only.
  if (options.protocol === "smtp" && reply.code >= 500) {
    connection.send(`HELO ${options.helo}\r\n`);
    reply = await connection.reply(options.replyLimit, "performing the HELO handshake");
    if (reply.code === 250) return { name: firstWord(reply), extensions: new Map() };
  }
  throw new Refused(softened(replyOutcome(reply, verb, connection.relay)), "connect");
}

function parseHello(reply: ServerReply): Hello {
  const extensions = new Map(reply.lines.slice(1).map((line) => {
    const space = line.indexOf(" ");
    return space < 0 ? ([line.toUpperCase(), ""] as const) : ([line.slice(0, space).toUpperCase(), line.slice(space + 1)] as const);
  }));
  return { name: firstWord(reply), extensions };
}

const firstWord = (reply: ServerReply): string => (reply.lines[0] ?? "").split(" ", 1)[0]?.toLowerCase() ?? "";

const softened = (outcome: Outcome): Outcome => (outcome.kind === "bounced" ? { kind: "deferred", status: outcome.status.replace(/^5/, "4") as `4.${number}.${number}`, text: outcome.text, ...(outcome.remote === undefined ? {} : { remote: outcome.remote }) } : outcome);

async function transact(connection: SmtpConnection, hello: Hello, options: SessionOptions, t: Transaction): Promise<readonly Outcome[]> {
  const { extensions } = hello;
  if (options.protocol === "smtp" && hello.name === options.helo.toLowerCase()) throw new Refused({ kind: "bounced", status: "5.4.6", text: `mail for ${connection.relay} loops back to myself` }, "transaction");
  const limit = Number(/^\d+$/.exec(extensions.get("SIZE") ?? "")?.[0] ?? 0);
  // RFC 1870 §6.1
  if (limit > 0 && t.message.octets > limit) throw new Refused({ kind: "bounced", status: "5.3.4", text: `message size ${t.message.octets} exceeds size limit ${limit} of server ${connection.relay}` }, "transaction");
  const mail = mailCommand(t, extensions, connection.relay);
  const rcpts = t.recipients.map((r) => `RCPT TO:<${r}>\r\n`);
  const pipelining = extensions.has("PIPELINING");
  // RFC 2920 §3.1: DATA may be the last of a group.
  if (pipelining) connection.send(`${mail}${rcpts.join("")}DATA\r\n`);
  else connection.send(mail);
  const mailReply = await connection.reply(options.replyLimit, "sending MAIL FROM");
  const mailTaken = mailReply.code === 250;
  if (!mailTaken && !pipelining) throw new Refused(replyOutcome(mailReply, "MAIL FROM command", connection.relay), "transaction");

  const outcomes: (Outcome | undefined)[] = [];
  for (const rcpt of rcpts) {
    if (!pipelining) connection.send(rcpt);
    const reply = await connection.reply(options.replyLimit, "sending RCPT TO");
    outcomes.push(!mailTaken ? replyOutcome(mailReply, "MAIL FROM command", connection.relay) : reply.code === 250 || reply.code === 251 ? undefined : refusedRecipient(reply, connection.relay));
  }
  const taken = outcomes.filter((o) => o === undefined).length;
  if (taken === 0 && !pipelining) return outcomes.filter((o) => o !== undefined);

  if (!pipelining) connection.send("DATA\r\n");
  const go = await connection.reply(dataInitiation, "sending DATA command");
  if (taken === 0) {
    // Refused everyone and wants the message all the same: an empty one, and nobody gets it.
    if (go.code === 354) {
      connection.send(".\r\n");
      await connection.reply(options.replyLimit, "sending end of data");
    }
    return outcomes.filter((o) => o !== undefined);
  }
  if (go.code !== 354) return outcomes.map((o) => o ?? refusedRecipient(go, connection.relay, "DATA command"));
  if (!(await sendMessage(connection, t.message))) {
    const early = await connection.reply(options.replyLimit, "sending message body");
    return outcomes.map((o) => o ?? refusedRecipient(early, connection.relay, "message body"));
  }
  const during = "sending end of data -- message may be sent more than once";
  if (options.protocol === "smtp") {
    const end = await connection.reply(dataTermination, during);
    return outcomes.map((o) => o ?? replyOutcome(end, "end of DATA command", connection.relay));
  }
  // RFC 2033 §4.2: one reply for each recipient that was taken, in order.
  for (const [i, o] of outcomes.entries()) if (o === undefined) outcomes[i] = replyOutcome(await connection.reply(dataTermination, during), "end of DATA command", connection.relay);
  return outcomes.filter((o) => o !== undefined);
}

/** RFC 5321 §4.5.3.1.10: "too many recipients" is 452 meant, also when it is written 552. */
function refusedRecipient(reply: ServerReply, relay: string, command = "RCPT TO command"): Outcome {
  const outcome = replyOutcome(reply, command, relay);
  if (reply.code === 552 && command.startsWith("RCPT")) return softened(outcome);
  // A 2xx or 3xx where none belongs is no success.
  return outcome.kind === "sent" || reply.code < 400 ? { kind: "deferred", status: "4.5.0", text: `unexpected reply: ${outcome.text}`, remote: { relay, code: reply.code } } : outcome;
}

function mailCommand(t: Transaction, extensions: ReadonlyMap<string, string>, relay: string): string {
  const parameters: string[] = [];
  if (extensions.has("SIZE")) parameters.push(`SIZE=${t.message.octets}`);
  if (t.bodyType === "8BITMIME" && extensions.has("8BITMIME")) parameters.push("BODY=8BITMIME");
  if ([t.sender, ...t.recipients].some((a) => Buffer.byteLength(a) !== a.length)) {
    // RFC 6531 §3.4
    if (!extensions.has("SMTPUTF8")) throw new Refused({ kind: "bounced", status: "5.6.7", text: `SMTPUTF8 is required, but was not offered by host ${relay}` }, "transaction");
    parameters.push("SMTPUTF8");
  }
  return `MAIL FROM:<${t.sender}>${parameters.map((p) => ` ${p}`).join("")}\r\n`;
}

/** False when the server refused amid the message. Then the end is not sent: an ended half would be a message. */
async function sendMessage(connection: SmtpConnection, message: MessageSource): Promise<boolean> {
  const writer = new DataWriter();
  for await (const piece of message.pieces()) {
    await connection.write(writer.push(piece), dataBlock);
    if (connection.early) return false;
  }
  await connection.write(writer.end(), dataBlock);
  return true;
}
