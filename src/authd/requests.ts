/** Frames of the `auth` and `auth-master` sockets into typed requests. Pure. */
import type { AuthRequest, RedeemRequest } from "../daemon/protocol.ts";

type Fields = Readonly<Record<string, unknown>>;

const fields = (value: unknown): Fields | undefined => (typeof value === "object" && value !== null ? (value as Fields) : undefined);
const isId = (v: unknown): v is number => typeof v === "number" && Number.isSafeInteger(v) && v >= 0;
/** Longest string taken, characters: names and passwords come from the network through a daemon that faces it. */
const textLimit = 4096;
const isText = (v: unknown): v is string => typeof v === "string" && v.length <= textLimit;

/** undefined when it is not an AuthRequest. */
export function authRequest(value: unknown): AuthRequest | undefined {
  const f = fields(value);
  if (f === undefined || f.op !== "auth" || !isId(f.id)) return undefined;
  const { id, service, mechanism, user, authzid, password, remote, secured } = f;
  if (service !== "imap" && service !== "pop3" && service !== "smtp") return undefined;
  if (mechanism !== "PLAIN" && mechanism !== "LOGIN") return undefined;
  if (!isText(user) || !isText(authzid) || !isText(password) || !isText(remote) || typeof secured !== "boolean") return undefined;
  return { id, op: "auth", service, mechanism, user, authzid, password, remote, secured };
}

/** undefined when it is not a RedeemRequest. */
export function redeemRequest(value: unknown): RedeemRequest | undefined {
  const f = fields(value);
  if (f === undefined || f.op !== "redeem" || !isId(f.id) || !isText(f.ticket)) return undefined;
  return { id: f.id, op: "redeem", ticket: f.ticket };
}
