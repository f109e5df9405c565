/** Whether a message fits a search key. Cheap keys are asked first, and "not known without reading it" is an answer. */
import type { SearchKey } from "../../imap/search-key.ts";
import { dayOf, localOffset, parseDate } from "../../message/date.ts";
import { fieldsNamed, valueOf, type Header } from "../../message/header.ts";
import type { Part } from "../../message/mime.ts";
import { fieldText, innerHeaders, leaves, searchable, searchableField, searchablePart } from "../../message/text.ts";
import type { Message } from "../../store/mailbox.ts";
import type { Opened } from "./opened.ts";
import { runsOf, type Run, type View } from "./view.ts";

export interface Candidate {
  readonly index: number;
  readonly message: Message;
  /** Undefined before the message was read. */
  readonly opened: Opened | undefined;
}

export interface Matcher {
  /** 0 the list of messages, 1 the header, 2 the whole message. */
  readonly cost: 0 | 1 | 2;
  /** Undefined when it must be read to know. */
  test(c: Candidate): boolean | undefined;
}

/** @param decode  octets of a search string to text, in the command's charset */
export function compile(view: View, key: SearchKey, decode: (octets: Buffer) => string): Matcher {
  const inner = (k: SearchKey): Matcher => compile(view, k, decode);
  switch (key.key) {
    case "all":
      return cheap(() => true);
    case "and":
      return all(key.of.map(inner));
    case "or":
      return either(inner(key.left), inner(key.right));
    case "not": {
      const { cost, test } = inner(key.of);
      return {
        cost,
        test(c) {
          const verdict = test(c);
          return verdict === undefined ? undefined : !verdict;
        },
      };
    }
    case "flag": {
      const wanted = key.flag.startsWith("\\") ? key.flag : view.mailbox.keywords.find((k) => k.toLowerCase() === key.flag.toLowerCase());
      return cheap(({ message }) => wanted !== undefined && message.flags.has(wanted));
    }
    case "recent":
      return cheap(({ message }) => view.recent.has(message.uid));
    case "seq":
    case "uid":
      return inSet(view, key);
    case "larger":
      return cheap(({ message }) => message.size > key.size);
    case "smaller":
      return cheap(({ message }) => message.size < key.size);
    case "date":
      if (key.sent) return ofHeader((header) => compareDay(sentDay(header), key.how, key.day));
      return cheap(({ message }) => compareDay(dayOf({ time: message.internalDate, offset: localOffset(message.internalDate) }), key.how, key.day));
    case "header": {
      const needle = searchable(decode(key.text));
      return ofHeader((header) => fieldsNamed(header, key.name).some((f) => needle === "" || searchableField(header, f).includes(needle)));
    }
    case "body":
    case "text":
      return inText(searchable(decode(key.text)), key.key === "text");
  }
}

const cheap = (test: (c: Candidate) => boolean): Matcher => ({ cost: 0, test });

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
function inSet(view: View, key: Extract<SearchKey, { key: "seq" | "uid" }>): Matcher {
  const n = view.messages.length;
  const clipped = key.key === "uid" ? key.set : key.set.flatMap(({ from, to }) => {
    const low = Math.min(from === "*" ? n : from, to === "*" ? n : to);
    const high = Math.max(from === "*" ? n : from, to === "*" ? n : to);
    return low > n || n === 0 ? [] : [{ from: low, to: Math.min(high, n) }];
  });
  const runs = runsOf(view, clipped, key.key === "uid") ?? [];
  return cheap(({ index }) => holds(runs, index));
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

const ofHeader = (test: (header: Header) => boolean): Matcher => ({
  cost: 1,
  test({ opened }) {
    const header = opened?.header;
    return header === undefined ? undefined : test(header);
  },
});

/** The day the sender's clock showed (RFC 3501 §6.4.4 SENTON: time and zone are disregarded). */
function sentDay(header: Header): number | undefined {
  const value = valueOf(header, "date");
  const date = value === undefined ? undefined : parseDate(value);
  return date === undefined ? undefined : dayOf(date);
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

function inText(needle: string, withHeader: boolean): Matcher {
  return {
    cost: 2,
    test({ opened }) {
      if (needle === "") return true;
      if (opened === undefined) return undefined;
      if (withHeader && opened.header !== undefined && headerHolds(opened.header, needle)) return true;
      const { octets } = opened;
      if (octets === undefined) return undefined;
      const { structure: part } = opened;
      return part !== undefined && (bodyHolds(octets, part, needle) || (withHeader && innerHeaders(part).some((h) => headerHolds(h, needle))));
    },
  };
}

const headerHolds = (header: Header, needle: string): boolean => header.fields.some((f) => searchable(`${f.name}: ${fieldText(header, f)}`).includes(needle));

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
