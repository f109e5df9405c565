/** What the field options of formail(1) make of a header. */
import { content, type Field, isBlank, makeField, matches, named } from "./field.ts";
import type { Options } from "./options.ts";
import { sender, trustOf, unknown } from "./sender.ts";

/** What is not in the message: the text of a `From ` line for a sender, and a new Message-ID. */
export interface Made {
  date(): string;
  messageId(): string;
}

const anyFromLine = makeField("From ");
const oldPrefix = Buffer.from("Old-");
const space = Buffer.from(" ");

export interface Edited {
  /** As it is written. */
  readonly header: readonly Field[];
  /** Whom a reply goes to; undefined when no field says so, and without -r. */
  readonly sender: string | undefined;
  /** Before fields are added. */
  readonly fromLine: Field | undefined;
  readonly subject: Field | undefined;
}

/** The header as the options want it. */
export function edit(header: readonly Field[], options: Options, made: Made): Edited {
  const { fields, reply, force } = options;
  const { came, changed } = fates(header, options);
  const from = reply ? sender(came, trustOf(options)) : undefined;
  // What -u keeps of the message counts in a reply, though it is not in it.
  const before = reply ? came.filter((f) => !isKept(f, fields)) : [];
  const once = unique(reply ? replyHeader(options.zap ? came.filter((f) => !isEmpty(f)) : came, changed, from, options) : changed, fields, before);
  const edited = options.zap ? once.filter((f) => !isEmpty(f)) : once;
  if (!reply && !force && lacksFromLine(header, came, edited, fields)) {
    const wanted = fields.addNew.some((a) => named(a.field, "date:"));
    const date = wanted ? came.findLast((f) => named(f, "date:")) : undefined;
    edited.unshift(makeField(`From ${sender(edited.filter((f) => !named(f, "from ")), "envelope") ?? unknown} ${withSpace(date === undefined || content(date).length === 0 ? made.date() : content(date).toString("latin1"))}`));
  }
  const find = (name: string): Field | undefined => edited.find((f) => named(f, name));
  const [fromLine, subject] = [find("from "), find("subject:")];
  for (const a of fields.addNew.filter((one) => !edited.some((f) => matches(f, one)))) {
    edited.push(a.bare && (named(a.field, "message-id:") || named(a.field, "resent-message-id:")) ? makeField(`${a.field.text.toString("latin1").trimEnd()} ${made.messageId()}`) : a.field);
  }
  for (const list of [fields.add, fields.insert, fields.replace]) for (const a of list) if (!a.bare) edited.push(a.field);
  return { header: edited, sender: from, fromLine, subject };
}

/** None came and none was taken away by name, or -a asks for one. */
function lacksFromLine(header: readonly Field[], came: readonly Field[], edited: readonly Field[], { replace, insert, rename, addNew }: Options["fields"]): boolean {
  if (addNew.some((a) => a.bare && named(a.field, "from "))) return !edited.some((f) => named(f, "from "));
  return ![header[0], came[0]].some((f) => f !== undefined && named(f, "from ")) && ![...replace, ...insert, ...rename.map((r) => r.from)].some((a) => matches(anyFromLine, a));
}

interface Fates {
  readonly came: readonly Field[];
  readonly changed: readonly Field[];
}

/** What becomes of all fields. */
function fates(header: readonly Field[], options: Options): Fates {
  const { insert, replace, rename: names } = options.fields;
  if (insert.length + replace.length + names.length === 0 && !options.zap && !options.concatenate) return { came: header, changed: header };
  const all = header.flatMap((f) => fate(f, options));
  return { came: all.map(({ came }) => came), changed: all.flatMap(({ written }) => written) };
}

/** What becomes of a field. */
interface Fate {
  /** As a reply and a sender are made from it. */
  readonly came: Field;
  readonly written: readonly Field[];
}

/** -i, -I, -R, -z and -c on one field; nothing when it is gone from the beginning. */
function fate(f: Field, options: Options, ofReply = false): readonly Fate[] {
  const { fields, reply, zap, concatenate } = options;
  // -i says which fields of the message stay in a reply, and renames those of the reply.
  const asked = fields.insert.find((a) => matches(f, a));
  const inserted = reply && (!ofReply || asked?.bare === true) ? undefined : asked;
  // The first that names it decides.
  const replaced = inserted === undefined ? fields.replace.find((a) => matches(f, a)) : undefined;
  if (replaced?.bare === true) return [];
  const fresh = inserted === undefined && replaced === undefined ? rename(f, fields) : f;
  const full = zap ? withBlank(fresh) : fresh;
  const came = concatenate ? concatenated(full) : full;
  if (replaced !== undefined) return [{ came, written: [] }];
  if (inserted === undefined) return [{ came, written: [came] }];
  const renamed = old(came);
  return [{ came, written: [concatenate ? concatenated(renamed) : renamed] }];
}

const old = (f: Field): Field => ({ nameLength: f.nameLength + oldPrefix.length, text: Buffer.concat([oldPrefix, named(f, "from ") ? unquoted(f.text) : f.text]) });

/** -R */
function rename(f: Field, fields: Options["fields"]): Field {
  const found = fields.rename.find((r) => matches(f, r.from));
  if (found === undefined) return f;
  const { to, from } = found;
  const name = to.field.text.subarray(0, to.prefix.length);
  if (!to.whole) return { nameLength: f.nameLength - from.prefix.length + name.length, text: Buffer.concat([name, (named(f, "from ") ? unquoted(f.text) : f.text).subarray(from.prefix.length)]) };
  const text = Buffer.concat([name, f.text.subarray(f.nameLength)]);
  const toFrom = named(to.field, "from ");
  return { nameLength: name.length, text: named(f, "from ") === toFrom ? text : toFrom ? quoted(text) : unquoted(text) };
}

/** The ">From " lines of a `From ` line that has become a field: continuation lines. */
function unquoted(text: Buffer): Buffer {
  return Buffer.from(text.toString("latin1").replaceAll("\n>", "\n "), "latin1");
}

/** The other way round. */
function quoted(text: Buffer): Buffer {
  return Buffer.from(text.toString("latin1").replaceAll(/\n[ \t]/g, "\n>"), "latin1");
}

/** -u and -U: the first or the last of each name; both, where both name it. What is in `before` goes before. */
function unique(header: readonly Field[], { first, last }: Options["fields"], before: readonly Field[]): Field[] {
  if (first.length + last.length === 0) return [...header];
  const name = (f: Field): string => f.text.toString("latin1", 0, f.nameLength).toLowerCase();
  const names = header.map(name);
  const earlier = new Set(before.map(name));
  return header.filter((f, i) => {
    const ofFirst = first.some((a) => matches(f, a));
    const ofLast = last.some((a) => matches(f, a));
    if (!ofFirst && !ofLast) return true;
    const own = names[i] ?? "";
    return (ofFirst && names.indexOf(own) === i && !earlier.has(own)) || (ofLast && names.lastIndexOf(own) === i);
  });
}

/** -z: without content but for one blank. */
const isEmpty = ({ nameLength, text }: Field): boolean => text[nameLength - 1] === 0x3a && (text.length === nameLength + 1 || (text.length === nameLength + 2 && isBlank(text[nameLength])));

/** -z: a blank stands behind every colon of a field that has a content. */
function withBlank(f: Field): Field {
  const { nameLength, text } = f;
  if (text[nameLength - 1] !== 0x3a || isEmpty(f) || isBlank(text[nameLength])) return f;
  return { nameLength, text: Buffer.concat([text.subarray(0, nameLength), space, text.subarray(nameLength)]) };
}

/** -c: one line. */
function concatenated(f: Field): Field {
  if (f.text.indexOf(0x0a) === f.text.length - 1 || named(f, "from ")) return f;
  const text = Buffer.from(f.text);
  for (let at = text.indexOf(0x0a); at < text.length - 1; at = text.indexOf(0x0a, at + 1)) text[at] = 0x20;
  return { nameLength: f.nameLength, text };
}

/** The header of a reply, with what is kept of the message's: X-Loop: and what -i names. RFC 5322 §3.6.4 for References: and In-Reply-To:. */
function replyHeader(header: readonly Field[], changed: readonly Field[], from: string | undefined, options: Options): Field[] {
  const kept = changed.filter((f) => isKept(f, options.fields));
  const subject = lastOf(header, "subject:");
  const id = lastOf(header, "message-id:");
  const references = lastOf(header, "references:");
  const made = [`To: ${from ?? unknown}`];
  if (subject !== undefined) made.push(`Subject: Re:${withSpace(subject)}`);
  if (references !== undefined || id !== undefined) made.push(`References:${references === undefined ? "" : withSpace(references)}${id === undefined ? "" : withSpace(id)}`);
  if (id !== undefined) made.push(`In-Reply-To:${withSpace(id)}`);
  return [...kept, ...made.map(makeField).flatMap((f) => fate(f, options, true)).flatMap(({ written }) => written)];
}

/** In a reply: what -i names alone, and X-Loop: unless -i puts another in its place. */
function isKept(f: Field, { insert }: Options["fields"]): boolean {
  const asked = insert.find((a) => matches(f, a));
  return asked === undefined ? named(f, "x-loop:") : asked.bare;
}

/** The last field of that name that has a content; its text. */
function lastOf(header: readonly Field[], name: string): string | undefined {
  const found = header.findLast((f) => named(f, name) && content(f).length > 0);
  return found === undefined ? undefined : content(found).toString("latin1");
}

const withSpace = (text: string): string => (text.startsWith(" ") || text.startsWith("\t") ? text : ` ${text}`);

