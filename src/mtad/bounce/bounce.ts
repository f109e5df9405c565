/**
 * Who is told that mail could not be delivered, and with what. The sender, once; for mail that has no
 * sender (bounces) the postmaster, once; for that notice nobody. So there is no loop.
 */
import type { Logger } from "../../daemon/log.ts";
import { splitAddress } from "../../route/address.ts";
import { insert, received, type InsertParts } from "../qmgr/insert.ts";
import type { Failure } from "../qmgr/message.ts";
import type { OutgoingMessage } from "../qmgr/transport.ts";
import { deliveryStatus } from "./dsn.ts";

export interface BounceRules {
  readonly double_bounce_sender: string;
  readonly notify_postmaster: string;
}

/** postconf(5) bounce_size_limit: longer messages are returned with their header only. */
const returnWhole = 50_000;
/** Longest header returned, octets. */
const returnHeader = 50_000;

/** Queues the report. Durable when it resolves; throws what the disk says. */
export async function queueBounce(parts: InsertParts, rules: BounceRules, log: Logger, message: OutgoingMessage, sender: string, failures: readonly Failure[]): Promise<void> {
  const { envelope, source } = message;
  const doubleBounce = `${rules.double_bounce_sender}@${parts.myhostname}`;
  if (isDoubleBounce(sender, rules, parts)) {
    log.warning(`${envelope.id}: undeliverable postmaster notification discarded`);
    return;
  }
  const kind = sender === "" ? "postmaster" : "bounce";
  const to = kind === "bounce" ? sender : rules.notify_postmaster.includes("@") ? rules.notify_postmaster : `${rules.notify_postmaster}@${parts.myorigin}`;
  const whole = source.octets <= returnWhole;
  const original = await start(message, whole ? returnWhole : returnHeader);
  const returned = whole ? original : headerOf(original);
  const words = kind === "bounce" ? "sender non-delivery notification" : "postmaster non-delivery notification";
  const octets = (id: string, now: number): Buffer[] => [
    Buffer.from(received(parts.myhostname, id, now)),
    deliveryStatus({
      queueId: envelope.id,
      arrived: envelope.arrived,
      originalSender: sender,
      recipients: failures.map(({ delivery, outcome }) => ({ final: delivery.address, original: delivery.original === delivery.address ? undefined : delivery.original, outcome })),
      to,
      kind,
      myhostname: parts.myhostname,
      now,
      id,
      returned,
      whole,
    }),
  ];
  await insert(parts, { sender: kind === "bounce" ? "" : doubleBounce, recipients: [{ address: to }], hops: (envelope.hops ?? 0) + 1 }, octets, (id) => log.info(`${envelope.id}: ${words}: ${id}`));
}

function isDoubleBounce(sender: string, rules: BounceRules, parts: InsertParts): boolean {
  const { local, domain } = splitAddress(sender);
  const ours = [parts.myhostname, parts.myorigin].map((d) => d.toLowerCase());
  return local.toLowerCase() === rules.double_bounce_sender.toLowerCase() && ours.includes(domain);
}

/** The first octets of a message. */
async function start(message: OutgoingMessage, octets: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of message.source.pieces()) {
    pieces.push(piece);
    length += piece.length;
    if (length >= octets) break;
  }
  return Buffer.concat(pieces).subarray(0, octets);
}

function headerOf(message: Buffer): Buffer {
  const end = message.indexOf("\n\n");
  return end < 0 ? message : message.subarray(0, end + 1);
}
