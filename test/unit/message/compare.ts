/** What ours and Dovecot tell of one message, put side by side and taken apart down to the field that differs. */
import { withoutNul } from "../../../src/imap/nul.ts";
import { printBody } from "../../../src/imap/respond-body.ts";
import { printEnvelope } from "../../../src/imap/respond-envelope.ts";
import { printSection, type Section } from "../../../src/imap/section.ts";
import { envelope } from "../../../src/message/envelope.ts";
import type { Header } from "../../../src/message/header.ts";
import { toCrlf } from "../../../src/message/line-ends.ts";
import { scanMime, type Part } from "../../../src/message/mime.ts";
import { sectionOctets } from "../../../src/agent/imap/fetch-items.ts";
import { Opened } from "../../../src/agent/imap/opened.ts";
import { partAt } from "../../../src/message/section.ts";
import { valueOf, type Value } from "./dovecot.ts";

export interface Difference {
  /** "ENVELOPE from", "BODYSTRUCTURE size", "BODY[1.2]": the item, without the part, and what of it. */
  readonly what: string;
  /** The part spoken of; the message itself for ENVELOPE. */
  readonly part: Part;
  readonly message: Message;
  readonly mine: Value;
  readonly theirs: Value;
}

/** A message with CRLF line ends and its parts. */
export interface Message {
  readonly octets: Buffer;
  /** There were NULs, which nobody can send: 0x80 stands for them in `octets`. */
  readonly nul: boolean;
  readonly root: Part;
  readonly sections: readonly { readonly section: Section; readonly part: Part | undefined }[];
}

const fixed: readonly Section[] = [
  { text: "header", part: [] },
  { text: "text", part: [] },
  { text: "all", part: [9] },
  { text: "mime", part: [9, 1] },
  { text: "fields", part: [], not: false, names: ["subject", "Content-Type", "TO"] },
  { text: "fields", part: [], not: true, names: ["Received", "from", "content-type"] },
];

/** @param stored  with any line ends */
export function messageOf(stored: Buffer): Message {
  const octets = withoutNul(toCrlf(stored));
  const root = scanMime(octets);
  const sections: { section: Section; part: Part | undefined }[] = fixed.map((section) => ({ section, part: partAt(root, section.part) ?? root }));
  const add = (part: Part, path: readonly number[]): void => {
    if (sections.length > 60 || path.length > 8) return;
    sections.push({ section: { text: "all", part: path }, part }, { section: { text: "mime", part: path }, part });
    sections.push({ section: { text: "header", part: path }, part }, { section: { text: "text", part: path }, part });
    sections.push({ section: { text: "fields", part: path, not: false, names: ["Subject", "content-type"] }, part });
    const inner = part.message ?? part;
    if (isMultipart(inner)) inner.parts.forEach((p, i) => void add(p, [...path, i + 1]));
    else if (part.message !== undefined) add(part.message, [...path, 1]);
  };
  if (isMultipart(root)) root.parts.forEach((p, i) => void add(p, [i + 1]));
  else add(root, [1]);
  return { octets, nul: stored.includes(0), root, sections };
}

const partials: readonly { readonly name: string; readonly section: Section; readonly from: number; readonly count: number }[] = [
  { name: "BODY[]", section: { text: "all", part: [] }, from: 3, count: 40 },
  { name: "BODY[TEXT]", section: { text: "text", part: [] }, from: 5, count: 70 },
  { name: "BODY[1]", section: { text: "all", part: [1] }, from: 2, count: 9 },
];

/** Dovecot 2.3 leaves bare CRs out of a part of a message, then misses the octets it promised, and ends the session. */
const partialsOf = (m: Message): typeof partials => (/\r(?!\n)/.test(m.octets.toString("latin1")) ? [] : partials);

/** What to ask Dovecot. */
export const itemsOf = (m: Message): string =>
  ["RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE", ...m.sections.map(({ section }) => `BODY.PEEK${printSection(section)}`), ...partialsOf(m).map((p) => `${p.name.replace("BODY", "BODY.PEEK")}<${p.from}.${p.count}>`)].join(" ");

const isMultipart = (part: Part): boolean => part.type.toLowerCase() === "multipart";

export function differences(message: Message, answer: Value): Difference[] {
  const found: Difference[] = [];
  if (!Array.isArray(answer)) throw new Error("no list");
  const told = new Map<string, Value>();
  for (let i = 0; i + 1 < answer.length; i += 2) told.set(String(answer[i]).toUpperCase(), answer[i + 1] ?? null);
  const note = (what: string, part: Part, mine: Value, theirs: Value | undefined): void => {
    if (!same(mine, theirs ?? null)) found.push({ what, part, message, mine, theirs: theirs ?? null });
  };
  const { octets, root } = message;
  note("RFC822.SIZE", root, String(octets.length), told.get("RFC822.SIZE"));
  compareEnvelope(note, "ENVELOPE", root, root.header, told.get("ENVELOPE") ?? null);
  compareBody(note, "BODY", root, valueOf(printBody(root, false)), told.get("BODY") ?? null, false);
  compareBody(note, "BODYSTRUCTURE", root, valueOf(printBody(root, true)), told.get("BODYSTRUCTURE") ?? null, true);
  const opened = new Opened(undefined, { octets });
  for (const { section, part } of message.sections) {
    const name = `BODY${printSection(section)}`;
    // Dovecot has the names of fields in capitals in its answer.
    note(name, part ?? root, sectionOctets(opened, section).toString("latin1"), told.get(name.toUpperCase()) ?? "");
  }
  for (const { name, section, from, count } of partialsOf(message)) note(`${name}<${from}>`, root, sectionOctets(opened, section).toString("latin1", from, from + count), told.get(`${name}<${from}>`) ?? "");
  return found;
}

type Note = (what: string, part: Part, mine: Value, theirs: Value | undefined) => void;

const envelopeNames = ["date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"];

function compareEnvelope(note: Note, item: string, part: Part, header: Header, theirs: Value): void {
  const mine = valueOf(printEnvelope(envelope(header)));
  if (!Array.isArray(mine) || !Array.isArray(theirs) || theirs.length !== envelopeNames.length) return note(item, part, mine, theirs);
  envelopeNames.forEach((name, i) => void note(`${item} ${name}`, part, mine[i] ?? null, theirs[i]));
}

function compareBody(note: Note, item: string, part: Part, mine: Value, theirs: Value, extensible: boolean): void {
  if (!Array.isArray(mine) || !Array.isArray(theirs)) return note(item, part, mine, theirs);
  const kind = (v: Value[]): string => (Array.isArray(v[0]) ? "multipart" : `${String(v[0])}/${String(v[1])}`);
  if ((kind(mine) === "multipart") !== (kind(theirs) === "multipart") || mine.length !== theirs.length && !isMultipart(part)) return note(`${item} kind`, part, kind(mine), kind(theirs));
  if (isMultipart(part)) {
    const count = mine.findIndex((v) => !Array.isArray(v));
    const theirCount = theirs.findIndex((v) => !Array.isArray(v));
    if (count !== theirCount) return note(`${item} parts`, part, String(count), String(theirCount));
    part.parts.forEach((p, i) => void compareBody(note, item, p, mine[i] ?? null, theirs[i] ?? null, extensible));
    ["subtype", "params", "disposition", "language", "location"].forEach((name, i) => void note(`${item} ${name}`, part, mine[count + i] ?? null, theirs[count + i]));
    return;
  }
  const names = ["type", "subtype", "params", "id", "description", "encoding", "size"];
  if (part.message !== undefined) names.push("envelope", "message", "lines");
  else if (part.type.toLowerCase() === "text") names.push("lines");
  names.push("md5", "disposition", "language", "location");
  names.forEach((name, i) => {
    const inner = part.message;
    if (name === "envelope" && inner !== undefined) compareEnvelope(note, `${item} envelope`, inner, inner.header, theirs[i] ?? null);
    else if (name === "message" && inner !== undefined) compareBody(note, item, inner, mine[i] ?? null, theirs[i] ?? null, extensible);
    else note(`${item} ${name}`, part, mine[i] ?? null, theirs[i]);
  });
}

function same(a: Value, b: Value): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((v, i) => same(v, b[i] ?? null));
}
