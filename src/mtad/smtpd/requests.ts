/** Requests on the `mta` socket as values: anybody on this host may have written them. */
import type { QueueRequest, SubmitRequest } from "../../daemon/protocol.ts";

/** Undefined when it is no request of protocol.ts. Never throws. */
export function mtaRequest(value: unknown): SubmitRequest | QueueRequest | undefined {
  if (typeof value !== "object" || value === null || !("id" in value) || !("op" in value)) return undefined;
  const { id, op } = value;
  if (typeof id !== "number") return undefined;
  if (op === "list" || op === "flush") return { id, op };
  if (op !== "submit") return undefined;
  const { sender, fullName, recipients, fromHeader, bodyType, octets } = value as Partial<Record<keyof SubmitRequest, unknown>>;
  if (!isOptionalText(sender) || !isOptionalText(fullName) || typeof fromHeader !== "boolean" || typeof octets !== "number") return undefined;
  if (!Array.isArray(recipients) || !recipients.every((r) => typeof r === "string")) return undefined;
  if (bodyType !== undefined && bodyType !== "7BIT" && bodyType !== "8BITMIME") return undefined;
  return { id, op, sender, fullName, recipients, fromHeader, bodyType, octets };
}

const isOptionalText = (v: unknown): v is string | undefined => v === undefined || typeof v === "string";
