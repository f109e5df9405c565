/** SASL PLAIN, RFC 4616: one response that holds everything. */
import { safe } from "./safe.ts";

export interface PlainCredentials {
  /** Whom to act as; "" when the client left it to the server. */
  readonly authzid: string;
  readonly user: string;
  readonly password: string;
}

/**
 * message = [authzid] UTF8NUL authcid UTF8NUL passwd
 *
 * RFC 4616 §2. Names and password are UTF-8 without NUL; authcid and passwd are not empty. No SASLprep: the
 * hashes of a Unix host were made without it.
 *
 * @returns undefined when the response is not of this form or a part is longer than `partLimit`. Never throws.
 */
export function plain(response: Buffer): PlainCredentials | undefined {
  const first = response.indexOf(0);
  const second = first < 0 ? -1 : response.indexOf(0, first + 1);
  if (second < 0) return undefined;
  const authzid = first === 0 ? "" : safe(response.subarray(0, first));
  const user = safe(response.subarray(first + 1, second));
  const password = safe(response.subarray(second + 1));
  if (authzid === undefined || user === undefined || password === undefined) return undefined;
  return { authzid, user, password };
}

/** The inverse of `plain`, for clients. RFC 4616 §2. */
export function encodePlain(credentials: PlainCredentials): Buffer {
  return Buffer.from(`${credentials.authzid}\0${credentials.user}\0${credentials.password}`, "utf8");
}
