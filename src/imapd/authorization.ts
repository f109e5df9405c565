/**
 * The not authenticated state of IMAP as values: a frame in, what to do out. RFC 3501 §3.1, §6.1, §6.2; RFC 4959; RFC 2971. Pure: TLS,
 * passwords and the hand-over are the connection's.
 */
import { capabilitiesBeforeLogin } from "../imap/capability.ts";
import { parseCommand, UnknownCommand, type Command, type TaggedCommand } from "../imap/command.ts";
import { tagOf, type Frame } from "../imap/framer.ts";
import { bad, condition, idResponse, no, ok, type Reply } from "../imap/respond.ts";
import { mechanismNamed, startExchange, stepExchange, type Credentials, type Exchange } from "../sasl/exchange.ts";
import { safe } from "../sasl/safe.ts";
import { SyntaxFault } from "../syntax/fault.ts";

/** Plain data: where the dialogue stands. */
export type Authorization =
  | { readonly at: "start" }
  /** Inside AUTHENTICATE: the next line is a response. */
  | { readonly at: "exchange"; readonly tag: string; readonly exchange: Exchange };

/** What the connection is at this moment. */
export interface Conditions {
  readonly tls: "offered" | "on" | "off";
  readonly plaintextAllowed: boolean;
  /** auth_mechanisms. */
  readonly mechanisms: readonly string[];
}

export type Step = { readonly next: Authorization } & (
  | { readonly do: "say"; /** octets */ readonly text: string; /** Was no command: counts against the client. */ readonly bad?: true }
  | { readonly do: "login"; readonly tag: string; readonly credentials: Credentials }
  | { readonly do: "tls"; readonly text: string }
  | { readonly do: "end"; readonly text: string; readonly why: string }
);

export const start: Authorization = { at: "start" };

const needsTls = no("Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", "PRIVACYREQUIRED");
/** A client that has sent its password in clear had better know. */
const exposed =
  "* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. If anyone was listening, the password was exposed.\r\n";

const say = (text: string): Step => ({ do: "say", text, next: start });
const answer = (tag: string | undefined, reply: Reply): Step =>
  reply.status === "BAD" ? { do: "say", text: condition(tag ?? "*", reply), bad: true, next: start } : say(condition(tag ?? "*", reply));

/** CAPABILITY's list as things are. RFC 3501 §7.2.1 */
export const capabilitiesNow = (c: Conditions): string => capabilitiesBeforeLogin(c.tls, c.plaintextAllowed ? c.mechanisms : []);

/** Takes one frame. Never throws. */
export function step(now: Authorization, frame: Frame, conditions: Conditions): Step {
  switch (frame.kind) {
    case "continue":
      return { do: "say", text: "+ OK\r\n", next: now };
    case "lost":
      return { do: "end", text: "* BYE [TOOBIG] Literal too large.\r\n", why: "Literal too large", next: start };
    case "refused":
      return answer(now.at === "exchange" ? now.tag : frame.tag, frame.why === "line" ? bad("Too long command line.") : bad("Literal too large.", "TOOBIG"));
    case "command":
      break;
  }
  if (now.at === "exchange") {
    return exchanged(now.tag, stepExchange(now.exchange, frame.text.toString("latin1")));
  }
  if (frame.text.length === 0) return say("");
  let tagged: TaggedCommand;
  try {
    tagged = parseCommand(frame);
  } catch (fault) {
    if (!(fault instanceof SyntaxFault)) throw fault;
    return answer(tagOf(frame.text), bad(fault instanceof UnknownCommand ? "Unknown command." : `Error in IMAP command: ${fault.message}.`));
  }
  return perform(tagged.tag, tagged.command, conditions);
}

function perform(tag: string, command: Command, conditions: Conditions): Step {
  switch (command.name) {
    case "CAPABILITY":
      return say(`* CAPABILITY ${capabilitiesNow(conditions)}\r\n${condition(tag, ok("Pre-login capabilities listed, post-login capabilities have more."))}`);
    case "NOOP":
      return say(condition(tag, ok("NOOP completed.")));
    case "LOGOUT":
      return { do: "end", text: `* BYE Logging out\r\n${condition(tag, ok("Logout completed."))}`, why: "Aborted login", next: start };
    case "ID":
      return say(`${idResponse({ name: "Posthorn" })}${condition(tag, ok("ID completed."))}`);
    case "STARTTLS":
      return starttls(tag, conditions);
    case "LOGIN":
      return login(tag, command, conditions);
    case "AUTHENTICATE":
      return authenticate(tag, command, conditions);
    default:
      return answer(tag, bad("Please log in first."));
  }
}

/** RFC 3501 §6.2.1 */
function starttls(tag: string, { tls }: Conditions): Step {
  if (tls === "on") return answer(tag, bad("TLS is already active."));
  if (tls === "off") return answer(tag, no("TLS is not available."));
  return { do: "tls", text: condition(tag, ok("Begin TLS negotiation now.")), next: start };
}

/** RFC 3501 §6.2.3 */
function login(tag: string, command: Extract<Command, { name: "LOGIN" }>, conditions: Conditions): Step {
  if (!conditions.plaintextAllowed) return say(exposed + condition(tag, needsTls));
  const user = safe(command.user);
  const password = safe(command.password);
  if (user === undefined || password === undefined) return answer(tag, no("Authentication failed.", "AUTHENTICATIONFAILED"));
  return { do: "login", tag, credentials: { mechanism: "PLAIN", authzid: "", user, password }, next: start };
}

/** RFC 3501 §6.2.2, RFC 4959 §3 */
function authenticate(tag: string, command: Extract<Command, { name: "AUTHENTICATE" }>, conditions: Conditions): Step {
  const mechanism = mechanismNamed(command.mechanism);
  const offered = conditions.mechanisms.some((m) => m.toUpperCase() === mechanism);
  if (mechanism === undefined || !offered) return answer(tag, no("Unsupported authentication mechanism."));
  if (!conditions.plaintextAllowed) return say((command.initial === undefined ? "" : exposed) + condition(tag, needsTls));
  return exchanged(tag, startExchange(mechanism, command.initial));
}

function exchanged(tag: string, exchange: Exchange): Step {
  switch (exchange.state) {
    case "ask":
      return { do: "say", text: `+ ${exchange.challenge}\r\n`, next: { at: "exchange", tag, exchange } };
    case "done":
      return { do: "login", tag, credentials: exchange.credentials, next: start };
    case "failed":
      // RFC 3501 §6.2.2: BAD for "*" as for what is not base64.
      return answer(tag, bad(exchange.why === "cancelled" ? "Authentication aborted by client." : "Invalid SASL response."));
  }
}
