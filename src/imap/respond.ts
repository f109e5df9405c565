/**
 * Response text, RFC 3501 §7 and §9. Everything is octets in a string, one character per octet: write it with "latin1".
 * Pure.
 */
import { encodeMutf7 } from "../syntax/mutf7.ts";
import { atomChar } from "./octets.ts";
import { printNumbers } from "./sequence-set.ts";
import type { SearchResult, StatusItem } from "./command.ts";

/** Longer strings go as literals; RFC 2683 §3.2.1.5 has clients that can not take long lines. */
const longestQuoted = 1000;

/** What an octet needs in a string: 0 nothing, 1 a backslash, 2 a literal. */
const needs = Uint8Array.from({ length: 256 }, (_, c) => (c === 0x22 || c === 0x5c ? 1 : (c >= 0x20 && c < 0x7f) || c === 0x09 ? 0 : 2));

/** The most that any octet needs. Most strings are so short that a regular expression takes longer to begin. */
function worstIn(text: string): number {
  let worst = 0;
  for (let i = 0; i < text.length && worst < 2; i++) {
    const one = needs[text.charCodeAt(i)] ?? 2;
    if (one > worst) worst = one;
  }
  return worst;
}

/** string = quoted / literal. NUL, which neither can hold (RFC 3501 §4.3), becomes 0x80. */
export function string(text: string): string {
  if (text.length <= longestQuoted) {
    const worst = worstIn(text);
    if (worst === 0) return `"${text}"`;
    if (worst === 1) return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
  }
  return `{${text.length}}\r\n${text.replaceAll("\0", "\x80")}`;
}

/** nstring = string / nil */
export const nstring = (text: string | undefined): string => (text === undefined ? "NIL" : string(text));

/** nstring of a field value, which is one line: a bare CR in it becomes a space, unless white space or nothing is behind it, as in Dovecot. */
export const lineString = (text: string | undefined): string => (text?.includes("\r") === true ? string(text.replaceAll(/\r(?=[ \t\r]|$)/g, "").replaceAll("\r", " ")) : nstring(text));

/** mailbox, in modified UTF-7: an atom where it can be, else quoted. */
export function mailboxName(name: string): string {
  const encoded = encodeMutf7(name);
  if (encoded === "" || /^nil$/i.test(encoded)) return `"${encoded}"`;
  for (let i = 0; i < encoded.length; i++) if (atomChar[encoded.charCodeAt(i)] !== 1) return string(encoded);
  return encoded;
}

/** "(" [flag *(SP flag)] ")" */
export function flagList(flags: Iterable<string>, recent = false): string {
  let out = "";
  for (const f of flags) out += out === "" ? f : ` ${f}`;
  if (recent) out += out === "" ? "\\Recent" : " \\Recent";
  return `(${out})`;
}

/** `name` LIST or LSUB; attributes with their backslash. RFC 3501 §7.2.2 */
export const listResponse = (kind: "LIST" | "LSUB", attributes: readonly string[], separator: string, name: string): string =>
  `* ${kind} (${attributes.join(" ")}) "${separator}" ${mailboxName(name)}\r\n`;

/** Namespace-Response of one personal namespace. RFC 2342 §6 */
export const namespaceResponse = (prefix: string, separator: string): string => `* NAMESPACE ((${string(encodeMutf7(prefix))} "${separator}")) NIL NIL\r\n`;

/** RFC 3501 §7.2.4 */
export const statusResponse = (name: string, items: readonly (readonly [StatusItem, number])[]): string =>
  `* STATUS ${mailboxName(name)} (${items.map(([item, n]) => `${item} ${n}`).join(" ")})\r\n`;

/**
 * esearch-response = "ESEARCH" [SP "(" "TAG" SP string ")"] [SP "UID"] *(SP search-return-data). RFC 4466 §3, RFC 4731 §3.1
 *
 * @param found      numbers or UIDs, in the order they are told: ascending, or as SORT has them (RFC 5267 §3.1)
 * @param results    asked for; none means ALL
 */
export function esearchResponse(tag: string, uid: boolean, results: readonly SearchResult[], found: readonly number[]): string {
  const wanted = new Set(results.length === 0 ? (["ALL"] as const) : results);
  const said = [`* ESEARCH (TAG ${string(tag)})`, ...(uid ? ["UID"] : [])];
  const [first] = found;
  if (first !== undefined) {
    if (wanted.has("MIN")) said.push(`MIN ${first}`);
    if (wanted.has("MAX")) said.push(`MAX ${found.at(-1)}`);
    if (wanted.has("ALL")) said.push(`ALL ${printNumbers(found)}`);
  }
  if (wanted.has("COUNT")) said.push(`COUNT ${found.length}`);
  return `${said.join(" ")}\r\n`;
}

/** id_response. RFC 2971 §3.2 */
export const idResponse = (fields: Readonly<Record<string, string>>): string =>
  `* ID (${Object.entries(fields)
    .map(([k, v]) => `${string(k)} ${string(v)}`)
    .join(" ")})\r\n`;

/** The end of a command. RFC 3501 §7.1. `code` is without brackets. */
export interface Reply {
  readonly status: "OK" | "NO" | "BAD";
  readonly code?: string;
  readonly text: string;
}

export const ok = (text: string, code?: string): Reply => (code === undefined ? { status: "OK", text } : { status: "OK", code, text });
export const no = (text: string, code?: string): Reply => (code === undefined ? { status: "NO", text } : { status: "NO", code, text });
export const bad = (text: string, code?: string): Reply => (code === undefined ? { status: "BAD", text } : { status: "BAD", code, text });

/** resp-cond-state with a tag, or "*" for none. The text may not hold line ends or 8-bit octets; those become "?". */
export const condition = (tag: string, reply: Reply): string => `${tag} ${reply.status} ${reply.code === undefined ? "" : `[${reply.code}] `}${reply.text.replaceAll(/[^\x20-\x7e]/g, "?")}\r\n`;
