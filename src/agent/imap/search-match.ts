/** Whether a message fits a search key. Cheap keys are asked first, and "not known without reading it" is an answer. */
import { hasHeader, hasSection, section, sectionEnd, sectionStart, sentOffset, sentTime } from "../../imap/facts.ts";
import { chosenHeader, chosenRuns, fieldChoice, needsWhole, type FieldChoice } from "../../imap/facts-fields.ts";
import type { SearchKey } from "../../imap/search-key.ts";
import { dayOf, localOffset, parseDate } from "../../message/date.ts";
import { fieldsNamed, valueOf, type Field, type Header } from "../../message/header.ts";
import type { Part } from "../../message/mime.ts";
import { innerHeaders, leaves, searchable, searchableAddresses, searchableField, searchableLine, searchablePart, searchableSubject } from "../../message/text.ts";
import type { Message } from "../../store/mailbox.ts";
import type { TextQuery, Verdict } from "./candidates.ts";
import type { FieldReader } from "./field-texts.ts";
import type { Opened } from "./opened.ts";
import { runsOf, type Run, type View } from "./view.ts";

export interface Candidate {
  readonly index: number;
  readonly message: Message;
  /** Undefined before they were looked at, or where there are none. */
  readonly facts: Buffer | undefined;
  /** Undefined before the message was read. */
  readonly opened: Opened | undefined;
}

export interface Matcher {
  /** 0 the list of messages, 1 facts or the header, 2 the whole message. */
  readonly cost: 0 | 1 | 2;
  /** Undefined when it must be read to know. */
  test(c: Candidate): boolean | undefined;
}

/** A key that looks for a text. */
export interface TextKey extends TextQuery {
  readonly key: SearchKey;
  /** What an index says; undefined: nothing. */
  verdict: Verdict | undefined;
}

/** A key that looks for a text in a field. */
export interface FieldKey {
  readonly reader: FieldReader;
  readonly needle: string;
  /** What is known of all messages; undefined: nothing. */
  verdict: Verdict | undefined;
}

export interface Compiled {
  readonly matcher: Matcher;
  readonly fields: readonly FieldKey[];
  readonly texts: readonly TextKey[];
  /** Those that every match holds. */
  readonly required: readonly TextKey[];
  /** The list of messages says nothing: there is no flag, number, date or size in the key. */
  readonly unlisted: boolean;
}

/**
 * @param decode  octets of a search string to text, in the command's charset
 * @param now     ms since the epoch
 */
export function compile(view: View, key: SearchKey, decode: (octets: Buffer) => string, now: number): Compiled {
  const texts: TextKey[] = [];
  const fields: FieldKey[] = [];
  const text = (of: SearchKey, place: TextQuery["in"], field: string, needle: string): TextKey => {
    const added: TextKey = { key: of, in: place, field, needle, verdict: undefined };
    texts.push(added);
    return added;
  };
  let unlisted = true;
  const cheap = (test: (c: Candidate) => boolean): Matcher => {
    unlisted = false;
    return { cost: 0, test };
  };
  const inner = (k: SearchKey): Matcher => {
    switch (k.key) {
      case "all":
        return cheap(() => true);
      case "and":
        return all(k.of.map(inner));
      case "or":
        return either(inner(k.left), inner(k.right));
      case "not": {
        const { cost, test } = inner(k.of);
        return {
          cost,
          test(c) {
            const verdict = test(c);
            return verdict === undefined ? undefined : !verdict;
          },
        };
      }
      case "flag": {
        const wanted = k.flag.startsWith("\\") ? k.flag : view.mailbox.keywords.find((w) => w.toLowerCase() === k.flag.toLowerCase());
        return cheap(({ message }) => wanted !== undefined && message.flags.has(wanted));
      }
      case "recent":
        return cheap(({ message }) => view.recent.has(message.uid));
      case "seq":
      case "uid":
        return cheap(inSet(view, k));
      case "larger":
        return cheap(({ message }) => message.size > k.size);
      case "smaller":
        return cheap(({ message }) => message.size < k.size);
      case "older":
      case "younger": {
        const limit = Math.floor(now / 1000) - k.seconds;
        const older = k.key === "older";
        return cheap(({ message }) => {
          const second = Math.floor(message.internalDate / 1000);
          return older ? second <= limit : second >= limit;
        });
      }
      case "date":
        if (k.sent) return sentOn(k.how, k.day);
        return cheap(({ message }) => compareDay(dayOf({ time: message.internalDate, offset: localOffset(message.internalDate) }), k.how, k.day));
      case "header": {
        const needle = searchable(decode(k.text));
        if (needle === "") return inHeader(k, needle, undefined, undefined);
        const field: FieldKey = { reader: fieldReader(k), needle, verdict: undefined };
        fields.push(field);
        // The index has fields as they stand there.
        return inHeader(k, needle, k.as === "addresses" ? undefined : text(k, "header", k.name.toLowerCase(), needle), field);
      }
      case "body":
      case "text": {
        const needle = searchable(decode(k.text));
        return needle === "" ? cheap(() => true) : inText(text(k, k.key, "", needle));
      }
    }
  };
  /** What is not behind OR or NOT. */
  const required = (k: SearchKey): readonly TextKey[] => (k.key === "and" ? k.of.flatMap(required) : k.key === "body" || k.key === "text" || k.key === "header" ? texts.filter(({ key: of }) => of === k) : []);
  const matcher = inner(key);
  return { matcher, fields, texts, required: required(key), unlisted };
}

/** All of them; the cheap ones first, and a dear one not at all when a cheap one says no. */
function all(matchers: readonly Matcher[]): Matcher {
  const ordered = matchers.toSorted((a, b) => a.cost - b.cost);
  return {
    cost: ordered.at(-1)?.cost ?? 0,
    test(c) {
      let verdict: boolean | undefined = true;
      for (const m of ordered) {
        const v = m.test(c);
        if (v === false) return false;
        if (v === undefined) verdict = undefined;
      }
      return verdict;
    },
  };
}

function either(a: Matcher, b: Matcher): Matcher {
  const [first, second] = a.cost <= b.cost ? [a, b] : [b, a];
  return {
    cost: second.cost,
    test(c) {
      const v = first.test(c);
      if (v === true) return true;
      const w = second.test(c);
      if (w === true) return true;
      return v === undefined || w === undefined ? undefined : false;
    },
  };
}

/** Numbers beyond the last message match nothing, as Dovecot takes them; only FETCH and its like must refuse them. */
function inSet(view: View, key: Extract<SearchKey, { key: "seq" | "uid" }>): (c: Candidate) => boolean {
  const n = view.messages.length;
  const clipped = key.key === "uid" ? key.set : key.set.flatMap(({ from, to }) => {
    const low = Math.min(from === "*" ? n : from, to === "*" ? n : to);
    const high = Math.max(from === "*" ? n : from, to === "*" ? n : to);
    return low > n || n === 0 ? [] : [{ from: low, to: Math.min(high, n) }];
  });
  const runs = runsOf(view, clipped, key.key === "uid") ?? [];
  return ({ index }) => holds(runs, index);
}

/** Is the index in one of the ascending runs? */
function holds(runs: readonly Run[], index: number): boolean {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((runs[middle]?.to ?? 0) <= index) low = middle + 1;
    else high = middle;
  }
  return (runs[low]?.from ?? Infinity) <= index;
}

/** RFC 3501 §6.4.4 SENTON and its like: the day the sender's clock showed; time and zone are disregarded. */
function sentOn(how: "before" | "on" | "since", wanted: number): Matcher {
  return {
    cost: 1,
    test({ facts, opened }) {
      if (facts !== undefined) {
        const time = sentTime(facts);
        return compareDay(time === undefined ? undefined : dayOf({ time, offset: sentOffset(facts) }), how, wanted);
      }
      const header = opened?.header;
      return header === undefined ? undefined : compareDay(sentDay(header), how, wanted);
    },
  };
}

function sentDay(header: Header): number | undefined {
  const value = valueOf(header, "date");
  const date = value === undefined ? undefined : parseDate(value);
  return date === undefined ? undefined : dayOf(date);
}

type HeaderKey = Extract<SearchKey, { key: "header" }>;

/** What of a field is looked at; addresses both as they stand there and written one way. */
const fieldTexts: Readonly<Record<HeaderKey["as"], (header: Header, f: Field) => readonly string[]>> = {
  value: (header, f) => [searchableField(header, f)],
  subject: (header, f) => [searchableSubject(header, f)],
  addresses: (header, f) => [searchableField(header, f), searchableAddresses(header, f)],
};

/** Whether the facts have all fields of the choice. */
const hasFields = (facts: Buffer, choice: FieldChoice): boolean => hasSection(facts, section.fields) && (!needsWhole(choice) || hasHeader(facts));

const chosen = (facts: Buffer, choice: FieldChoice): Header => chosenHeader(facts, sectionStart(facts, section.fields), sectionEnd(facts, section.fields), choice);

function fieldReader({ name, as }: HeaderKey): FieldReader {
  const choice = fieldChoice([name]);
  const runs: number[] = [];
  return {
    key: `${as} ${name.toLowerCase()}`,
    dear: as === "addresses",
    textOf(facts) {
      if (!hasFields(facts, choice)) return undefined;
      chosenRuns(facts, sectionStart(facts, section.fields), choice, runs);
      const simple = runs.length === 0 ? "" : simpleValue(as, facts, runs);
      if (simple === "" || (simple !== undefined && as !== "addresses")) return simple;
      const header = chosen(facts, choice);
      return fieldsNamed(header, name).flatMap((f) => fieldTexts[as](header, f)).join("\0");
    },
  };
}

/** @param key  undefined when it is enough that there is such a field, and where an index does not know */
function inHeader({ name, as }: HeaderKey, needle: string, key: TextKey | undefined, field: FieldKey | undefined): Matcher {
  const choice = fieldChoice([name]);
  const runs: number[] = [];
  const holds = (header: Header): boolean => fieldsNamed(header, name).some((f) => needle === "" || fieldTexts[as](header, f).some((text) => text.includes(needle)));
  const simply = simpleTest(as, needle);
  return {
    cost: 1,
    test({ message, facts, opened }) {
      const verdict = field?.verdict?.of(message.uid);
      if (verdict !== undefined) return verdict;
      if (key?.verdict?.of(message.uid) === false) return false;
      if (facts !== undefined && hasFields(facts, choice)) {
        chosenRuns(facts, sectionStart(facts, section.fields), choice, runs);
        return runs.length > 0 && (simply(facts, runs) ?? holds(chosen(facts, choice)));
      }
      const header = opened?.header;
      return header === undefined ? undefined : holds(header);
    },
  };
}

function compareDay(day: number | undefined, how: "before" | "on" | "since", wanted: number): boolean {
  if (day === undefined) return false;
  switch (how) {
    case "before":
      return day < wanted;
    case "on":
      return day === wanted;
    case "since":
      return day >= wanted;
  }
}

/** Octets that make a field more than one line of US-ASCII; NUL has another look when it is decoded. */
const notSimple = /[\0\x80-\xff]|=\?|\n[^]/;

/** White space that `searchableSubject` changes. */
const spaced = /\t|^ | {2}/;

/** What is compared of the field, of addresses as they stand there, where it is one and is one line of US-ASCII without encoded words; undefined where it is more. */
function simpleValue(as: HeaderKey["as"], facts: Buffer, runs: readonly number[]): string | undefined {
  if (runs.length > 2) return undefined;
  const field = facts.toString("latin1", runs[0], runs[1]);
  if (notSimple.test(field)) return undefined;
  const value = /^[^:]*:[ \t]?([^]*?)(?:\r?\n)?$/.exec(field)?.[1]?.toUpperCase() ?? "";
  return as === "subject" && spaced.test(value) ? undefined : value;
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

function inText(key: TextKey): Matcher {
  const { needle } = key;
  const withHeader = key.in === "text";
  return {
    cost: 2,
    test({ message, opened }) {
      const verdict = key.verdict?.of(message.uid);
      if (verdict !== undefined || opened === undefined) return verdict;
      if (withHeader && opened.header !== undefined && headerHolds(opened.header, needle)) return true;
      const { octets } = opened;
      if (octets === undefined) return undefined;
      const { structure: part } = opened;
      return part !== undefined && (bodyHolds(octets, part, needle) || (withHeader && innerHeaders(part).some((h) => headerHolds(h, needle))));
    },
  };
}

const headerHolds = (header: Header, needle: string): boolean => header.fields.some((f) => searchableLine(header, f).includes(needle));

const bodyHolds = (octets: Buffer, part: Part, needle: string): boolean =>
  leaves(part).some((leaf) => textOf(octets, leaf)?.includes(needle) === true);

/** Decoded once for all keys of a search; goes with the part, when the next message is looked at. */
const texts = new WeakMap<Part, string>();

function textOf(octets: Buffer, leaf: Part): string | undefined {
  let text = texts.get(leaf);
  if (text === undefined) {
    text = searchablePart(octets, leaf);
    if (text !== undefined) texts.set(leaf, text);
  }
  return text;
}
