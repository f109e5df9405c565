/** SMTP commands: a line in, a value or the refusal to answer out. RFC 5321 §4.1.1 and the extensions we announce. Pure. */
import { SyntaxFault } from "../syntax/fault.ts";
import { alpha, digit, octetClass, union, vchar, without } from "../syntax/octets.ts";
import { Scanner } from "../syntax/scanner.ts";
import { mailbox, path, printMailbox, type Mailbox } from "./mailbox.ts";
import type { Refusal } from "./reply.ts";

export interface MailCommand {
  readonly verb: "MAIL";
  /** Undefined: the null sender. */
  readonly sender: Mailbox | undefined;
  /** RFC 1870 §6: declared octets. */
  readonly size: number | undefined;
  /** RFC 6152. */
  readonly body: "7BIT" | "8BITMIME" | undefined;
}

export type Command =
  | { readonly verb: "HELO" | "EHLO" | "LHLO"; readonly name: string }
  | MailCommand
  | { readonly verb: "RCPT"; readonly recipient: Mailbox }
  | { readonly verb: "DATA" | "RSET" | "NOOP" | "QUIT" | "HELP" | "STARTTLS" }
  | { readonly verb: "VRFY"; readonly recipient: Mailbox }
  | { readonly verb: "AUTH"; readonly mechanism: string; readonly initial: string | undefined }
  /** A word of HTTP: a web browser was made to talk to us (RFC 9110 has these three with a body or a tunnel). */
  | { readonly verb: "FOREIGN" }
  /** `refusal` answers it; `verb` is upper case, "UNKNOWN" when there is no such command. */
  | { readonly verb: "BAD"; readonly of: string; readonly refusal: Refusal };

/** Longest command line, octets without its line end: RFC 5321 §4.5.3.1.4 has 512 and extensions add to it; as Postfix. */
export const commandLimit = 2048;
/** RFC 4954 §4: AUTH and the lines of its exchange. */
export const authLineLimit = 12288;

const bad = (of: string, code: `5${number}`, status: `5.${number}.${number}`, text: string): Command => ({ verb: "BAD", of, refusal: { code, status, text } });

const space = octetClass(" \t");
const verbText = union(alpha, digit);
/** esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
const keywordText = union(alpha, digit, octetClass("-"));
/** esmtp-value = 1*(%d33-60 / %d62-126) */
const valueText = without(vchar, octetClass("="));

/**
 * Reads one command line, given without its line end. Never throws. White space at the end and between
 * words is tolerated in any amount.
 */
export function parseCommand(line: Buffer): Command {
  const s = new Scanner(line, 0, trimmedEnd(line));
  s.run(space);
  const verb = s.run(verbText).toString("latin1").toUpperCase();
  const separated = s.run(space).length > 0 || s.atEnd;
  const parse = parsers.get(verb);
  if (parse === undefined || !separated) return bad("UNKNOWN", "502", "5.5.2", "Error: command not recognized");
  try {
    return parse(s, verb);
  } catch (fault) {
    if (fault instanceof SyntaxFault) return bad(verb, "501", "5.5.4", "Syntax error in parameters");
    throw fault;
  }
}

function trimmedEnd(line: Buffer): number {
  let end = line.length;
  while (end > 0 && space[line[end - 1] ?? 0] === 1) end--;
  return end;
}

const parsers: ReadonlyMap<string, (s: Scanner, verb: string) => Command> = new Map<string, (s: Scanner, verb: string) => Command>([
  ["HELO", helo("HELO")],
  ["EHLO", helo("EHLO")],
  ["LHLO", helo("LHLO")],
  ["MAIL", mail],
  ["RCPT", rcpt],
  ["DATA", alone("DATA")],
  ["RSET", alone("RSET")],
  ["NOOP", () => ({ verb: "NOOP" })],
  ["QUIT", alone("QUIT")],
  ["HELP", () => ({ verb: "HELP" })],
  ["STARTTLS", alone("STARTTLS")],
  ["VRFY", vrfy],
  ["AUTH", auth],
  ["CONNECT", () => ({ verb: "FOREIGN" })],
  ["GET", () => ({ verb: "FOREIGN" })],
  ["POST", () => ({ verb: "FOREIGN" })],
]);

/** "HELO" SP Domain; "EHLO" SP ( Domain / address-literal ): RFC 5321 §4.1.1.1. Any one word is taken, as many clients do not know their name. */
function helo(verb: "HELO" | "EHLO" | "LHLO") {
  return (s: Scanner): Command => {
    const name = s.run(vchar, 255).toString("latin1");
    if (name === "" || !s.atEnd) return bad(verb, "501", "5.5.4", `Syntax: ${verb} hostname`);
    return { verb, name };
  };
}

function alone(verb: "DATA" | "RSET" | "QUIT" | "STARTTLS") {
  return (s: Scanner): Command => (s.atEnd ? { verb } : bad(verb, "501", "5.5.4", `Syntax: ${verb}`));
}

/** "MAIL FROM:" Reverse-path [SP Mail-parameters]. RFC 5321 §4.1.1.2. */
function mail(s: Scanner): Command {
  if (!s.takeNoCase("FROM:")) return bad("MAIL", "501", "5.5.4", "Syntax: MAIL FROM:<address>");
  s.run(space);
  const sender = attempt(s, () => path(s));
  if (sender === "bad") return bad("MAIL", "501", "5.1.7", "Bad sender address syntax");
  let size: number | undefined;
  let body: MailCommand["body"];
  for (const [keyword, value] of parameters(s)) {
    switch (keyword) {
      case "SIZE":
        // RFC 1870 §3: size-value = 1*20DIGIT
        if (value === undefined || !/^\d{1,20}$/.test(value)) return bad("MAIL", "501", "5.5.4", "Bad message size syntax");
        size = Number(value);
        break;
      case "BODY": {
        const type = value?.toUpperCase();
        if (type !== "7BIT" && type !== "8BITMIME") return bad("MAIL", "501", "5.5.4", "Bad BODY parameter");
        body = type;
        break;
      }
      case "AUTH": // RFC 4954 §5: a relayed identity, which is not believed.
        break;
      default:
        return bad("MAIL", "555", "5.5.4", `Unsupported option: ${keyword}`);
    }
  }
  return { verb: "MAIL", sender, size, body };
}

/** "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]. RFC 5321 §4.1.1.3. */
function rcpt(s: Scanner): Command {
  if (!s.takeNoCase("TO:")) return bad("RCPT", "501", "5.5.4", "Syntax: RCPT TO:<address>");
  s.run(space);
  const recipient = attempt(s, () => path(s));
  if (recipient === "bad" || recipient === undefined || recipient.local === "") return bad("RCPT", "501", "5.1.3", "Bad recipient address syntax");
  for (const [keyword] of parameters(s)) return bad("RCPT", "555", "5.5.4", `Unsupported option: ${keyword}`);
  return { verb: "RCPT", recipient };
}

/** "VRFY" SP String. RFC 5321 §4.1.1.6; the string is an address or a user's name. */
function vrfy(s: Scanner): Command {
  const recipient = attempt(s, () => path(s));
  if (recipient === "bad" || recipient === undefined || recipient.local === "" || !s.atEnd) return bad("VRFY", "501", "5.5.4", "Syntax: VRFY address");
  return { verb: "VRFY", recipient };
}

/** "AUTH" SP mechanism [SP initial-response]. RFC 4954 §4. */
function auth(s: Scanner): Command {
  const mechanism = s.run(vchar).toString("latin1").toUpperCase();
  s.run(space);
  const initial = s.run(vchar).toString("latin1");
  if (mechanism === "" || !s.atEnd) return bad("AUTH", "501", "5.5.4", "Syntax: AUTH mechanism");
  return { verb: "AUTH", mechanism, initial: initial === "" ? undefined : initial };
}

/** A path that must be followed by white space or the end. */
function attempt<T>(s: Scanner, parse: () => T): T | "bad" {
  try {
    const found = parse();
    return s.atEnd || space[s.peek()] === 1 ? found : "bad";
  } catch (fault) {
    if (fault instanceof SyntaxFault) return "bad";
    throw fault;
  }
}

/** *( SP esmtp-param ), esmtp-param = esmtp-keyword ["=" esmtp-value]. RFC 5321 §4.1.2. Keywords in upper case. Throws SyntaxFault, also on a keyword given twice. */
function parameters(s: Scanner): ReadonlyMap<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  for (;;) {
    s.run(space);
    if (s.atEnd) return found;
    const keyword = s.some(keywordText, "keyword").toString("latin1").toUpperCase();
    if (found.has(keyword)) s.fail("keyword given twice");
    found.set(keyword, s.take("=") ? s.some(valueText, "value").toString("latin1") : undefined);
    if (!s.atEnd && space[s.peek()] !== 1) s.fail("white space expected");
  }
}

/** Reads an address outside SMTP: an argument of sendmail(1). Undefined when it is none; "" is the null sender. */
export function parseAddress(text: string): Mailbox | undefined {
  const s = new Scanner(Buffer.from(text, "utf8"));
  const found = attempt(s, () => (s.peek() === 0x3c ? path(s) : mailbox(s)));
  return found === "bad" || !s.atEnd ? undefined : found;
}

/** The address as the queue carries it, with `origin` where it has no domain. */
export const complete = (m: Mailbox, origin: string): string => printMailbox(m.domain === "" ? { local: m.local, domain: origin } : m);
