/** Messages that come from within: copies for the addresses of a .forward, bounces, notices. */
import { formatDate, localOffset } from "../../message/date.ts";
import type { Outcome } from "../../deliver/outcome.ts";
import type { Delivery } from "../../route/router.ts";
import type { StoredEnvelope, StoredRecipient } from "../../spool/format.ts";
import type { Spool } from "../../spool/spool.ts";
import type { Accepted } from "../../spool/write.ts";
import type { OutgoingMessage } from "./transport.ts";

/** Forwards of forwards of ...: Delivered-To finds most loops; this finds the rest. */
export const hopLimit = 50;

export interface InsertParts {
  readonly spool: Spool;
  readonly now: () => number;
  readonly myhostname: string;
  readonly myorigin: string;
  readonly accepted: (message: Accepted) => void;
}

/**
 * Durable when it resolves. Returns the queue id. Throws what the disk says.
 *
 * @param announce  is told the id when the message is durable and before anything is logged of it
 */
export async function insert(parts: InsertParts, envelope: Omit<StoredEnvelope, "id" | "arrived">, octets: (id: string, arrived: number) => AsyncIterable<Buffer> | Iterable<Buffer>, announce?: (id: string) => void): Promise<string> {
  const id = parts.spool.nextId();
  const arrived = parts.now();
  const writer = parts.spool.begin({ id, arrived, ...envelope });
  try {
    for await (const piece of octets(id, arrived)) await writer.write(piece);
  } catch (fault) {
    await writer.abort();
    throw fault;
  }
  const accepted = await writer.commit();
  announce?.(id);
  parts.accepted(accepted);
  return id;
}

/** A copy for other addresses, with the trace fields that show the way and end loops. */
export function insertForward(parts: InsertParts, message: OutgoingMessage, delivery: Delivery, sender: string, addresses: readonly string[]): Promise<string> {
  const recipients = addresses.map((a) => forwardRecipient(a, parts.myorigin));
  const envelope = { sender, recipients, hops: (message.envelope.hops ?? 0) + 1, ...(message.envelope.bodyType === undefined ? {} : { bodyType: message.envelope.bodyType }) };
  return insert(parts, envelope, async function* (id, arrived) {
    yield Buffer.from(`${received(parts.myhostname, id, arrived)}Delivered-To: ${delivery.address}\n`);
    yield* message.source.pieces();
  });
}

/** RFC 5321 §4.4 trace field of a message that did not come by a protocol. */
export const received = (myhostname: string, id: string, arrived: number): string => `Received: by ${myhostname} (Posthorn)\n\tid ${id}; ${formatDate(arrived, localOffset(arrived))}\n`;

/** The agent is the user's: what it calls an address must not become a line of its own in a header or an envelope. */
function forwardRecipient(asked: string, myorigin: string): StoredRecipient {
  const text = asked.replaceAll(/[\u0000-\u001f\u007f]/g, "?");
  const direct = text.startsWith("\\");
  const name = direct ? text.slice(1) : text;
  const address = name.includes("@") ? name : `${name}@${myorigin}`;
  return direct ? { address, direct: true } : { address };
}

/** Undefined while a message may be forwarded again. */
export const forwardLoop = (message: OutgoingMessage): Outcome | undefined =>
  (message.envelope.hops ?? 0) < hopLimit ? undefined : { kind: "bounced", status: "5.4.6", text: `mail forwarding loop: forwarded ${hopLimit} times` };
