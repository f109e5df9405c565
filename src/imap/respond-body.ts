import { envelope } from "../message/envelope.ts";
import type { Param } from "../message/content.ts";
import type { Part } from "../message/mime.ts";
import { printEnvelope } from "./respond-envelope.ts";
import { lineString, string } from "./respond.ts";

/** What the lines of the octets that were scanned end with, where octets with CRLF are told. Of those with LF the lines of every part were counted. */
export type LineEnds = "crlf" | "lf";

/**
 * body = "(" (body-type-1part / body-type-mpart) ")"
 *
 * RFC 3501 §7.4.2, §9. Nesting is bounded by the scanner's limits.
 *
 * @param extensible  BODYSTRUCTURE: with extension data; without it is BODY
 */
export function printBody(part: Part, extensible: boolean, ends: LineEnds = "crlf"): string {
  return isPlainAscii(part) ? plainText(octetsOf(part, ends), part.lines, extensible) : body(part, extensible, ends);
}

function body(part: Part, extensible: boolean, ends: LineEnds): string {
  return part.type.toLowerCase() === "multipart" ? multipart(part, extensible, ends) : onePart(part, extensible, ends);
}

/** Of the body, with CRLF. */
const octetsOf = ({ bodyStart, bodyEnd, lines }: Part, ends: LineEnds): number => bodyEnd - bodyStart + (ends === "lf" ? lines : 0);

/** Also stands, empty, for the part that a multipart must have and has not. */
const plainText = (octets: number, lines: number, extensible: boolean): string => `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" ${octets} ${lines}${extensible ? " NIL NIL NIL NIL" : ""})`;

/** Of a whole message that is nothing but plain text of 7 bits the names come in one spelling too (RFC 2045 §5.1, §6.1: case does not count). */
const isPlainAscii = (part: Part): boolean =>
  part.type.toLowerCase() === "text" &&
  part.subtype.toLowerCase() === "plain" &&
  (part.encoding ?? "7bit").toLowerCase() === "7bit" &&
  part.params.every(({ name, value }) => name.toLowerCase() === "charset" && value.toLowerCase() === "us-ascii") &&
  part.params.length === 1 &&
  [part.id, part.description, part.md5, part.disposition, part.location].every((field) => field === undefined) &&
  part.language.length === 0;

/** body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart] */
function multipart(part: Part, extensible: boolean, ends: LineEnds): string {
  const inside = part.parts.length === 0 ? plainText(0, 0, extensible) : part.parts.map((p) => body(p, extensible, ends)).join("");
  const ext = extensible ? ` ${params(part.params)} ${extension(part)}` : "";
  return `(${inside} ${string(part.subtype)}${ext})`;
}

/** body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part] */
function onePart(part: Part, extensible: boolean, ends: LineEnds): string {
  const type = part.type.toLowerCase();
  const octets = octetsOf(part, ends);
  // Clients look at these two names more than at others: they come in one spelling, as from Dovecot.
  const name = part.message === undefined ? `${string(part.type)} ${string(part.subtype)}` : '"message" "rfc822"';
  let out = `(${name} ${params(part.params)} ${lineString(part.id)} ${lineString(part.description)} ${string(part.encoding ?? "7bit")} ${octets}`;
  if (type === "text") out += ` ${part.lines}`;
  else if (part.message !== undefined) out += ` ${printEnvelope(envelope(part.message.header))} ${body(part.message, extensible, ends)} ${part.lines}`;
  if (extensible) out += ` ${lineString(part.md5)} ${extension(part)}`;
  return `${out})`;
}

/** [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]], all three. */
function extension(part: Part): string {
  const d = part.disposition;
  const dsp = d === undefined ? "NIL" : `(${string(d.type)} ${params(d.params)})`;
  const lang = part.language.length === 0 ? "NIL" : `(${part.language.map((l) => string(l)).join(" ")})`;
  return `${dsp} ${lang} ${lineString(part.location)}`;
}

/** body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
const params = (list: readonly Param[]): string => (list.length === 0 ? "NIL" : `(${list.map((p) => `${string(p.name)} ${string(p.value)}`).join(" ")})`);
