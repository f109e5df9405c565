/**
 * SASL LOGIN: never standardised (draft-murchison-sasl-login-00), still the only mechanism of some SMTP and
 * IMAP clients. The server asks twice, the client answers each time.
 */
import { safe } from "./safe.ts";

/** The two challenges as clients expect them; some compare the text. */
export const loginChallenges = [Buffer.from("Username:"), Buffer.from("Password:")] as const;

/** Where a LOGIN exchange stands: what to ask next, or what was learned, or that the client's answer can not be used. */
export type Login =
  | { readonly state: "ask"; readonly challenge: Buffer; readonly user: string | undefined }
  | { readonly state: "done"; readonly user: string; readonly password: string }
  | { readonly state: "failed" };

/** The start of an exchange. An initial response (RFC 4954 §4, RFC 4959) is the user name: feed it to `loginStep`. */
export const loginStart = { state: "ask", challenge: loginChallenges[0], user: undefined } as const satisfies Login;

/**
 * Takes one decoded response. Name and password are UTF-8 without NUL, not empty, at most `partLimit` octets.
 * Never throws; a state that does not ask stays as it is.
 */
export function loginStep(at: Login, response: Buffer): Login {
  if (at.state !== "ask") return at;
  const given = safe(response);
  if (given === undefined) return { state: "failed" };
  if (at.user === undefined) return { state: "ask", challenge: loginChallenges[1], user: given };
  return { state: "done", user: at.user, password: given };
}
