/** What local delivery writes in front of a message, and reads from it. */
import { hostname } from "node:os";

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

/**
 * The fields and behind them the message.
 *
 * @param room octets in front of the message, in the same memory, that are free: what fits there needs no copy of the message
 */
export function withFields(fields: string, message: Buffer, room: number): Buffer {
  if (fields.length > room) return Buffer.concat([Buffer.from(fields, "latin1"), message]);
  const whole = Buffer.from(message.buffer, message.byteOffset - fields.length, fields.length + message.length);
  whole.write(fields, "latin1");
  return whole;
}

const clean = (address: string): string => address.replace(/[\r\n\0]/g, "");

/** Octets of the header, without the empty line; the whole message when there is none. */
export function headerOf(message: Buffer): Buffer {
  if (message[0] === 10 || (message[0] === 13 && message[1] === 10)) return message.subarray(0, 0);
  const lf = message.indexOf("\n\n");
  // Not searched for in the body.
  const before = lf < 0 ? message : message.subarray(0, lf + 1);
  const crlf = before.indexOf("\r\n\r\n");
  return crlf < 0 ? before : before.subarray(0, crlf + 2);
}

/** Has this message been delivered to the address before? Then it is in a loop. */
export function wasDeliveredTo(message: Buffer, recipient: string): boolean {
  const header = headerOf(message).toString("latin1");
  if (!header.toLowerCase().includes("delivered-to:")) return false;
  const wanted = recipient.toLowerCase();
  for (const m of header.matchAll(/^delivered-to:[ \t]*([^\r\n]*)/gim)) if ((m[1] ?? "").trim().toLowerCase() === wanted) return true;
  return false;
}

/** Domain of an address, or this host's name. */
export const domainOf = (address: string): string => (address.includes("@") ? address.slice(address.lastIndexOf("@") + 1) : hostname());
