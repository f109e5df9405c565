/** What local delivery writes in front of a message, and reads from it. */
import { hostname } from "node:os";
import { Octets } from "../../message/octets.ts";

export interface LocalEnvelope {
  /** "" for the null sender. */
  readonly sender: string;
  readonly recipient: string;
  readonly original: string;
  /** ms since the epoch. */
  readonly arrived: number;
}

/** Return-Path (RFC 5321 §4.4), X-Original-To where it tells something, Delivered-To; LF line ends. */
export function deliveryFields(envelope: LocalEnvelope): string {
  const original = envelope.original !== "" && envelope.original.toLowerCase() !== envelope.recipient.toLowerCase() ? `X-Original-To: ${clean(envelope.original)}\n` : "";
  return `Return-Path: <${clean(envelope.sender)}>\n${original}Delivered-To: ${clean(envelope.recipient)}\n`;
}

/** The fields and behind them the message: in memory in one piece where that is. */
export function withFields(fields: string, message: Octets): Octets {
  const front = Buffer.from(fields, "latin1");
  return message.memory === undefined ? Octets.join(front, message) : Octets.of(Buffer.concat([front, message.memory]));
}

const clean = (address: string): string => address.replace(/[\r\n\0]/g, "");

/** The header, without the empty line; the whole message when there is none. */
export function headerOf(message: Octets): Buffer {
  if (message.at(0) === 10 || message.startsWith(crlf)) return nothing;
  const lf = message.indexOf(emptyLine);
  // Not searched for in the body.
  const before = message.subarray(0, lf < 0 ? message.length : lf + 1).toBuffer();
  const end = before.indexOf(emptyCrlfLine);
  return end < 0 ? before : before.subarray(0, end + 2);
}

const nothing = Buffer.alloc(0);
const crlf = Buffer.from("\r\n");
const emptyLine = Buffer.from("\n\n");
const emptyCrlfLine = Buffer.from("\r\n\r\n");

/** Has this message been delivered to the address before? Then it is in a loop. */
export function wasDeliveredTo(message: Octets, recipient: string): boolean {
  const header = headerOf(message).toString("latin1");
  if (!header.toLowerCase().includes("delivered-to:")) return false;
  const wanted = recipient.toLowerCase();
  for (const m of header.matchAll(/^delivered-to:[ \t]*([^\r\n]*)/gim)) if ((m[1] ?? "").trim().toLowerCase() === wanted) return true;
  return false;
}

/** Domain of an address, or this host's name. */
export const domainOf = (address: string): string => (address.includes("@") ? address.slice(address.lastIndexOf("@") + 1) : hostname());
