/** One body part, and what its header says of it. RFC 2045, RFC 2046. */
import { contentDisposition, contentEncoding, contentLanguage, contentType, param, paramOctets, type ContentType, type Disposition, type Param } from "./content.ts";
import { octetText, type Header } from "./header.ts";

/** One body part, or the message itself. Offsets count from the start of what was scanned. */
export interface Part {
  /** As written; "text" where the message does not say. */
  readonly type: string;
  readonly subtype: string;
  readonly params: readonly Param[];
  readonly id: string | undefined;
  readonly description: string | undefined;
  /** Content-Transfer-Encoding as written; undefined means 7bit. */
  readonly encoding: string | undefined;
  readonly disposition: Disposition | undefined;
  readonly language: readonly string[];
  readonly location: string | undefined;
  readonly md5: string | undefined;
  /** Its offsets count in its own `octets`: the buffer scanned, or a copy of the header where the message came in pieces. */
  readonly header: Header;
  readonly headerStart: number;
  /** Behind the empty line: equal to `bodyStart`. */
  readonly headerEnd: number;
  readonly bodyStart: number;
  /** Without the line end that belongs to the delimiter behind it (RFC 2046 §5.1.1). */
  readonly bodyEnd: number;
  /** LFs in the body, where they were counted (`MimeLimits.lines`), else 0. */
  readonly lines: number;
  /** multipart/*: its parts, maybe none. Empty otherwise. */
  readonly parts: readonly Part[];
  /** message/rfc822: the message inside, whose header begins at our `bodyStart`. */
  readonly message: Part | undefined;
}

/** A part that is being scanned. */
export type Building = { -readonly [K in keyof Omit<Part, "parts" | "message">]: Part[K] } & { parts: Building[]; message: Building | undefined };

export const isMultipart = (part: Pick<Part, "type">): boolean => part.type.toLowerCase() === "multipart";

export const isText = (part: Pick<Part, "type">): boolean => part.type.toLowerCase() === "text";

export const isMessage = (part: Pick<Part, "type" | "subtype">): boolean => part.type.toLowerCase() === "message" && part.subtype.toLowerCase() === "rfc822";

/** Fields of one name that are looked at. */
const sameNamed = 10;

const plainText: ContentType = { type: "text", subtype: "plain", params: [{ name: "charset", value: "us-ascii" }] };
const nestedMessage: ContentType = { type: "message", subtype: "rfc822", params: [] };

/**
 * What a Content-Type field says. A multipart that names no boundary can not be divided: like other faulty types it is shown as plain
 * text (RFC 2045 §5.2), so that a reader sees it. text/* has a charset, US-ASCII when it does not say (RFC 2046 §4.1.2).
 */
function typeOf(field: string | undefined, digest: boolean): ContentType {
  const type = field === undefined ? (digest ? nestedMessage : plainText) : (contentType(field) ?? plainText);
  const major = type.type.toLowerCase();
  if (major === "multipart" && (paramOctets(type.params, "boundary") ?? "") === "") return plainText;
  if (major !== "text" || param(type.params, "charset") !== undefined || param(type.params, "charset*") !== undefined) return type;
  return { ...type, params: [...type.params, ...plainText.params] };
}

/**
 * A part from its header, offsets still 0. Of several fields of a name the first counts that can be read, of dispositions the first with
 * parameters, as in Dovecot 2.3. RFC 2045 §5.2: without Content-Type it is text/plain; in a digest a message (RFC 2046 §5.1.5).
 */
export function describe(header: Header, digest: boolean): Building {
  const values = new Map<string, string[]>();
  for (const f of header.fields) {
    const name = f.key;
    if (name.length < 10 || name.length > 25 || !name.startsWith("content-")) continue;
    const all = values.get(name);
    if (all === undefined) values.set(name, [octetText(header, f)]);
    else if (all.length < sameNamed) all.push(octetText(header, f));
  }
  const text = (name: string): string | undefined => values.get(name)?.[0];
  const parsed = <T>(name: string, parse: (value: string) => T | undefined, good: (value: T) => boolean): T | undefined => {
    let last: T | undefined;
    for (const value of values.get(name) ?? []) {
      const found = parse(value);
      if (found !== undefined && good(found)) return found;
      last = found ?? last;
    }
    return last;
  };
  const type = typeOf(text("content-type"), digest);
  return {
    type: type.type,
    subtype: type.subtype,
    params: type.params,
    id: text("content-id"),
    description: text("content-description"),
    encoding: parsed("content-transfer-encoding", contentEncoding, () => true),
    disposition: parsed("content-disposition", contentDisposition, (d) => d.params.length > 0),
    language: parsed("content-language", contentLanguage, (tags) => tags.length > 0) ?? [],
    location: text("content-location"),
    md5: text("content-md5"),
    header,
    headerStart: 0,
    headerEnd: 0,
    bodyStart: 0,
    bodyEnd: 0,
    lines: 0,
    parts: [],
    message: undefined,
  };
}
