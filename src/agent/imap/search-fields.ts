/** What SEARCH compares of a header field: FROM, SUBJECT, HEADER and their like. RFC 3501 §6.4.4. */
import { hasHeader, hasSection, section, sectionEnd, sectionStart } from "../../imap/facts.ts";
import { chosenHeader, chosenRuns, fieldChoice, needsWhole, type FieldChoice } from "../../imap/facts-fields.ts";
import type { SearchKey } from "../../imap/search-key.ts";
import { fieldsNamed, type Field, type Header } from "../../message/header.ts";
import { searchableAddresses, searchableField, searchableSubject } from "../../message/text.ts";
import type { FieldReader } from "./field-texts.ts";
import type { Opened } from "./opened.ts";

export type HeaderKey = Extract<SearchKey, { key: "header" }>;

/** What of a field is looked at; addresses both as they stand there and written one way. */
const fieldTexts: Readonly<Record<HeaderKey["as"], (header: Header, f: Field) => readonly string[]>> = {
  value: (header, f) => [searchableField(header, f)],
  subject: (header, f) => [searchableSubject(header, f)],
  addresses: (header, f) => [searchableField(header, f), searchableAddresses(header, f)],
};

/** Whether the facts have all fields of the choice. */
const hasFields = (facts: Buffer, choice: FieldChoice): boolean => hasSection(facts, section.fields) && (!needsWhole(choice) || hasHeader(facts));

const chosen = (facts: Buffer, choice: FieldChoice): Header => chosenHeader(facts, sectionStart(facts, section.fields), sectionEnd(facts, section.fields), choice);

export function fieldReader({ name, as }: HeaderKey): FieldReader {
  const choice = fieldChoice([name]);
  const runs: number[] = [];
  return {
    key: `${as} ${name.toLowerCase()}`,
    dear: as === "addresses",
    textOf(facts) {
      if (!hasFields(facts, choice)) return undefined;
      const header = chosen(facts, choice);
      return fieldsNamed(header, name).flatMap((f) => fieldTexts[as](header, f)).join("\0");
    },
    put(facts, into, at) {
      if (!hasFields(facts, choice)) return -1;
      chosenRuns(facts, sectionStart(facts, section.fields), choice, runs);
      if (runs.length === 0) return at;
      const end = runs.length > 2 ? -1 : putSimple(as, facts, runs[0], runs[1], into, at);
      return as === "addresses" && end > at ? -1 : end;
    },
  };
}

/** Whether a message holds the text in the field; undefined where neither its facts nor its header is known. */
export function fieldTest({ name, as }: HeaderKey, needle: string): (facts: Buffer | undefined, opened: Opened | undefined) => boolean | undefined {
  const choice = fieldChoice([name]);
  const runs: number[] = [];
  const holds = (header: Header): boolean => fieldsNamed(header, name).some((f) => needle === "" || fieldTexts[as](header, f).some((text) => text.includes(needle)));
  const simply = simpleTest(as, needle);
  return (facts, opened) => {
    if (facts !== undefined && hasFields(facts, choice)) {
      chosenRuns(facts, sectionStart(facts, section.fields), choice, runs);
      return runs.length > 0 && (simply(facts, runs) ?? holds(chosen(facts, choice)));
    }
    const header = opened?.header;
    return header === undefined ? undefined : holds(header);
  };
}

/** Whether the field holds the text; undefined where that is not simple. */
function simpleTest(as: HeaderKey["as"], needle: string): (facts: Buffer, runs: readonly number[]) => boolean | undefined {
  // Whatever way an address is written, its letters and digits stand together unless there is a backslash between.
  const longest = (needle.match(/[A-Z0-9]+/g) ?? []).reduce((a, b) => (b.length > a.length ? b : a), "");
  return (facts, runs) => {
    if (needle === "") return true;
    const value = simpleValue(as, facts, runs);
    if (value === undefined) return undefined;
    if (value.includes(needle)) return true;
    return as === "addresses" && (value.includes("\\") || value.includes(longest)) ? undefined : false;
  };
}

let room: Buffer = Buffer.alloc(0);

/** What is compared of the field, of addresses as they stand there; undefined where it is not one field that is simple. */
function simpleValue(as: HeaderKey["as"], facts: Buffer, runs: readonly number[]): string | undefined {
  if (runs.length > 2) return undefined;
  const [from, to] = runs;
  if (room.length < to - from) room = Buffer.allocUnsafe(2 * (to - from));
  const end = putSimple(as, facts, from, to, room, 0);
  return end < 0 ? undefined : room.toString("latin1", 0, end);
}

const [nul, tab, lf, cr, space, colon, equals, question] = [0x00, 0x09, 0x0a, 0x0d, 0x20, 0x3a, 0x3d, 0x3f];

/**
 * Puts what is compared of a field that is one line of US-ASCII without encoded words at `at`: its value in upper case. Its octets stand from `from` to `to`,
 * and there is room for as many.
 *
 * @returns where it ends; -1 where the field is more than that, or, of a subject, has white space that `searchableSubject` changes
 */
function putSimple(as: HeaderKey["as"], octets: Buffer, from: number, to: number, into: Buffer, at: number): number {
  const valueEnd = octets[to - 1] !== lf ? to : octets[to - 2] === cr ? to - 2 : to - 1;
  const spacing = as === "subject";
  let start = -1;
  let out = at;
  let before = space;
  for (let i = from; i < to; i++) {
    const octet = octets[i];
    // NUL has another look when it is decoded.
    if (octet === nul || octet >= 0x80 || (octet === lf && i + 1 < to) || (octet === equals && octets[i + 1] === question)) return -1;
    if (start < 0) {
      if (octet === colon) start = octets[i + 1] === space || octets[i + 1] === tab ? i + 2 : i + 1;
    } else if (i >= start && i < valueEnd) {
      if (spacing && (octet === tab || (octet === space && before === space))) return -1;
      before = octet;
      into[out++] = octet >= 0x61 && octet <= 0x7a ? octet - 0x20 : octet;
    }
  }
  return out;
}
