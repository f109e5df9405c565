/**
 * Addresses in header fields. RFC 5322 §3.4 with the obsolete forms of §4.4, and what is found in the wild: parsing never throws and
 * never loses sync at a comma. Works on strings of any kind: characters above US-ASCII count as atext (RFC 6532 §3.2).
 */
import { trimmed } from "../syntax/blanks.ts";
import { atext } from "../syntax/octets.ts";
import { Text } from "./text-scanner.ts";

/** One mailbox. Parts are without quoting. */
export interface Mailbox {
  readonly kind: "mailbox";
  /** Display name, or the comment behind an address without "<>"; encoded words are left as they are. */
  readonly name: string | undefined;
  /** obs-route "@a,@b" of RFC 5322 §4.4; undefined as a rule. */
  readonly route: string | undefined;
  readonly local: string;
  /** "" when there is none: `bob`, or rubbish. Domain literals keep their brackets. */
  readonly domain: string;
  /** The local part is the empty quoted string, rather than missing. */
  readonly emptyLocal?: true;
  /** Of one that breaks off what stands before the fault: for ENVELOPE, which tells it as Dovecot 2.3 does. Mail must not be sent to it. */
  readonly broken?: Broken;
}

export interface Broken {
  readonly name: string | undefined;
  readonly local: string;
  /** It breaks off behind the "<". */
  readonly angle: boolean;
}

export interface Group {
  readonly kind: "group";
  readonly name: string;
  readonly members: readonly Mailbox[];
}

export type Address = Mailbox | Group;

const atoms = String.raw`A-Za-z0-9!#$%&'*+\-/=?^_\`{|}~\x80-\uffff`;
const word = `[${atoms}][${atoms}.]*`;
const dotted = `[${atoms}.]+`;

/**
 * address-list of a To, Cc, From ... value (folding may still be in it).
 *
 * RFC 5322 §3.4, §4.4. Empty elements are passed over.
 *
 * @param most  addresses taken, and members of a group
 */
export function parseAddresses(value: string, most = Infinity): Address[] {
  const s = new Text(value);
  const found: Address[] = [];
  while (!s.atEnd && found.length < most) {
    const plain = plainMailbox(s);
    if (plain !== undefined) {
      found.push(plain);
      continue;
    }
    s.comments();
    if (s.take(",") || s.take(";")) continue;
    if (s.atEnd) break;
    found.push(address(s, most));
  }
  return found;
}

/** As nearly all are: no comment, no backslash, no route, words of a name with one space between, behind it a comma or the end. */
const plainAddress = new RegExp(String.raw`[ \t\r\n]*(?:(?:"([^"\\]*)"|(${word}(?: ${word})*))[ \t\r\n]*)?<(${dotted})@(${word})>[ \t\r\n]*(?:,|$)`, "y");

/** The mailbox at the position, and what `address` makes of it; undefined for another kind, which is not passed then. */
function plainMailbox(s: Text): Mailbox | undefined {
  plainAddress.lastIndex = s.position;
  const m = plainAddress.exec(s.text);
  if (m === null) return undefined;
  s.position = plainAddress.lastIndex;
  const name = m[1] ?? m[2] ?? "";
  return { kind: "mailbox", name: name === "" ? undefined : name, route: undefined, local: m[3] ?? "", domain: m[4] ?? "" };
}

/** Every mailbox of a list, those in groups too. */
export const mailboxes = (addresses: readonly Address[]): Mailbox[] => addresses.flatMap((a) => (a.kind === "group" ? a.members : [a]));

/**
 * address = mailbox / group. Also takes what is neither, up to the next comma.
 */
function address(s: Text, most: number): Address {
  const before = s.position;
  const words = phrase(s);
  if (s.peek() === ":" && words.words.length > 0) {
    s.skip();
    return { kind: "group", name: words.words.join(" "), members: groupMembers(s, most) };
  }
  return mailbox(s, words, before, ",");
}

/** group-list up to its ";", or to the end where that is missing. */
function groupMembers(s: Text, most: number): Mailbox[] {
  const members: Mailbox[] = [];
  for (;;) {
    if (members.length >= most) return members;
    s.comments();
    if (s.atEnd || s.take(";")) return members;
    if (s.take(",")) continue;
    const before = s.position;
    members.push(mailbox(s, phrase(s), before, ",;"));
  }
}

interface Phrase {
  readonly words: string[];
  /** As an addr-spec would have it: local-part text without CFWS around dots; what `words` holds is for display. */
  readonly local: string;
  /** Two words stand side by side: no local part. */
  readonly apart: boolean;
  /** The first word is a quoted string. */
  readonly quoted: boolean;
  /** Where two words stand side by side with a comment between: the first, and the comment. */
  readonly commented: { readonly local: string; readonly comment: string } | undefined;
  readonly comment: string | undefined;
}

/** phrase = 1*word / obs-phrase: words, quoted strings and stray dots. May be empty. */
function phrase(s: Text): Phrase {
  const words: string[] = [];
  let local = "";
  let apart = false;
  /** The piece before was a dot. */
  let dotted = false;
  let comment = s.comments();
  const quoted = s.peek() === '"';
  let commented: Phrase["commented"];
  let between: string | undefined;
  /** A dot glues to what stands before it without white space: "J. Doe", "john.doe". */
  let glue = false;
  for (;;) {
    const c = s.peek();
    let word: string;
    let dot = false;
    if (c === '"') word = s.quotedString();
    else if (c === ".") {
      s.skip();
      word = ".";
      dot = true;
    } else word = atomText(s);
    if (word === "" && c !== '"') return { words, local, apart, quoted, commented, comment };
    const joined = words.length === 0 || dot || dotted;
    dotted = dot;
    if (!joined && !apart) {
      apart = true;
      if (between !== undefined) commented = { local, comment: between };
    }
    local += joined ? word : ` ${word}`;
    const last = words.length - 1;
    if (glue && last >= 0) words[last] += word;
    else words.push(word);
    const from = s.position;
    between = s.comments();
    comment = between ?? comment;
    // "john.doe" stays one word; "J. Doe" are two.
    glue = s.position === from && (dot || s.peek() === ".");
  }
}

/** Atext and whatever is above US-ASCII. */
function atomText(s: Text): string {
  const start = s.position;
  for (;;) {
    const c = s.text.charCodeAt(s.position);
    if (!(atext[c] === 1 || c >= 0x80)) return s.text.slice(start, s.position);
    s.position++;
  }
}

/**
 * mailbox = name-addr / addr-spec, of which the first phrase is read already. `stops` end it.
 */
function mailbox(s: Text, first: Phrase, before: number, stops: string): Mailbox {
  const phraseText = first.words.join(" ");
  const named = phraseText === "" ? undefined : phraseText;
  if (s.take("<")) {
    const inner = angle(s, named);
    toStop(s, stops);
    return { kind: "mailbox", name: named, ...inner };
  }
  if (!first.apart && s.take("@")) {
    const { text, comment } = domain(s);
    // A comment behind the address names its owner in mail older than RFC 822's display names.
    const name = comment ?? first.comment;
    toStop(s, stops);
    const found: Mailbox = { kind: "mailbox", name, route: undefined, local: first.local, domain: text, ...emptyLocal(first) };
    return isNoDomain(text) ? { ...found, broken: { name, local: first.local, angle: false } } : found;
  }
  if (s.atEnd || stops.includes(s.peek())) {
    // One word is a local user; several are a name whose address is missing.
    if (first.words.length > 0 && !first.apart) return { kind: "mailbox", name: first.comment, route: undefined, local: first.local, domain: "", broken: brokenOff(first) };
    if (named !== undefined) return { kind: "mailbox", name: named, route: undefined, local: "", domain: "", broken: brokenOff(first) };
  }
  // Rubbish before the "<", as in "[list] <a@b>": taken for a name.
  toStop(s, `${stops}<`);
  const rubbish = trimmed(s.text.slice(before, s.position));
  if (s.take("<")) {
    const inner = angle(s, rubbish);
    toStop(s, stops);
    return { kind: "mailbox", name: rubbish, ...inner };
  }
  // No address at all: kept as a name that goes nowhere rather than dropped.
  const nowhere: Mailbox = { kind: "mailbox", name: rubbish, route: undefined, local: "", domain: "" };
  return named === undefined ? nowhere : { ...nowhere, broken: brokenOff(first) };
}

const emptyLocal = ({ local, words }: Phrase): { readonly emptyLocal?: true } => (local === "" && words.length > 0 ? { emptyLocal: true } : {});

/** Words that no address follows: one word would be a local part, several or a quoted string are a name. */
function brokenOff({ words, local, quoted, commented, comment }: Phrase): Broken {
  if (commented !== undefined) return { name: commented.comment, local: commented.local, angle: false };
  if (words.length > 1) return { name: words.join(" "), local: "", angle: false };
  return quoted && comment === undefined ? { name: local, local: "", angle: false } : { name: comment, local, angle: false };
}

/** Not even an obsolete domain (RFC 5322 §4.4): it begins with a dot, or is a literal that is not closed. */
const isNoDomain = (domain: string): boolean => domain.startsWith(".") || (domain.startsWith("[") && !domain.endsWith("]"));

/** angle-addr behind its "<", with obs-route; takes the ">" if it is there. */
function angle(s: Text, name: string | undefined): Pick<Mailbox, "route" | "local" | "emptyLocal" | "domain" | "broken"> {
  s.comments();
  const route = s.peek() === "@" ? obsRoute(s) : undefined;
  const found = phrase(s);
  let text = "";
  if (s.take("@")) text = domain(s).text;
  const closed = s.take(">");
  if (found.apart || (!closed && (text === "" || !s.atEnd))) {
    // Something behind the address: better none than a wrong one, for mail may be sent to it.
    s.until(">,");
    s.take(">");
    return { route: undefined, local: "", domain: "", broken: { name, local: found.apart ? (found.words[0] ?? "") : found.local, angle: true } };
  }
  const address = { route, local: found.local, domain: text, ...emptyLocal(found) };
  return isNoDomain(text) ? { ...address, broken: { name, local: found.local, angle: true } } : address;
}

/** obs-route = "@" domain *(*(CFWS / ",") "@" domain) ":", as "@a,@b"; undefined, and nothing passed, where it is none. RFC 5322 §4.4 */
function obsRoute(s: Text): string | undefined {
  const start = s.position;
  const hops: string[] = [];
  while (s.take("@")) {
    hops.push(`@${domain(s).text}`);
    while (s.take(",")) s.comments();
  }
  if (s.take(":")) return hops.join(",");
  s.position = start;
  return undefined;
}

/** domain = dot-atom / domain-literal / obs-domain. May come out empty. */
function domain(s: Text): { text: string; comment: string | undefined } {
  let comment = s.comments();
  let text = "";
  if (s.peek() === "[") {
    const start = s.position;
    for (let c = s.peek(); c !== "]" && c !== ""; c = s.peek()) s.position += c === "\\" ? 2 : 1;
    s.take("]");
    return { text: s.text.slice(start, s.position).replaceAll(/[ \t\r\n]+/g, ""), comment: s.comments() ?? comment };
  }
  // Whether the last piece was a dot is kept beside the text: to look at the end of a string that was put together costs all of it.
  for (let dotted = true; ; ) {
    const piece = s.take(".") ? "." : atomText(s);
    if (piece === "") return { text, comment };
    // Without this, "a@b c" would be the domain "bc".
    if (piece !== "." && !dotted) {
      s.position -= piece.length;
      return { text, comment };
    }
    dotted = piece === ".";
    text += piece;
    comment = s.comments() ?? comment;
  }
}

/** Passes rubbish up to a stop, over quoted strings and comments; always moves when not at a stop. */
function toStop(s: Text, stops: string): void {
  for (;;) {
    s.comments();
    const c = s.peek();
    if (c === "" || stops.includes(c)) return;
    if (c === '"') s.quotedString();
    else s.skip();
  }
}

const dotAtom = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+)*$/u;

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;

/** addr-spec, quoting the local part where it must be (RFC 5322 §3.4.1). Without domain, the local part alone. */
export function addrSpec(m: Pick<Mailbox, "local" | "domain">): string {
  const local = dotAtom.test(m.local) ? m.local : quoted(m.local);
  return m.domain === "" ? local : `${local}@${m.domain}`;
}

const plainPhrase = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+)*$/u;

/** One address as header text; a route is left out (RFC 5322 §4.4: must not be made). */
export function formatAddress(a: Address): string {
  if (a.kind === "group") return `${phraseOf(a.name)}: ${a.members.map(formatAddress).join(", ")};`;
  return a.name === undefined ? addrSpec(a) : `${phraseOf(a.name)} <${addrSpec(a)}>`;
}

const phraseOf = (name: string): string => (plainPhrase.test(name) ? name : quoted(name));
