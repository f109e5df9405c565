/** The items of a FETCH response. RFC 3501 §7.4.2. Each is prepared once for a command and written for every message. */
import { hasHeader, hasSection, section, sectionEnd, sectionStart, type FactsSection } from "../../imap/facts.ts";
import { chosenRuns, fieldChoice, fieldsStart, needsWhole, type FieldChoice } from "../../imap/facts-fields.ts";
import type { FetchAtt } from "../../imap/fetch-att.ts";
import { printBody } from "../../imap/respond-body.ts";
import { printEnvelope } from "../../imap/respond-envelope.ts";
import { printSection, type Section } from "../../imap/section.ts";
import { envelope } from "../../message/envelope.ts";
import { rawField, type Header } from "../../message/header.ts";
import { headerPart, sectionRange } from "../../message/section.ts";
import type { Message } from "../../store/mailbox.ts";
import { InternalDates } from "./internal-date.ts";
import type { Opened } from "./opened.ts";
import type { Output } from "../output.ts";
import type { Need } from "./reading.ts";
import type { Counts, Session } from "./session.ts";
import { flagsOfMessage } from "./sync.ts";
import type { View } from "./view.ts";

const empty: Buffer = Buffer.alloc(0);
const emptyLine = Buffer.from("\r\n");

export interface FetchItem {
  /** The list of messages answers it: nothing of them must be read. */
  readonly listed?: true;
  /** Facts answer it, where they are kept. */
  readonly factual: boolean;
  /** What of a message must be read, given its facts. */
  need(facts: Buffer | undefined): Need;
  /** Name and value. */
  write(out: Output, message: Message, opened: Opened): void;
}

export function fetchItem(session: Session, view: View, att: FetchAtt): FetchItem {
  const { counts } = session;
  switch (att.item) {
    case "FLAGS":
      return listed((out, message) => {
        out.write("FLAGS ");
        out.write(flagsOfMessage(view, message));
      });
    case "UID":
      return listed((out, { uid }) => {
        out.write("UID ");
        out.number(uid);
      });
    case "INTERNALDATE": {
      const dates = new InternalDates();
      return listed((out, { internalDate }) => {
        out.write("INTERNALDATE ");
        dates.write(out, internalDate);
      });
    }
    case "RFC822.SIZE":
      return listed((out, { size }) => {
        out.write("RFC822.SIZE ");
        out.number(size);
      });
    case "ENVELOPE":
      return printedItem("ENVELOPE ", section.envelope, "header", ({ header }) => (header === undefined ? "NIL" : printEnvelope(envelope(header))));
    case "BODY":
      return printedItem("BODY ", section.body, "facts", ({ part }) => (part === undefined ? "NIL" : printBody(part, false)));
    case "BODYSTRUCTURE":
      return printedItem("BODYSTRUCTURE ", section.bodyStructure, "facts", ({ part }) => (part === undefined ? "NIL" : printBody(part, true)));
    case "RFC822":
      return sectionItem(counts, "RFC822", { text: "all", part: [] }, undefined);
    case "RFC822.HEADER":
      return sectionItem(counts, "RFC822.HEADER", { text: "header", part: [] }, undefined);
    case "RFC822.TEXT":
      return sectionItem(counts, "RFC822.TEXT", { text: "text", part: [] }, undefined);
    case "BODY[]":
      return sectionItem(counts, `BODY${printSection(att.section)}${att.partial === undefined ? "" : `<${att.partial.from}>`}`, att.section, att.partial);
  }
}

/** One that the list of messages answers. */
const listed = (write: (out: Output, message: Message) => void): FetchItem => ({ listed: true, factual: false, need: () => "nothing", write });

/** One that facts have ready to send. */
function printedItem(name: string, which: FactsSection, need: Need, print: (opened: Opened) => string): FetchItem {
  return {
    factual: true,
    need: (facts) => (facts !== undefined && hasSection(facts, which) ? "nothing" : need),
    write(out, _, opened) {
      out.write(name);
      const { facts } = opened;
      if (facts !== undefined && hasSection(facts, which)) out.copy(facts, sectionStart(facts, which), sectionEnd(facts, which));
      else out.write(print(opened));
    },
  };
}

type Partial = { readonly from: number; readonly count: number } | undefined;

function sectionItem(counts: Counts, name: string, sec: Section, partial: Partial): FetchItem {
  const isHeader = sec.text === "header" || sec.text === "fields" || sec.text === "mime";
  const count = (octets: number): void => {
    if (isHeader) {
      counts.headers++;
      counts.headerOctets += octets;
    } else {
      counts.bodies++;
      counts.bodyOctets += octets;
    }
  };
  const start = (out: Output, octets: number): void => {
    count(octets);
    out.write(name);
    out.write(" {");
    out.number(octets);
    out.write("}\r\n");
  };
  const write = (out: Output, octets: Buffer): void => {
    const { from, count: most } = partial ?? { from: 0, count: octets.length };
    const part = octets.subarray(from, from + most);
    start(out, part.length);
    out.octets(part);
  };
  if (sec.part.length === 0 && sec.text === "all" && partial === undefined) {
    return {
      factual: false,
      need: () => "text",
      write(out, _, opened) {
        const { latin1 } = opened;
        if (latin1 === undefined) return write(out, opened.octets ?? empty);
        start(out, latin1.length);
        out.write(latin1);
      },
    };
  }
  if (sec.part.length > 0 || (sec.text !== "header" && sec.text !== "fields")) return { factual: false, need: () => "all", write: (out, _, opened) => write(out, sectionOctets(opened, sec)) };
  // The message's own header, or fields of it: with HEADER all but none.
  const choice = sec.text === "fields" ? fieldChoice(sec.names, sec.not) : fieldChoice([], true);
  const ready = (facts: Buffer | undefined): facts is Buffer => facts !== undefined && hasSection(facts, section.fields) && (!needsWhole(choice) || hasHeader(facts));
  const runs: number[] = [];
  return {
    factual: true,
    need: (facts) => (ready(facts) ? "nothing" : "header"),
    write(out, _, opened) {
      const { facts } = opened;
      if (!ready(facts)) return write(out, sectionOctets(opened, sec));
      readyRuns(facts, sec, choice, runs);
      const last = sec.text === "fields" ? emptyLine : empty;
      if (partial !== undefined) return write(out, joined(facts, runs, last));
      let octets = last.length;
      for (let i = 0; i < runs.length; i += 2) octets += (runs[i + 1] ?? 0) - (runs[i] ?? 0);
      start(out, octets);
      for (let i = 0; i < runs.length; i += 2) out.copy(facts, runs[i] ?? 0, runs[i + 1] ?? 0);
      out.octets(last);
    },
  };
}

function readyRuns(facts: Buffer, sec: Section, choice: FieldChoice, runs: number[]): void {
  const from = sectionStart(facts, section.fields);
  if (sec.text === "fields") return chosenRuns(facts, from, choice, runs);
  runs.length = 0;
  runs.push(fieldsStart(facts, from), sectionEnd(facts, section.fields));
}

function joined(facts: Buffer, runs: readonly number[], last: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < runs.length; i += 2) parts.push(facts.subarray(runs[i], runs[i + 1]));
  return Buffer.concat([...parts, last]);
}

/** The octets a section names; empty, as Dovecot answers, when the message has no such part. */
export function sectionOctets(opened: Opened, sec: Section): Buffer {
  const { octets } = opened;
  if (sec.part.length === 0 && (sec.text === "header" || sec.text === "fields")) {
    const { header } = opened;
    if (header === undefined) return empty;
    return sec.text === "fields" ? fieldsOf(header, sec) : header.octets.subarray(header.start, header.bodyStart);
  }
  if (octets === undefined) return empty;
  if (sec.part.length === 0 && sec.text === "all") return octets;
  if (sec.part.length === 0 && sec.text === "text") return octets.subarray(opened.header?.bodyStart ?? 0);
  const { part } = opened;
  if (part === undefined) return empty;
  if (sec.text === "fields") {
    const inner = headerPart(part, sec.part);
    return inner === undefined ? empty : fieldsOf(inner.header, sec);
  }
  const range = sectionRange(part, sec.part, sectionTexts[sec.text]);
  return range === undefined ? empty : octets.subarray(range.start, range.end);
}

const sectionTexts = { all: "", header: "HEADER", text: "TEXT", mime: "MIME" } as const;

/**
 * HEADER.FIELDS and HEADER.FIELDS.NOT: the fields as they are, in the order of the message, and the empty line (RFC 3501 §6.4.5). Of a header
 * that has none, Dovecot 2.3 tells one behind named fields of the message itself.
 */
function fieldsOf(header: Header, sec: Extract<Section, { text: "fields" }>): Buffer {
  const names = new Set(sec.names.map((n) => n.toLowerCase()));
  const found = header.fields.filter((f) => names.has(f.key) !== sec.not).map((f) => rawField(header, f));
  if (header.closed) return Buffer.concat([...found, emptyLine]);
  if (sec.not || sec.part.length > 0) return Buffer.concat(found);
  const last = found.at(-1);
  return Buffer.concat(last === undefined || last.at(-1) === 0x0a ? [...found, emptyLine] : [...found, emptyLine, emptyLine]);
}
