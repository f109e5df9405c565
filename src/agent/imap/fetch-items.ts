/** The items of a FETCH response. RFC 3501 §7.4.2. */
import type { FetchAtt } from "../../imap/fetch-att.ts";
import { internalDate } from "../../imap/respond.ts";
import { printSection, type Section } from "../../imap/section.ts";
import { localOffset } from "../../message/date.ts";
import { rawField, type Header } from "../../message/header.ts";
import { headerPart, sectionRange } from "../../message/section.ts";
import type { Message } from "../../store/mailbox.ts";
import type { Connection } from "./connection.ts";
import type { Learned } from "./message-cache.ts";
import type { Opened } from "./opened.ts";
import type { Need } from "./reading.ts";
import type { Counts } from "./session.ts";

const empty: Buffer = Buffer.alloc(0);
const emptyLine = Buffer.from("\r\n");

/** What of a message must be read, since it is not kept, to answer all these items. */
export function needOf(atts: readonly FetchAtt[], learned: Learned | undefined): Need {
  let need: Need = "nothing";
  for (const att of atts) {
    const one = needOfOne(att, learned);
    if (one === "all") return one;
    if (one === "header") need = one;
  }
  return need;
}

function needOfOne(att: FetchAtt, learned: Learned | undefined): Need {
  switch (att.item) {
    case "FLAGS":
    case "UID":
    case "INTERNALDATE":
    case "RFC822.SIZE":
      return "nothing";
    case "ENVELOPE":
      return learned?.envelope === undefined && learned?.header === undefined ? "header" : "nothing";
    case "BODY":
      return learned?.body === undefined ? "all" : "nothing";
    case "BODYSTRUCTURE":
      return learned?.bodyStructure === undefined ? "all" : "nothing";
    case "RFC822.HEADER":
      return learned?.header === undefined ? "header" : "nothing";
    case "BODY[]":
      return !ofHeader(att.section) ? "all" : learned?.header === undefined ? "header" : "nothing";
    case "RFC822":
    case "RFC822.TEXT":
      return "all";
  }
}

/** The message's own header, or fields of it. */
const ofHeader = (s: Section): boolean => s.part.length === 0 && (s.text === "header" || s.text === "fields");

/** Writes one item with its name; FLAGS is the caller's. */
export function writeAtt(out: Connection, counts: Counts, message: Message, opened: Opened, att: Exclude<FetchAtt, { item: "FLAGS" }>): void {
  switch (att.item) {
    case "FLAGS":
      return;
    case "UID":
      return out.write(`UID ${message.uid}`);
    case "INTERNALDATE":
      return out.write(`INTERNALDATE ${internalDate(message.internalDate, localOffset(message.internalDate))}`);
    case "RFC822.SIZE":
      return out.write(`RFC822.SIZE ${message.size}`);
    case "ENVELOPE":
      return out.write(`ENVELOPE ${opened.envelope ?? "NIL"}`);
    case "BODY":
      return out.write(`BODY ${opened.body ?? "NIL"}`);
    case "BODYSTRUCTURE":
      return out.write(`BODYSTRUCTURE ${opened.bodyStructure ?? "NIL"}`);
    case "RFC822":
      return writeOctets(out, counts, "RFC822", sectionOctets(opened, { text: "all", part: [] }), false);
    case "RFC822.HEADER":
      return writeOctets(out, counts, "RFC822.HEADER", sectionOctets(opened, { text: "header", part: [] }), true);
    case "RFC822.TEXT":
      return writeOctets(out, counts, "RFC822.TEXT", sectionOctets(opened, { text: "text", part: [] }), false);
    case "BODY[]": {
      const name = `BODY${printSection(att.section)}${att.partial === undefined ? "" : `<${att.partial.from}>`}`;
      const octets = sectionOctets(opened, att.section);
      const { from, count } = att.partial ?? { from: 0, count: octets.length };
      return writeOctets(out, counts, name, octets.subarray(from, from + count), att.section.text === "header" || att.section.text === "fields" || att.section.text === "mime");
    }
  }
}

function writeOctets(out: Connection, counts: Counts, name: string, octets: Buffer, header: boolean): void {
  if (header) {
    counts.headers++;
    counts.headerOctets += octets.length;
  } else {
    counts.bodies++;
    counts.bodyOctets += octets.length;
  }
  out.write(`${name} {${octets.length}}\r\n`);
  out.octets(octets);
}

/** The octets a section names; empty, as Dovecot answers, when the message has no such part. */
export function sectionOctets(opened: Opened, section: Section): Buffer {
  const { octets } = opened;
  if (ofHeader(section)) {
    const { header } = opened;
    if (header === undefined) return empty;
    return section.text === "fields" ? fieldsOf(header, section) : header.octets.subarray(header.start, header.bodyStart);
  }
  if (octets === undefined) return empty;
  if (section.part.length === 0 && section.text === "all") return octets;
  if (section.part.length === 0 && section.text === "text") return octets.subarray(opened.header?.bodyStart ?? 0);
  const { part } = opened;
  if (part === undefined) return empty;
  if (section.text === "fields") {
    const inner = headerPart(part, section.part);
    return inner === undefined ? empty : fieldsOf(inner.header, section);
  }
  const range = sectionRange(part, section.part, sectionTexts[section.text]);
  return range === undefined ? empty : octets.subarray(range.start, range.end);
}

const sectionTexts = { all: "", header: "HEADER", text: "TEXT", mime: "MIME" } as const;

/** HEADER.FIELDS and HEADER.FIELDS.NOT: the fields as they are, in the order of the message, and an empty line (RFC 3501 §6.4.5). */
function fieldsOf(header: Header, section: Extract<Section, { text: "fields" }>): Buffer {
  const names = new Set(section.names.map((n) => n.toLowerCase()));
  const found = header.fields.filter((f) => names.has(f.name.toLowerCase()) !== section.not).map((f) => rawField(header, f));
  return Buffer.concat([...found, emptyLine]);
}
