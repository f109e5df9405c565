/**
 * Ranks of all messages of a mailbox by what they are sorted and threaded by. Clients ask again and again for the order of the same messages,
 * with a few new ones: the columns stay in memory, bounded, and messages that came or went cost what they are, not what the mailbox is.
 */
import { keyNames, sentTime, sortKey, type KeyName } from "../../imap/facts.ts";
import type { Reply } from "../../imap/respond.ts";
import { countTo, rankNumbers } from "../../imap/sort.ts";
import type { ThreadAlgorithm } from "../../imap/sort-criteria.ts";
import type { Threads } from "../../imap/thread.ts";
import { mergeTexts, rankTexts, type TextRanks } from "../../imap/text-ranks.ts";
import type { Mailbox, Message } from "../../store/mailbox.ts";
import { factsOfAll } from "./facts-of-all.ts";
import { messagesKey } from "./messages-key.ts";
import type { Session } from "./session.ts";
import type { View } from "./view.ts";

type NumberName = "sent" | "arrival" | "size";
export type ColumnName = KeyName | NumberName;

const isText = (name: ColumnName): name is KeyName => keyNames.some((k) => k === name);

interface NumberRanks {
  readonly values: Float64Array;
  readonly ranks: Uint32Array;
}

/** The number of a message among those asked for, and its facts, good as long as it runs. */
type TakeFacts = (n: number, facts: Buffer) => void;

interface Extended {
  readonly columns: Columns;
  readonly failed: Reply | undefined;
  /** Whoever wanted the facts as well has got them. */
  readonly looked: boolean;
}

/** Never changed: another state is another object. */
export interface Columns {
  /** Of each row, ascending. */
  readonly uids: Uint32Array;
  readonly texts: ReadonlyMap<KeyName, TextRanks>;
  readonly numbers: ReadonlyMap<NumberName, NumberRanks>;
  /** Threads of all rows. */
  readonly threads: ReadonlyMap<ThreadAlgorithm, Threads>;
}

/** Ranks of some rows, ascending, by one column. Not to be written to. */
export function ranksOf(columns: Columns, name: ColumnName, rows: Uint32Array): Uint32Array {
  const all = (isText(name) ? columns.texts.get(name) : columns.numbers.get(name))?.ranks ?? new Uint32Array(0);
  // Rows are distinct and ascend.
  if (rows.length === all.length) return all;
  const ranks = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) ranks[i] = all[rows[i] ?? 0] ?? 0;
  return ranks;
}

const noColumns: Columns = { uids: new Uint32Array(0), texts: new Map(), numbers: new Map(), threads: new Map() };

/**
 * Columns of these names for the messages at these places of the view, in their order.
 *
 * @param uids    of these messages
 * @param before  columns of mostly the same messages; their own stay
 * @param also    takes the facts of each row, where all of them are looked at
 */
async function extend(session: Session, view: View, places: Uint32Array, uids: Uint32Array, names: readonly ColumnName[], before: Columns, also?: TakeFacts): Promise<Extended> {
  const same = equal(uids, before.uids);
  const missing = names.filter((name) => !has(before, name));
  if (same && missing.length === 0) return { columns: before, failed: undefined, looked: false };
  const from = rowsFrom(before.uids, uids);
  const added = rowsAdded(from);
  const everything = missing.some((name) => isText(name) || name === "sent");
  // Who sorts by one thing sorts by date next: where all facts are looked at, it comes along.
  const all = [...new Set<ColumnName>([...before.texts.keys(), ...before.numbers.keys(), ...names, ...(everything ? (["sent"] as const) : [])])];
  // A column that is not there yet needs every message, others only those that came.
  const fresh = new Map<KeyName, string[]>();
  for (const name of all) if (isText(name)) fresh.set(name, new Array<string>(before.texts.has(name) ? added.length : uids.length).fill(""));
  const sentOf = all.includes("sent") ? sentBefore(before.numbers.get("sent")?.values, from) : undefined;
  const addedAt = placesOf(added, before.texts.size > 0 ? uids.length : 0);
  const rows = everything ? countTo(uids.length) : added;
  // Arrival and size are in the list of messages.
  const factual = fresh.size > 0 || sentOf !== undefined;
  const failed = !factual ? undefined : await factsOfAll(session, view, placesAt(places, rows), (n, facts) => {
    const row = rows[n] ?? 0;
    for (const [name, keys] of fresh) {
      const at = before.texts.has(name) ? (addedAt[row] ?? -1) : row;
      if (at >= 0) keys[at] = sortKey(facts, name);
    }
    if (sentOf !== undefined) sentOf[row] = sentTime(facts) ?? NaN;
    if (everything) also?.(row, facts);
  });
  if (sentOf !== undefined) arrivedInstead(sentOf, view, places);
  const texts = new Map<KeyName, TextRanks>();
  for (const [name, keys] of fresh) {
    const old = before.texts.get(name);
    texts.set(name, old === undefined ? rankTexts(keys) : same ? old : mergeTexts(old, from, keys));
  }
  const numbers = new Map<NumberName, NumberRanks>();
  for (const name of all) {
    if (isText(name)) continue;
    const old = before.numbers.get(name);
    if (same && old !== undefined) numbers.set(name, old);
    else {
      const values = name === "sent" ? (sentOf ?? new Float64Array(0)) : numbersOf(view, places, name);
      numbers.set(name, { values, ranks: rankNumbers(values) });
    }
  }
  return { columns: { uids, texts, numbers, threads: same ? before.threads : noColumns.threads }, failed, looked: everything && also !== undefined };
}

/** RFC 5256 §2.2: without a Date that can be read, INTERNALDATE; so too where the message could not be read. */
function arrivedInstead(sent: Float64Array, view: View, places: Uint32Array): void {
  for (let row = 0; row < sent.length; row++) if (Number.isNaN(sent[row])) sent[row] = wholeSecond(view.messages[places[row] ?? 0]?.internalDate ?? 0);
}

/** The places of these rows, which are distinct and ascend. */
function placesAt(places: Uint32Array, rows: Uint32Array): Uint32Array {
  if (rows.length === places.length) return places;
  const some = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) some[i] = places[rows[i] ?? 0] ?? 0;
  return some;
}

const has = (columns: Columns, name: ColumnName): boolean => (isText(name) ? columns.texts.has(name) : columns.numbers.has(name));

function equal(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The sent dates that are known; NaN for others. */
function sentBefore(values: Float64Array | undefined, from: Int32Array): Float64Array {
  const sent = new Float64Array(from.length).fill(NaN);
  if (values !== undefined) for (let row = 0; row < from.length; row++) sent[row] = values[from[row] ?? -1] ?? NaN;
  return sent;
}

/** For each of `count` rows its place among those added, or -1. */
function placesOf(added: Uint32Array, count: number): Int32Array {
  const places = new Int32Array(count).fill(-1);
  if (count > 0) for (let i = 0; i < added.length; i++) places[added[i] ?? 0] = i;
  return places;
}

function numbersOf(view: View, places: Uint32Array, name: "arrival" | "size"): Float64Array {
  const known = view.numbers(name === "size" ? "size" : "internalDate");
  const values = known !== undefined && known.length === places.length ? known : new Float64Array(places.length);
  for (let row = 0; row < places.length; row++) {
    const place = places[row] ?? 0;
    const value = known?.[place] ?? NaN;
    const exact = Number.isNaN(value) ? valueOf(view.messages[place], name) : value;
    values[row] = name === "arrival" ? wholeSecond(exact) : exact;
  }
  return values;
}

/** Dates as clients see them: in INTERNALDATE there are no parts of a second, and what has the same is in the order of the mailbox. */
const wholeSecond = (time: number): number => Math.floor(time / 1000) * 1000;

const valueOf = (message: Message | undefined, name: "arrival" | "size"): number => (name === "size" ? message?.size : message?.internalDate) ?? 0;

/** Rows that were not there before. */
function rowsAdded(from: Int32Array): Uint32Array {
  const added = new Uint32Array(from.length);
  let count = 0;
  for (let row = 0; row < from.length; row++) if (from[row] === -1) added[count++] = row;
  return added.slice(0, count);
}

/** For each row where its UID stood before; -1 where it did not. Both ascend. */
function rowsFrom(before: Uint32Array, uids: Uint32Array): Int32Array {
  const from = new Int32Array(uids.length);
  if (before.length === 0) return from.fill(-1);
  let old = 0;
  for (let row = 0; row < uids.length; row++) {
    const uid = uids[row] ?? 0;
    while (old < before.length && (before[old] ?? 0) < uid) old++;
    from[row] = before[old] === uid ? old : -1;
  }
  return from;
}

const octetsOfThreads = ({ roots, firstChild, nextSibling }: Threads): number => roots.byteLength + firstChild.byteLength + nextSibling.byteLength;

/** Octets in memory, about. */
function octetsOf({ uids, texts, numbers, threads }: Columns): number {
  let octets = uids.length * (4 + 4 * texts.size + 12 * numbers.size);
  for (const one of threads.values()) octets += octetsOfThreads(one);
  for (const { keys } of texts.values()) for (const key of keys) octets += 32 + key.length;
  return octets;
}

/** Columns of the mailboxes of one user: the last used stay, up to a limit. */
export class SortColumns {
  readonly #limit: number;
  readonly #kept = new Map<string, { readonly columns: Columns; readonly octets: number }>();

  /** @param limit octets kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * @param found  places in the view, ascending, that are to be compared
   * @param also   takes the facts of all of `found`, when these and no others are looked at for the columns: `looked`
   * @returns columns, and for each of `found` its row
   */
  async of(session: Session, view: View, found: readonly number[], names: readonly ColumnName[], also?: TakeFacts): Promise<Extended & { readonly rows: Uint32Array }> {
    const key = messagesKey(view.mailbox);
    const before = this.#kept.get(key);
    const places = Uint32Array.from(found);
    const { uids } = view;
    const some = found.length < uids.length / 2;
    const ready = before !== undefined && names.every((name) => has(before.columns, name));
    // A few of many messages are not worth a look at all of them.
    if (some && !ready) return { ...(await extend(session, view, places, places.map((place) => uids[place] ?? 0), names, noColumns, also)), rows: countTo(places.length) };
    const extended = await extend(session, view, countTo(uids.length), uids, names, before?.columns ?? noColumns, found.length === uids.length ? also : undefined);
    const { columns, failed } = extended;
    if (failed === undefined && columns !== before?.columns) this.#keep(key, columns, octetsOf(columns));
    return { ...extended, rows: places };
  }

  /** Threads of all rows of these columns, for the next who asks. */
  keepThreads(mailbox: Mailbox, columns: Columns, algorithm: ThreadAlgorithm, threads: Threads): void {
    const key = messagesKey(mailbox);
    const kept = this.#kept.get(key);
    if (kept?.columns === columns) this.#keep(key, { ...columns, threads: new Map([...columns.threads, [algorithm, threads]]) }, kept.octets + octetsOfThreads(threads));
  }

  #keep(key: string, columns: Columns, octets: number): void {
    this.#kept.delete(key);
    if (octets > this.#limit) return;
    this.#kept.set(key, { columns, octets });
    let sum = 0;
    for (const kept of this.#kept.values()) sum += kept.octets;
    for (const [old, kept] of this.#kept) {
      if (sum <= this.#limit) return;
      this.#kept.delete(old);
      sum -= kept.octets;
    }
  }
}
