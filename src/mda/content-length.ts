/** The Content-Length field, by which System V mailboxes tell where a message ends. Pure. */

interface ContentLength {
  readonly value: string;
  /** Where the value lies. */
  readonly from: number;
  readonly to: number;
  /** Where the body begins. */
  readonly body: number;
}

export function contentLength(octets: Buffer): ContentLength | undefined {
  const empty = octets.indexOf("\n\n");
  const body = empty < 0 ? octets.length : empty + 2;
  const found = /(?:^|\n)content-length:([^\n]*)/i.exec(octets.subarray(0, body).toString("latin1"));
  const value = found?.[1];
  if (found === null || value === undefined) return undefined;
  const to = found.index + found[0].length;
  return { value, from: to - value.length, to, body };
}

/** Makes the field tell the truth, in its place and width, as procmail does with what it reads. A length that does not fit becomes nines. */
export function mendContentLength(octets: Buffer): void {
  const field = contentLength(octets);
  if (field === undefined) return;
  const width = field.to - field.from;
  const length = String(octets.length - field.body);
  octets.write((length.length <= width ? length : "9".repeat(width)).padStart(width), field.from, "latin1");
}
