/** The Content-Length field, by which System V mailboxes tell where a message ends. Pure. */
import { Octets } from "../message/octets.ts";

const newline = 10;

interface ContentLength {
  readonly value: string;
  /** Where the value lies. */
  readonly from: number;
  readonly to: number;
  /** Where the body begins. */
  readonly body: number;
}

/** Octets of a header in which the field is looked for. */
const headerLimit = 1 << 20;

const emptyLine = Buffer.from("\n\n");

export function contentLength(octets: Octets): ContentLength | undefined {
  const empty = octets.indexOf(emptyLine);
  const body = empty < 0 ? octets.length : empty + 2;
  const found = /(?:^|\n)content-length:([^\n]*)/i.exec(octets.subarray(0, Math.min(body, headerLimit)).toBuffer().toString("latin1"));
  const value = found?.[1];
  if (found === null || value === undefined) return undefined;
  const to = found.index + found[0].length;
  return { value, from: to - value.length, to, body };
}

/**
 * With a field that tells the truth, in its place and width, as procmail makes it in what it reads: the newline of an empty line at the end, which ends
 * a message in an mbox, does not count. A length that does not fit becomes nines.
 */
export function mendedContentLength(octets: Octets): Octets {
  const field = contentLength(octets);
  if (field === undefined) return octets;
  const width = field.to - field.from;
  const ending = octets.length > field.body && octets.length > 1 && octets.at(octets.length - 2) === newline ? 1 : 0;
  const length = String(octets.length - field.body - ending);
  const value = (length.length <= width ? length : "9".repeat(width)).padStart(width);
  return Octets.join(octets.subarray(0, field.from), Buffer.from(value, "latin1"), octets.subarray(field.to));
}
