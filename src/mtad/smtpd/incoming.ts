/** One message from the wire to the queue: trace field, header rules, size, and the reply that its end deserves. */
import { HeaderPass } from "../../cleanup/header-pass.ts";
import { messageId, missingFields } from "../../cleanup/missing.ts";
import { receivedField } from "../../cleanup/received.ts";
import { describeFault, printable } from "../../daemon/log.ts";
import { localOffset } from "../../message/date.ts";
import type { DataFault } from "../../smtp/data.ts";
import { ok, refusal, replyText, type Reply } from "../../smtp/reply.ts";
import { IntakeFault, type Envelope, type Intake, type QueueWriter } from "../intake.ts";
import type { Session } from "./session.ts";

export class Incoming {
  readonly #session: Session;
  readonly #writer: QueueWriter;
  readonly #header: HeaderPass;
  /** The Message-ID it was given here. */
  #madeId = "";
  /** Why nothing more is written; the client hears at the end of the text. */
  #refused: Reply | undefined;

  constructor(session: Session, intake: Intake, envelope: Envelope) {
    const { client, policy, traits, user } = session;
    const { myhostname } = policy.settings;
    const { sender, arrived, recipients } = envelope;
    const writer = intake.begin(envelope);
    const offset = localOffset(arrived);
    // RFC 6409 §8: a submission server completes what its users send; a relay leaves mail of others alone.
    const completes = traits.kind === "submission" || (traits.kind === "smtp" && client.onThisHost);
    this.#session = session;
    this.#writer = writer;
    const origin = { queueId: writer.queueId, myhostname, arrived, offset, sender, fullName: undefined };
    this.#header = new HeaderPass((present) => {
      if (!completes) return "";
      if (!present.messageId) this.#madeId = messageId(origin);
      return missingFields(present, origin);
    });
    traits.log.info(`${writer.queueId}: client=${client.label}${user === undefined ? "" : `, sasl_method=${user.mechanism}, sasl_username=${printable(user.name)}`}`);
    const from = { kind: "client", helo: session.hello?.name ?? "", name: client.name, address: client.address, protocol: session.protocol, recipients } as const;
    void writer.write(Buffer.from(receivedField({ myhostname, queueId: writer.queueId, arrived, offset, from }), "latin1"));
  }

  get queueId(): string {
    return this.#writer.queueId;
  }

  /** Takes octets of the message, LF line ends. Undefined: send more; a promise: after it. */
  write(octets: Buffer): Promise<void> | undefined {
    if (this.#refused !== undefined || octets.length === 0) return undefined;
    return this.#pass(this.#header.push(octets));
  }

  /**
   * The text is complete, or is refused for `fault`. Resolves with the reply: 250 only after the queue has the message
   * for good. Never rejects.
   */
  async finish(fault: DataFault | undefined): Promise<Reply> {
    if (fault !== undefined) this.#refused ??= refusalFor(fault);
    if (this.#refused === undefined) void this.#pass(this.#header.end());
    if (this.#refused !== undefined) return this.#refuse(this.#refused);
    const { traits } = this.#session;
    traits.cleanupLog.info(`${this.queueId}: message-id=${printable(this.#madeId || this.#header.messageId)}`);
    try {
      await this.#writer.commit();
    } catch (failed) {
      traits.log.error(`${this.queueId}: queue file write error: ${describeFault(failed, !(failed instanceof IntakeFault))}`);
      return this.#refuse(
        failed instanceof IntakeFault && failed.kind === "no-space"
          ? refusal({ code: "452", status: "4.3.1", text: "Insufficient system storage" })
          : refusal({ code: "451", status: "4.3.0", text: "Error: queue file write error" }),
      );
    }
    return ok("2.0.0", `Ok: queued as ${this.queueId}`);
  }

  /** The client went away before the end of the text: there is no message. Never rejects. */
  abort(): Promise<void> {
    this.#refused ??= refusal({ code: "451", status: "4.3.0", text: "Error: connection lost" });
    return this.#writer.abort();
  }

  #pass(chunks: readonly Buffer[]): Promise<void> | undefined {
    let wait: Promise<void> | undefined;
    for (const chunk of chunks) if (chunk.length > 0) wait = this.#writer.write(chunk) ?? wait;
    const { hopcount_limit } = this.#session.policy.settings;
    // RFC 5321 §6.3. Our own field counts, as in Postfix.
    if (this.#header.hops + 1 > hopcount_limit) this.#refused = refusal({ code: "554", status: "5.4.0", text: "Error: too many hops" });
    return wait;
  }

  async #refuse(reply: Reply): Promise<Reply> {
    const { traits, client } = this.#session;
    traits.log.info(`${this.queueId}: reject: END-OF-MESSAGE from ${client.label}: ${printable(replyText(reply))};${this.#session.context()}`);
    await this.#writer.abort();
    return reply;
  }
}

function refusalFor(fault: DataFault): Reply {
  switch (fault) {
    case "bare LF":
      return refusal({ code: "550", status: "5.5.2", text: "Error: bare <LF> received" });
    case "bare CR":
      return refusal({ code: "550", status: "5.5.2", text: "Error: bare <CR> received" });
    case "too large":
      return refusal({ code: "552", status: "5.3.4", text: "Error: message file too big" });
  }
}
