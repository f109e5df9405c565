/**
 * The AUTHORIZATION state of POP3 as values: a line in, what to do out. RFC 1939 §4, §7; RFC 2449 (CAPA); RFC 2595 (STLS); RFC 5034
 * (AUTH). Pure: TLS, passwords and the hand-over are main's.
 */
import { commandLine, words } from "../pop3/command.ts";
import { err, list, ok, type Reply } from "../pop3/reply.ts";
import { mechanismNamed, startExchange, stepExchange, type Credentials, type Exchange } from "../sasl/exchange.ts";
import { safe } from "../sasl/safe.ts";

/** Plain data: where the dialogue stands. */
export type Authorization =
  | { readonly at: "start" }
  /** After USER. */
  | { readonly at: "user"; readonly user: string }
  /** Inside AUTH: the next line is a response. */
  | { readonly at: "exchange"; readonly exchange: Exchange };

/** What the connection is at this moment. */
export interface Conditions {
  /** TLS is there. */
  readonly secured: boolean;
  /** TLS can be had. */
  readonly tlsOffered: boolean;
  readonly plaintextAllowed: boolean;
}

export type Step = { readonly next: Authorization } & (
  | { readonly do: "reply"; readonly reply: Reply; /** Was no command: counts against the client. */ readonly bad?: true }
  | { readonly do: "login"; readonly credentials: Credentials; readonly method: string }
  | { readonly do: "tls"; readonly reply: Reply }
  | { readonly do: "quit"; readonly reply: Reply }
);

export const start: Authorization = { at: "start" };

const refusedInClear = err("Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", "AUTH");

const say = (reply: Reply, next: Authorization = start): Step => ({ do: "reply", reply, next });
const badCommand = (text: string): Step => ({ do: "reply", reply: err(text), bad: true, next: start });

/** Takes one line without its line end. Never throws. */
export function step(now: Authorization, line: Buffer, conditions: Conditions): Step {
  if (now.at === "exchange") return exchanged(stepExchange(now.exchange, line.toString("latin1")));
  const { keyword, argument } = commandLine(line);
  switch (keyword) {
    case "USER":
      return user(argument, conditions);
    case "PASS":
      return pass(now, argument, conditions);
    case "AUTH":
      return auth(argument, conditions);
    case "STLS":
      return stls(argument, conditions);
    case "CAPA":
      return say(list("", capabilities(conditions)), now);
    case "QUIT":
      return { do: "quit", reply: ok("Logging out."), next: start };
    case "APOP":
      // RFC 1939 §7: it needs the password itself on disk. The greeting has no timestamp, so that no client tries.
      return say(err("APOP is not available; use USER and PASS, or AUTH.", "AUTH"));
    case "RPOP":
      return say(err("RPOP is not available; use USER and PASS, or AUTH."));
    case "NOOP":
    case "STAT":
    case "LIST":
    case "RETR":
    case "DELE":
    case "RSET":
    case "TOP":
    case "UIDL":
    case "LAST":
      return say(err("Log in first."), now);
    default:
      return badCommand("Unknown command.");
  }
}

/** A line too long to be a command or a response; it has been thrown away. */
export const overlong = (): Step => badCommand("Line too long.");

/** USER name. RFC 1939 §7. Answers alike for every name. */
function user(argument: Buffer | undefined, conditions: Conditions): Step {
  if (!conditions.plaintextAllowed) return say(refusedInClear);
  const name = argument === undefined ? undefined : safe(argument);
  return name === undefined ? say(err("USER needs a name.")) : say(ok(), { at: "user", user: name });
}

/** PASS string. RFC 1939 §7: the rest of the line is the password, spaces too. */
function pass(now: Authorization, argument: Buffer | undefined, conditions: Conditions): Step {
  if (!conditions.plaintextAllowed) return say(refusedInClear);
  if (now.at !== "user") return say(err("No username given."));
  const password = argument === undefined ? undefined : safe(argument);
  if (password === undefined) return say(err("PASS needs a password.", "AUTH"));
  return { do: "login", credentials: { mechanism: "PLAIN", authzid: "", user: now.user, password }, method: "PLAIN", next: start };
}

/** AUTH [mechanism [initial-response]]. RFC 5034 §4; without a mechanism it lists them, as RFC 1734's drafts did and clients still try. */
function auth(argument: Buffer | undefined, conditions: Conditions): Step {
  const [name, initial, ...more] = words(argument);
  if (name === undefined) return say(list("", conditions.plaintextAllowed ? ["PLAIN", "LOGIN"] : []));
  const mechanism = mechanismNamed(name);
  if (mechanism === undefined || more.length > 0) return say(err("Unsupported authentication mechanism."));
  if (!conditions.plaintextAllowed) return say(refusedInClear);
  return exchanged(startExchange(mechanism, initial));
}

function exchanged(exchange: Exchange): Step {
  switch (exchange.state) {
    case "ask":
      return { do: "reply", reply: { kind: "challenge", base64: exchange.challenge }, next: { at: "exchange", exchange } };
    case "done":
      return { do: "login", credentials: exchange.credentials, method: exchange.credentials.mechanism, next: start };
    case "failed":
      return say(exchange.why === "cancelled" ? err("Authentication aborted by client.") : err("Invalid SASL response."));
  }
}

/** STLS. RFC 2595 §4. */
function stls(argument: Buffer | undefined, conditions: Conditions): Step {
  if (argument !== undefined) return say(err("STLS takes no argument."));
  if (conditions.secured) return say(err("TLS is already active."));
  if (!conditions.tlsOffered) return say(err("TLS is not available."));
  return { do: "tls", reply: ok("Begin TLS negotiation now."), next: start };
}

/** CAPA in this state. RFC 2449 §5: what a client could use on this connection as it is. */
function capabilities({ secured, tlsOffered, plaintextAllowed }: Conditions): readonly string[] {
  return [
    "TOP",
    "UIDL",
    "RESP-CODES",
    "PIPELINING",
    "AUTH-RESP-CODE",
    ...(tlsOffered && !secured ? ["STLS"] : []),
    ...(plaintextAllowed ? ["USER", "SASL PLAIN LOGIN"] : []),
  ];
}
