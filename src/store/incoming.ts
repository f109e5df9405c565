/** The octets of a new message, which may lie in a file. */
import { toCrlf, toLf } from "../message/line-ends.ts";
import { Octets } from "../message/octets.ts";
import type { NewMessage } from "./mailbox.ts";

const memoryOf = ({ octets }: NewMessage): Buffer | undefined => (Buffer.isBuffer(octets) ? octets : octets.memory);

/** As a store writes them. */
export function lfOctets(message: NewMessage): Octets {
  const memory = memoryOf(message);
  return Octets.of(memory === undefined ? message.octets : toLf(memory));
}

/** As sessions see them; undefined for what is not in memory. */
export function crlfOctets(message: NewMessage): Buffer | undefined {
  const memory = memoryOf(message);
  return memory === undefined ? undefined : toCrlf(memory);
}
