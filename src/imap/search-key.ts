/** What SEARCH can be asked for. RFC 3501 §6.4.4 and §9, RFC 5032. */
import type { Scanner } from "../syntax/scanner.ts";
import { date, printDate } from "./dates.ts";
import { printSequenceSet, sequenceSet, type SequenceSet } from "./sequence-set.ts";
import { astring, atom, nzNumber, sp, type CommandScanner } from "./strings.ts";

/**
 * Keys that are another key's opposite are said by what they mean:
 * UNSEEN is not flag \Seen, NEW is (RECENT UNSEEN).
 */
export type SearchKey =
  | { readonly key: "all" }
  | { readonly key: "and"; readonly of: readonly SearchKey[] }
  | { readonly key: "or"; readonly left: SearchKey; readonly right: SearchKey }
  | { readonly key: "not"; readonly of: SearchKey }
  /** System flag or keyword. */
  | { readonly key: "flag"; readonly flag: string }
  | { readonly key: "recent" }
  | { readonly key: "seq" | "uid"; readonly set: SequenceSet }
  /** Octets. */
  | { readonly key: "larger" | "smaller"; readonly size: number }
  /** INTERNALDATE, or the Date field with `sent`. */
  | { readonly key: "date"; readonly sent: boolean; readonly how: "before" | "on" | "since"; /** midnight UTC of that day, ms since the epoch */ readonly day: number }
  /** INTERNALDATE at least, or at most, so many seconds ago. RFC 5032 §3 */
  | { readonly key: "older" | "younger"; readonly seconds: number }
  /** A field of this name holds the text; "" only asks that there is one. Octets in the command's charset. "as": what of the field is looked at. */
  | { readonly key: "header"; readonly as: "value" | "addresses" | "subject"; readonly name: string; readonly text: Buffer }
  /** "text" looks at header and body. */
  | { readonly key: "body" | "text"; readonly text: Buffer };

/** Nesting of NOT, OR and parentheses. */
const depthLimit = 50;
/** Keys of one search, those in others too: each is asked of every message. */
const keyLimit = 1000;

/** How deep, and how many keys so far in all of the search. */
interface Place {
  readonly depth: number;
  readonly count: { keys: number };
}

const below = ({ depth, count }: Place): Place => ({ depth: depth + 1, count });

const flags: Readonly<Record<string, string>> = { ANSWERED: "\\Answered", DELETED: "\\Deleted", DRAFT: "\\Draft", FLAGGED: "\\Flagged", SEEN: "\\Seen" };
const fields: Readonly<Record<string, string>> = { BCC: "Bcc", CC: "Cc", FROM: "From", SUBJECT: "Subject", TO: "To" };

/** 1*(SP search-key) without the first SP, up to the end: all must match. Throws SyntaxFault. */
export function searchKeys(s: CommandScanner): SearchKey {
  const keys: SearchKey[] = [];
  const place = { depth: 0, count: { keys: 0 } };
  do keys.push(searchKey(s, place));
  while (s.take(" "));
  return all(keys);
}

const all = (keys: readonly SearchKey[]): SearchKey => (keys.length === 1 && keys[0] !== undefined ? keys[0] : { key: "and", of: keys });

/** search-key = "ALL" / "ANSWERED" / ... / sequence-set / "(" search-key *(SP search-key) ")" */
function searchKey(s: CommandScanner, place: Place): SearchKey {
  if (place.depth > depthLimit) s.fail("search too deep");
  if (s.take("(")) {
    const keys: SearchKey[] = [];
    do keys.push(searchKey(s, below(place)));
    while (s.take(" "));
    s.expect(")");
    return all(keys);
  }
  if (++place.count.keys > keyLimit) s.fail("too many search keys");
  const next = s.peek();
  if (next === 0x2a || (next >= 0x30 && next <= 0x39)) return { key: "seq", set: sequenceSet(s) };
  const at = s.position;
  const name = atom(s).toUpperCase();
  const flag = flags[name.replace(/^UN/, "")];
  if (flag !== undefined) return name.startsWith("UN") ? { key: "not", of: { key: "flag", flag } } : { key: "flag", flag };
  const field = fields[name];
  if (field !== undefined) return { key: "header", as: field === "Subject" ? "subject" : "addresses", name: field, text: argument(s, astring) };
  switch (name) {
    case "ALL":
      return { key: "all" };
    case "NEW":
      return { key: "and", of: [{ key: "recent" }, { key: "not", of: { key: "flag", flag: "\\Seen" } }] };
    case "OLD":
      return { key: "not", of: { key: "recent" } };
    case "RECENT":
      return { key: "recent" };
    case "KEYWORD":
      return { key: "flag", flag: argument(s, atom) };
    case "UNKEYWORD":
      return { key: "not", of: { key: "flag", flag: argument(s, atom) } };
    case "BEFORE":
    case "ON":
    case "SINCE":
      return { key: "date", sent: false, how: dateKeys[name], day: argument(s, date) };
    case "SENTBEFORE":
    case "SENTON":
    case "SENTSINCE":
      return { key: "date", sent: true, how: dateKeys[name], day: argument(s, date) };
    case "LARGER":
      return { key: "larger", size: argument(s, (n) => n.number()) };
    case "SMALLER":
      return { key: "smaller", size: argument(s, (n) => n.number()) };
    case "OLDER":
      return { key: "older", seconds: argument(s, nzNumber) };
    case "YOUNGER":
      return { key: "younger", seconds: argument(s, nzNumber) };
    case "HEADER":
      return { key: "header", as: "value", name: argument(s, astring).toString("latin1"), text: argument(s, astring) };
    case "BODY":
      return { key: "body", text: argument(s, astring) };
    case "TEXT":
      return { key: "text", text: argument(s, astring) };
    case "UID":
      return { key: "uid", set: argument(s, sequenceSet) };
    case "NOT":
      return { key: "not", of: argument(s, () => searchKey(s, below(place))) };
    case "OR":
      return { key: "or", left: argument(s, () => searchKey(s, below(place))), right: argument(s, () => searchKey(s, below(place))) };
    default:
      return s.fail("no such search key", at);
  }
}

const dateKeys = { BEFORE: "before", ON: "on", SINCE: "since", SENTBEFORE: "before", SENTON: "on", SENTSINCE: "since" } as const;

function argument<S extends Scanner, T>(s: S, read: (s: S) => T): T {
  sp(s);
  return read(s);
}

/** A search that `searchKeys` reads as an equal value. Strings are written as non-synchronising literals where quoting does not do. Octets as latin1. */
export function printSearchKey(k: SearchKey): string {
  switch (k.key) {
    case "all":
      return "ALL";
    case "recent":
      return "RECENT";
    case "and":
      return `(${k.of.map(printSearchKey).join(" ")})`;
    case "or":
      return `OR ${printSearchKey(k.left)} ${printSearchKey(k.right)}`;
    case "not":
      return `NOT ${printSearchKey(k.of)}`;
    case "flag":
      return k.flag.startsWith("\\") ? k.flag.slice(1).toUpperCase() : `KEYWORD ${k.flag}`;
    case "seq":
      return printSequenceSet(k.set);
    case "uid":
      return `UID ${printSequenceSet(k.set)}`;
    case "larger":
    case "smaller":
      return `${k.key.toUpperCase()} ${k.size}`;
    case "older":
    case "younger":
      return `${k.key.toUpperCase()} ${k.seconds}`;
    case "date":
      return `${k.sent ? "SENT" : ""}${k.how.toUpperCase()} ${printDate(k.day)}`;
    case "header":
      return `${k.as === "value" ? `HEADER ${printText(Buffer.from(k.name, "latin1"))}` : k.name.toUpperCase()} ${printText(k.text)}`;
    case "body":
    case "text":
      return `${k.key.toUpperCase()} ${printText(k.text)}`;
  }
}

function printText(octets: Buffer): string {
  const text = octets.toString("latin1");
  return /^[\x20-\x7e]*$/.test(text) ? `"${text.replaceAll(/["\\]/g, "\\$&")}"` : `{${octets.length}+}\r\n${text}`;
}
