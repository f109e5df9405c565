/** Which octets a section of IMAP names. RFC 3501 §6.4.5 (FETCH BODY[section]). */
import type { Part } from "./mime.ts";

/** What of a part: all of it, or one of the section-texts. */
export type SectionText = "" | "HEADER" | "TEXT" | "MIME";

export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The part that section-part names: [1, 2] is "1.2"; [] is the message. Undefined when there is none.
 * Every message has at least one part: of a message that is no multipart, part 1 is its body. Any other part that can not be divided
 * has no parts (Dovecot takes "2.1" for "2" there, but not "2.1.1").
 */
export function partAt(message: Part, path: readonly number[]): Part | undefined {
  let part = message;
  for (const [i, n] of path.entries()) {
    // The first number counts inside the message we have, one behind a message/rfc822 inside its message.
    const inside = i === 0 ? part : part.message;
    const around = inside ?? part;
    const found = isMultipart(around) ? around.parts[n - 1] : n === 1 ? inside : undefined;
    if (found === undefined) return undefined;
    part = found;
  }
  return part;
}

/**
 * The octets of a section, as offsets. HEADER and TEXT of a numbered part exist only where it is a message/rfc822; MIME needs a
 * number. Undefined when the message has no such section: FETCH then answers NIL or "" as its caller sees fit.
 */
export function sectionRange(message: Part, path: readonly number[], text: SectionText): Range | undefined {
  const part = partAt(message, path);
  if (part === undefined) return undefined;
  if (text === "MIME") return path.length === 0 ? undefined : { start: part.headerStart, end: part.headerEnd };
  if (path.length === 0 && text === "") return { start: part.headerStart, end: part.bodyEnd };
  if (text === "") return { start: part.bodyStart, end: part.bodyEnd };
  const inner = path.length === 0 ? part : part.message;
  if (inner === undefined) return undefined;
  return text === "HEADER" ? { start: inner.headerStart, end: inner.headerEnd } : { start: inner.bodyStart, end: inner.bodyEnd };
}

/** The part whose header HEADER.FIELDS of this section selects from. */
export function headerPart(message: Part, path: readonly number[]): Part | undefined {
  const part = partAt(message, path);
  return path.length === 0 ? part : part?.message;
}

const isMultipart = (part: Part): boolean => part.type.toLowerCase() === "multipart";
