/**
 * A SASL exchange of the mechanisms we offer, as a value: what IMAP AUTHENTICATE, POP3 AUTH and SMTP AUTH share
 * (RFC 4422 §3). The protocols differ only in how they wrap challenges and say the result.
 */
import { decodeBase64 } from "./base64.ts";
import { type Login, loginStart, loginStep } from "./login.ts";
import { plain } from "./plain.ts";
import { partLimit } from "./safe.ts";

export type Mechanism = "PLAIN" | "LOGIN";

/** Longest base64 response, octets: three full parts of PLAIN and their NULs. RFC 4954 §4 has clients keep within 12288. */
export const responseLimit = 4 * Math.ceil((3 * partLimit + 2) / 3);

export interface Credentials {
  readonly mechanism: Mechanism;
  readonly authzid: string;
  readonly user: string;
  readonly password: string;
}

/**
 * What the server does next: send `challenge` (base64, "" for none) and wait, or verify, or refuse.
 * "cancelled" is the client's "*" (RFC 4422 §3, RFC 3501 §6.2.2).
 */
export type Exchange =
  | { readonly state: "ask"; readonly challenge: string; readonly mechanism: Mechanism; readonly login: Login }
  | { readonly state: "done"; readonly credentials: Credentials }
  | { readonly state: "failed"; readonly why: "cancelled" | "base64" | "syntax" };

/** The mechanism by its name in any case (RFC 4422 §3.1 has upper case; clients have not), or undefined. */
export function mechanismNamed(name: string): Mechanism | undefined {
  const upper = name.toUpperCase();
  return upper === "PLAIN" || upper === "LOGIN" ? upper : undefined;
}

/**
 * Begins an exchange.
 *
 * @param initial  the initial response as written, base64 or "=" for an empty one (RFC 4954 §4, RFC 4959 §3,
 *                 RFC 5034 §4); undefined when the client sent none
 */
export function startExchange(mechanism: Mechanism, initial: string | undefined): Exchange {
  const challenge = mechanism === "PLAIN" ? "" : loginStart.challenge.toString("base64");
  const at: Exchange = { state: "ask", challenge, mechanism, login: loginStart };
  return initial === undefined ? at : stepExchange(at, initial === "=" ? "" : initial);
}

/** Takes one response line (base64, without CRLF). Never throws; an exchange that does not ask stays as it is. */
export function stepExchange(at: Exchange, line: string): Exchange {
  if (at.state !== "ask") return at;
  if (line === "*") return { state: "failed", why: "cancelled" };
  const response = decodeBase64(line, responseLimit);
  if (response === undefined) return { state: "failed", why: "base64" };
  if (at.mechanism === "PLAIN") {
    const parts = plain(response);
    return parts === undefined ? { state: "failed", why: "syntax" } : { state: "done", credentials: { mechanism: "PLAIN", ...parts } };
  }
  const login = loginStep(at.login, response);
  switch (login.state) {
    case "ask":
      return { state: "ask", challenge: login.challenge.toString("base64"), mechanism: "LOGIN", login };
    case "done":
      return { state: "done", credentials: { mechanism: "LOGIN", authzid: "", user: login.user, password: login.password } };
    case "failed":
      return { state: "failed", why: "syntax" };
  }
}
