/** Envelope addresses: RFC 5321 §4.1.2 and §4.1.3, with the latitude of a server that must understand old clients. Pure. */
import { alpha, atext, digit, hexdig, octetClass, union } from "../syntax/octets.ts";
import type { Scanner } from "../syntax/scanner.ts";

export interface Mailbox {
  /** Without quotes and backslashes. */
  readonly local: string;
  /** As written; an address literal with its brackets; "" for none (<postmaster>). */
  readonly domain: string;
}

/** RFC 5321 §4.5.3.1.1 has 64; lists with VERP need more. */
export const localPartLimit = 255;
/** RFC 5321 §4.5.3.1.2. */
export const domainLimit = 255;

/** Dot-string with dots anywhere: "a..b" and "a." exist in the world and name somebody. */
const dotString = union(atext, octetClass("."));
/** qtextSMTP = %d32-33 / %d35-91 / %d93-126 */
const qtext = octetClass([32, 33], [35, 91], [93, 126]);
/** Let-dig, "-", ".", and "_" which hosts do have. */
const domainText = union(alpha, digit, octetClass("-._"));
/** dcontent = %d33-90 / %d94-126 */
const dcontent = octetClass([33, 90], [94, 126]);

const dquote = 0x22;
const backslash = 0x5c;

/**
 * Mailbox = Local-part "@" ( Domain / address-literal )
 *
 * The domain may be missing (RFC 5321 §4.1.1.3 has <Postmaster> without one; other bare names are completed by the
 * caller). Throws SyntaxFault.
 */
export function mailbox(s: Scanner): Mailbox {
  const start = s.position;
  const local = s.peek() === dquote ? quotedString(s) : s.some(dotString, "local part").toString("latin1");
  if (local.length > localPartLimit) s.fail("local part too long", start);
  return { local, domain: s.take("@") ? domainOrLiteral(s) : "" };
}

/** Quoted-string = DQUOTE *QcontentSMTP DQUOTE. May be empty. RFC 5321 §4.1.2. */
function quotedString(s: Scanner): string {
  s.expect(dquote);
  let text = "";
  for (;;) {
    text += s.run(qtext).toString("latin1");
    if (s.take(dquote)) return text;
    s.expect(backslash);
    const octet = s.any();
    if (octet < 32 || octet > 126) s.fail("quoted-pair expected", s.position - 1);
    text += String.fromCharCode(octet);
  }
}

/** Domain / address-literal. RFC 5321 §4.1.2, §4.1.3; a final dot is taken and dropped. */
function domainOrLiteral(s: Scanner): string {
  const start = s.position;
  if (s.take("[")) {
    const content = s.some(dcontent, "address literal", domainLimit).toString("latin1");
    s.expect("]");
    if (!addressLiteral(content)) s.fail("address literal expected", start);
    return `[${content}]`;
  }
  const text = s.some(domainText, "domain").toString("latin1");
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (name.length > domainLimit || name.split(".").some((label) => label === "" || label.length > 63)) s.fail("domain expected", start);
  return name;
}

/** IPv4-address-literal / IPv6-address-literal. RFC 5321 §4.1.3. General literals are refused: nobody can route to one. */
function addressLiteral(content: string): boolean {
  if (/^IPv6:/i.test(content)) return content.length > 5 && [...Buffer.from(content.slice(5))].every((o) => hexdig[o] === 1 || o === 0x3a || o === 0x2e);
  const parts = content.split(".");
  return parts.length === 4 && parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) < 256);
}

/**
 * Path = "<" [ A-d-l ":" ] Mailbox ">"
 *
 * RFC 5321 §4.1.2. A source route is taken and dropped (Appendix C). The brackets may be missing, as old clients
 * leave them out. "<>" is undefined. Throws SyntaxFault.
 */
export function path(s: Scanner): Mailbox | undefined {
  const bracket = s.take("<");
  if (bracket && s.take(">")) return undefined;
  if (s.peek() === 0x40) sourceRoute(s);
  const found = mailbox(s);
  if (bracket) s.expect(">");
  return found;
}

/** A-d-l ":" where A-d-l = At-domain *( "," At-domain ). RFC 5321 §4.1.2. */
function sourceRoute(s: Scanner): void {
  do {
    s.expect("@");
    domainOrLiteral(s);
  } while (s.take(","));
  s.expect(":");
}

/** The one spelling of an address in the queue, the log and replies: quoted only where it must be. Inverse of `mailbox`. */
export function printMailbox(m: Mailbox): string {
  const plain = m.local !== "" && isDotString(m.local);
  const local = plain ? m.local : `"${m.local.replaceAll(/["\\]/g, "\\$&")}"`;
  return m.domain === "" ? local : `${local}@${m.domain}`;
}

function isDotString(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (dotString[text.charCodeAt(i)] !== 1) return false;
  return true;
}

/** Equal for two spellings of one recipient: the local part as it is (RFC 5321 §2.4), the domain without case. */
export const mailboxKey = (m: Mailbox): string => `${m.local}@${m.domain.toLowerCase()}`;
