/** The header at the start of a message: its fields, and where it ends. */
import { type Field, field, fieldName, isBlank, isFromLine, isQuotedFromLine, type Name } from "./field.ts";
import type { Source } from "./source.ts";

export interface Header {
  readonly fields: readonly Field[];
  /** True when an empty line stood behind it. */
  readonly ended: boolean;
}

/**
 * Takes the header and the empty line behind it. Lines that start with ">From " right behind the `From ` line belong to it, lines that
 * start with a blank to the field before. The first line that is no field ends the header, whether it is empty or not.
 *
 * @param article  the header may start with the line of a news reader, which becomes a field "Article:"
 */
export function readHeader(source: Source, article = false): Header {
  const parts: { readonly from: number; readonly to: number; readonly name: Name }[] = [];
  let offset = 0;
  if (article && isArticle(source, 0)) {
    offset = source.line();
    parts.push({ from: 0, to: offset, name: { length: 7, end: 8 } });
  }
  for (;;) {
    const name = nameAt(source, offset);
    if (name === undefined || (parts.length > 0 && isFromLine(source.buffer, source.start + offset))) break;
    const from = offset;
    offset = from + source.line(from);
    if (isFromLine(source.buffer, source.start + from)) {
      while (source.glance(offset) - offset >= 6 && isQuotedFromLine(source.buffer, source.start + offset)) offset += source.line(offset);
    } else {
      while (isBlank(source.at(offset))) offset += source.line(offset);
    }
    parts.push({ from, to: offset, name });
  }
  // The window is used again.
  const octets = Buffer.from(source.take(offset));
  const ended = source.at(0) === 0x0a;
  if (ended) source.take(1);
  return { fields: parts.map(({ from, to, name }) => field(octets.subarray(from, to), name)), ended };
}

/** The name of the field at `offset`; undefined when the line there is none. */
export function nameAt(source: Source, offset: number): Name | undefined {
  const end = source.glance(offset);
  return fieldName(source.buffer, source.start + offset, source.start + end);
}

const article = Buffer.from("Article ");

/** The line of a news reader: "Article 5 of comp.mail". */
export const isArticle = (source: Source, offset: number): boolean => source.glance(offset) - offset >= article.length && source.buffer.compare(article, 0, article.length, source.start + offset, source.start + offset + article.length) === 0;
