/** Whether a message fits a search key. Cheap keys are asked first, and "not known without reading it" is an answer. */
import { sentOffset, sentTime } from "../../imap/facts.ts";
import type { SearchKey } from "../../imap/search-key.ts";
import { dayOf, localOffset, parseDate } from "../../message/date.ts";
import { valueOf, type Header } from "../../message/header.ts";
import type { Part } from "../../message/mime.ts";
import { innerHeaders, leaves, searchable, searchableLine, searchablePart } from "../../message/text.ts";
import type { Flags, Message } from "../../store/mailbox.ts";
import type { TextQuery, Verdict } from "./candidates.ts";
import type { FieldReader } from "./field-texts.ts";
import type { Opened } from "./opened.ts";
import { fieldReader, fieldTest, type HeaderKey } from "./search-fields.ts";
import { runsOf, type Run, type View } from "./view.ts";

export interface Candidate {
  readonly index: number;
  readonly message: Message;
  /** Undefined before they were looked at, or where there are none. */
  readonly facts: Buffer | undefined;
  /** Undefined before the message was read. */
  readonly opened: Opened | undefined;
}

export type FlagTest = (flags: Flags) => boolean;

export interface Matcher {
  /** 0 the list of messages, 1 facts or the header, 2 the whole message. */
  readonly cost: 0 | 1 | 2;
  /** What the flags of every match are like; undefined: nothing is asked of them. */
  readonly flags: FlagTest | undefined;
  /** All messages with such flags match. */
  readonly byFlags: boolean;
  /** Undefined when it must be read to know. */
  test(c: Candidate): boolean | undefined;
}

const anyFlags = { flags: undefined, byFlags: false };

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
    return { ...anyFlags, cost: 0, test };
  };
  const flagged = (flags: FlagTest): Matcher => ({ ...cheap(({ message }) => flags(message.flags)), flags, byFlags: true });
  const inner = (k: SearchKey): Matcher => {
    switch (k.key) {
      case "all":
        return flagged(() => true);
      case "and":
        return all(k.of.map(inner));
      case "or":
        return either(inner(k.left), inner(k.right));
      case "not": {
        const { cost, flags, byFlags, test } = inner(k.of);
        if (byFlags && flags !== undefined) return flagged((of) => !flags(of));
        return {
          ...anyFlags,
          cost,
          test(c) {
            const verdict = test(c);
            return verdict === undefined ? undefined : !verdict;
          },
        };
      }
      case "flag": {
        const wanted = k.flag.startsWith("\\") ? k.flag : view.mailbox.keywords.find((w) => w.toLowerCase() === k.flag.toLowerCase());
        return flagged((flags) => wanted !== undefined && flags.has(wanted));
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
  const tests = ordered.flatMap(({ flags }) => flags ?? []);
  return {
    cost: ordered.at(-1)?.cost ?? 0,
    flags: tests.length === 0 ? undefined : (flags) => tests.every((fits) => fits(flags)),
    byFlags: tests.length > 0 && ordered.every(({ byFlags }) => byFlags),
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
  const [one, other] = [a.flags, b.flags];
  return {
    cost: second.cost,
    flags: one === undefined || other === undefined ? undefined : (flags) => one(flags) || other(flags),
    byFlags: a.byFlags && b.byFlags,
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
    ...anyFlags,
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

/** @param key  undefined when it is enough that there is such a field, and where an index does not know */
function inHeader(of: HeaderKey, needle: string, key: TextKey | undefined, field: FieldKey | undefined): Matcher {
  const holds = fieldTest(of, needle);
  return {
    ...anyFlags,
    cost: 1,
    test({ message, facts, opened }) {
      const verdict = field?.verdict?.of(message.uid);
      if (verdict !== undefined) return verdict;
      if (key?.verdict?.of(message.uid) === false) return false;
      return holds(facts, opened);
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

function inText(key: TextKey): Matcher {
  const { needle } = key;
  const withHeader = key.in === "text";
  return {
    ...anyFlags,
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
