/**
 * The Content-* fields of MIME: RFC 2045 §5, §6, §7, §8; RFC 2183 (disposition); RFC 2231 (parameters); RFC 3282 (language); RFC 2557
 * (location). Values come in unfolded, one character per octet, and stay so; names keep their case. Nothing throws.
 */
import { attributeChar, eightBit, tokenChar, union } from "../syntax/octets.ts";
import { Text } from "./text-scanner.ts";

export interface Param {
  /** As written. Ends in "*" when the value is in the charset'language'percent form of RFC 2231 §4. */
  readonly name: string;
  readonly value: string;
}

export interface ContentType {
  readonly type: string;
  readonly subtype: string;
  readonly params: readonly Param[];
}

export interface Disposition {
  readonly type: string;
  readonly params: readonly Param[];
}

/** token of RFC 2045 §5.1, and 8-bit octets, which are in names only by mistake but leave no doubt where these end. */
const tokenOctet = union(tokenChar, eightBit);

/** Longest list of parameters kept of one field. */
const paramLimit = 1000;

/** content := type "/" subtype *(";" parameter). RFC 2045 §5.1. Undefined when there is no type and subtype to be seen. */
export function contentType(value: string): ContentType | undefined {
  const s = new Text(value);
  s.comments();
  const type = s.run(tokenOctet);
  s.comments();
  if (type === "" || !s.take("/")) return undefined;
  s.comments();
  const subtype = s.run(tokenOctet);
  if (subtype === "") return undefined;
  return { type, subtype, params: params(s) };
}

/** disposition := disposition-type *(";" disposition-parm). RFC 2183 §2. */
export function contentDisposition(value: string): Disposition | undefined {
  const s = new Text(value);
  s.comments();
  const type = s.run(tokenOctet);
  return type === "" ? undefined : { type, params: params(s) };
}

/**
 * mechanism, without comments; undefined when there is none, or something else than a parameter behind it, which it does not have but
 * some mailers give it. RFC 2045 §6.1.
 */
export function contentEncoding(value: string): string | undefined {
  const s = new Text(value);
  s.comments();
  const mechanism = s.run(tokenOctet);
  s.comments();
  return mechanism === "" || !(s.atEnd || s.peek() === ";") ? undefined : mechanism;
}

/** Language-List = Language-Tag *("," Language-Tag), empty elements too; up to what does not fit. RFC 3282 §2. */
export function contentLanguage(value: string): readonly string[] {
  const s = new Text(value);
  const tags: string[] = [];
  do {
    s.comments();
    const tag = s.run(tokenOctet);
    if (tag !== "") tags.push(tag);
    s.comments();
  } while (s.take(","));
  return tags;
}

/** *(";" attribute "=" value), then RFC 2231 §3 put together. Stops at what is no parameter. */
function params(s: Text): readonly Param[] {
  const found: Param[] = [];
  while (found.length < paramLimit) {
    s.comments();
    if (s.atEnd) break;
    if (!s.take(";")) {
      // Some mailers forget the semicolon or put rubbish before it.
      s.to(";");
      continue;
    }
    s.comments();
    const name = s.run(tokenOctet);
    s.comments();
    if (name === "" || !s.take("=")) continue;
    s.comments();
    found.push({ name, value: s.peek() === '"' ? s.quotedString() : paramToken(s) });
  }
  return joinContinuations(found);
}

/** A token as found in the wild: anything up to white space, ";" or a comment. `charset=foo/bar`, `name=a@b`, `boundary==_x`. */
function paramToken(s: Text): string {
  return s.until(" \t\r\n;(");
}

const continuation = /^([^*]+)\*(\d{1,3})(\*?)$/;
const extendedName = /^[^*]+\*$/;

/** One "name*n" or "name*n*". */
interface Segment {
  readonly n: number;
  readonly extended: boolean;
  readonly value: string;
}

/**
 * RFC 2231 §3 and §4.1: "name*0", "name*1*" become one parameter. Those of RFC 2231 stand behind the others, in the order of their names, as
 * in Dovecot.
 */
function joinContinuations(found: readonly Param[]): readonly Param[] {
  if (!found.some((p) => p.name.includes("*"))) return found;
  const plain: Param[] = [];
  const extended: Param[] = [];
  const groups = new Map<string, { name: string; segments: Segment[] }>();
  for (const p of found) {
    const m = continuation.exec(p.name);
    if (m === null) {
      (extendedName.test(p.name) ? extended : plain).push(p);
      continue;
    }
    const name = m[1] ?? "";
    let group = groups.get(name.toLowerCase());
    if (group === undefined) groups.set(name.toLowerCase(), (group = { name, segments: [] }));
    group.segments.push({ n: Number(m[2]), extended: m[3] === "*", value: p.value });
  }
  for (const { name, segments } of groups.values()) extended.push(...joined(name, segments));
  const bare = (p: Param): string => p.name.replace(/\*.*/, "");
  return [...plain, ...extended.sort((a, b) => (bare(a) < bare(b) ? -1 : bare(a) > bare(b) ? 1 : 0))];
}

function joined(name: string, segments: Segment[]): Param[] {
  segments.sort((a, b) => a.n - b.n);
  // Numbers must run from 0 without a gap, each once; otherwise they stay as they were.
  if (!segments.every((s, i) => s.n === i)) return segments.map((s) => ({ name: `${name}*${s.n}${s.extended ? "*" : ""}`, value: s.value }));
  if (!segments.some((s) => s.extended)) return [{ name, value: segments.map((s) => s.value).join("") }];
  const value = segments.map((s) => (s.extended ? s.value : percent(s.value))).join("");
  return [{ name: `${name}*`, value: segments[0]?.extended === true ? value : `''${value}` }];
}

const percent = (value: string): string =>
  [...value].map((c) => (attributeChar[c.charCodeAt(0)] === 1 ? c : `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)).join("");

/** The value of the parameter of this name in any case; one in the form of RFC 2231 §4 is not found by its plain name. */
export function param(params: readonly Param[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  return params.find((p) => p.name.toLowerCase() === wanted)?.value;
}

/** As `param`, or the octets of the form of RFC 2231 §4, without its charset and language: some mailers write boundaries and charsets so. */
export function paramOctets(params: readonly Param[], name: string): string | undefined {
  const plain = param(params, name);
  if (plain !== undefined) return plain;
  const extended = param(params, `${name}*`);
  return extended === undefined ? undefined : unpercent(/^[^']*'[^']*'(.*)$/s.exec(extended)?.[1] ?? extended);
}

/** Octets behind "%XX", one character per octet. */
export const unpercent = (text: string): string => text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
