/** The body of a message: where it ends in a mailbox, and the lines in it that look like the start of another message. */
import { isBlank, isFromLine, isQuotedFromLine, startsFrom } from "./field.ts";
import { isArticle, nameAt } from "./header.ts";
import { isKnown } from "./known-fields.ts";
import type { Options } from "./options.ts";
import type { Source } from "./source.ts";

/** Where octets go. */
export interface Sink {
  /** `octets` are valid during the call only. */
  write(octets: Buffer): void;
}

/**
 * What stands before a line: an empty line, text, or a header that no empty line ended. Behind "header" (one without `From ` line) a message
 * may start, behind "settled" never.
 */
export type Before = "blank" | "text" | "header" | "lone" | "settled";

type BodyOptions = Pick<Options, "split" | "digest" | "every" | "escape" | "prefix" | "minFields" | "reply">;

/** Passes `length` octets as they are, and the rest of the line they end in. Returns how many are missing at the end of the input, and what stands before the next line. */
export function copy(source: Source, sink: Sink, length: number): { readonly missing: number; readonly before: Before } {
  let left = length;
  let [last, lastButOne] = [0x0a, 0];
  while (left > 0) {
    if (source.length === 0 && !source.fill()) return { missing: left, before: "text" };
    const piece = source.take(Math.min(left, source.length));
    sink.write(piece);
    left -= piece.length;
    lastButOne = piece.length > 1 ? (piece.at(-2) ?? 0) : last;
    last = piece.at(-1) ?? 0;
  }
  if (last !== 0x0a) passLine(source, sink);
  return { missing: 0, before: last === 0x0a && lastButOne === 0x0a ? "blank" : "text" };
}

/** A real postmark: "From [\t ]*[^\t\n ]+[\t ]+[^\n\t ]". */
function isPostmark(source: Source, end: number): boolean {
  const line = source.buffer.toString("latin1", source.start, source.start + end);
  return /^From [\t ]*[^\t\n ]+[\t ]+[^\n\t ]/.test(line);
}

/**
 * Passes the body on up to the start of the next message, which stays in the source, or the end of the input.
 */
export function passBody(source: Source, sink: Sink, options: BodyOptions, begin: Before): void {
  const { split, digest, every, escape, prefix, minFields, reply } = options;
  const quoteAll = reply && escape;
  let state: Before = begin;
  while (source.at(0) !== undefined) {
    const end = source.glance(0);
    const from = end >= 5 && startsFrom(source.buffer, source.start);
    const may = split !== undefined && (state === "blank" || state === "header" || (every && state !== "settled"));
    if (may && (from ? isPostmark(source, end) : digest && (isKnownField(source, 0) || isArticle(source, 0)))) {
      const { count, length } = fieldsAhead(source, minFields);
      if (count >= minFields) return;
      parked(source, sink, length, quoteAll ? prefix : undefined);
      state = after(state, from, count);
      continue;
    }
    if (!quoteAll && !from && !(digest && every)) {
      state = passLines(source, sink, digest);
      continue;
    }
    state = source.at(0) === 0x0a ? "blank" : "text";
    if (quoteAll && state !== "blank") sink.write(prefix);
    if (from && escape) sink.write(prefix);
    passLine(source, sink);
  }
}

const fromLine = Buffer.from("\nFrom ");
const emptyLine = Buffer.from("\n\n");
const stride = 4096;

/**
 * Passes lines at hand up to the next that must be looked at: one that starts with "From ", and in a digest one behind an empty line.
 * The first is not looked at. Returns what stands before the next line.
 */
function passLines(source: Source, sink: Sink, digest: boolean): Before {
  const { buffer, start, end } = source;
  if (digest && buffer[start] === 0x0a) {
    sink.write(source.take(1));
    return "blank";
  }
  // With two things to look for, one that comes often must not make the other be looked for to the end each time.
  const limit = digest ? Math.min(end, start + stride) : end;
  const lines = limit === buffer.length ? buffer : buffer.subarray(0, limit);
  let next = lines.indexOf(fromLine, start) + 1;
  if (next === 0) next = lines.lastIndexOf(0x0a) + 1;
  if (digest) {
    const empty = lines.indexOf(emptyLine, start);
    if (empty >= 0 && empty + 2 < next) next = empty + 2;
  }
  if (next <= start) {
    passLine(source, sink);
    return "text";
  }
  const length = next - start;
  sink.write(source.take(length));
  return length === 1 || buffer[next - 2] === 0x0a ? "blank" : "text";
}

/** A line, in pieces: it may be long. */
export function passLine(source: Source, sink: Sink): void {
  for (;;) {
    const length = source.glance(0);
    const piece = source.take(length);
    sink.write(piece);
    if (length === 0 || piece[length - 1] === 0x0a) return;
  }
}

/** Passes lines that were looked at, unescaped. */
function parked(source: Source, sink: Sink, length: number, prefix: Buffer | undefined): void {
  if (prefix === undefined) {
    sink.write(source.take(length));
    return;
  }
  for (let left = length; left > 0; ) {
    sink.write(prefix);
    const line = source.take(source.line());
    sink.write(line);
    left -= line.length;
  }
}

/** Behind lines that look like a message's start but are too few. */
function after(before: Before, from: boolean, count: number): Before {
  if (before === "header") return "lone";
  return before === "lone" || (!from && count === 1) ? "text" : "settled";
}

/** Consecutive known fields at the front of the source, at most `most`, and their length. A `From ` line counts as the first. */
export function fieldsAhead(source: Source, most: number): { readonly count: number; readonly length: number } {
  let offset = 0;
  let count = 0;
  while (count < most) {
    if (count === 0 && isFromAt(source, 0) && isFromLine(source.buffer, source.start)) {
      offset = source.line();
      while (isQuotedAt(source, offset)) offset += source.line(offset);
    } else {
      if (!isKnownField(source, offset) && !(count === 0 && (isArticle(source, 0) || isFromAt(source, 0)))) break;
      offset += source.line(offset);
      while (isBlank(source.at(offset))) offset += source.line(offset);
    }
    count++;
  }
  return { count, length: offset };
}

const isFromAt = (source: Source, offset: number): boolean => source.glance(offset) - offset >= 5 && startsFrom(source.buffer, source.start + offset);
const isQuotedAt = (source: Source, offset: number): boolean => source.glance(offset) - offset >= 6 && isQuotedFromLine(source.buffer, source.start + offset);

/** A field that messages have. */
function isKnownField(source: Source, offset: number): boolean {
  const name = nameAt(source, offset);
  const start = source.start + offset;
  return name !== undefined && !isFromLine(source.buffer, start) && isKnown(source.buffer, start, name.length);
}
