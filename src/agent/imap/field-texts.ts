/**
 * What SEARCH compares of a header field, of all messages of a mailbox, one behind the other: clients look for senders and subjects again and
 * again, for another word each time. Messages that came since are added, those that went are not asked for. Bounded in memory; to forget it costs time.
 */
import { UidBits } from "../../store/fulltext/marks.ts";
import type { Mailbox, Uid } from "../../store/mailbox.ts";
import type { Verdict } from "./candidates.ts";
import type { KnownFacts } from "./known-facts.ts";
import { messagesKey } from "./messages-key.ts";
import { breathe } from "./session.ts";

/** A field in one of the ways it is looked at: what of it is compared, undefined where facts do not say. */
export interface FieldReader {
  /** Another one for each way and field. */
  readonly key: string;
  /** To make the text costs more than to look for something in it message by message. */
  readonly dear: boolean;
  textOf(facts: Buffer): string | undefined;
  /** For less, where it is simple: puts it in UTF-8 into `into`, which has room for as many octets as the facts have. Where it ends, -1: `textOf` is to be asked. */
  put?(facts: Buffer, into: Buffer, at: number): number;
}

/** Texts of some messages in UTF-8, each with `end` behind it. */
interface Piece {
  readonly text: Buffer;
  /** Where each ends, and the UID of its message. */
  readonly ends: Uint32Array;
  readonly uids: Uint32Array;
}

/** Behind each text, and not in one that is looked for. */
const end = 0;
/** Messages of one piece, after which others have their turn. */
const pieceSize = 2048;

/** Keys that are remembered. */
const mostNoted = 256;

function noteIn(set: Set<string>, key: string): void {
  if (set.size === mostNoted) set.clear();
  set.add(key);
}

interface FieldText {
  readonly pieces: readonly Piece[];
  readonly covered: UidBits;
  readonly octets: number;
}

const none: FieldText = { pieces: [], covered: new UidBits(), octets: 0 };

export class FieldTexts {
  readonly #limit: number;
  readonly #kept = new Map<string, FieldText>();
  /** Dear ones, asked for once: not worth it yet. */
  readonly #once = new Set<string>();
  /** They are longer than the limit. */
  readonly #tooLong = new Set<string>();

  /** @param limit octets kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Which messages of the mailbox hold a text, of all whose facts are known; undefined: no help, as when a dear field is asked for the first time.
   *
   * @param uids   of all messages
   * @param needle as `searchable` of message/text.ts makes it, not empty
   */
  async find(mailbox: Mailbox, uids: Uint32Array, facts: KnownFacts, reader: FieldReader, needle: string): Promise<Verdict | undefined> {
    const key = `${messagesKey(mailbox)} ${reader.key}`;
    if (needle.includes(String.fromCharCode(end)) || !needle.isWellFormed() || this.#tooLong.has(key)) return undefined;
    const before = this.#kept.get(key);
    if (before === undefined && reader.dear && !this.#once.has(key)) {
      noteIn(this.#once, key);
      return undefined;
    }
    const found = await extend(before ?? none, mailbox, uids, facts, reader, this.#limit);
    if (found === undefined) {
      noteIn(this.#tooLong, key);
      this.#kept.delete(key);
      return undefined;
    }
    this.#keep(key, found);
    const hits = UidBits.of(holding(found, Buffer.from(needle)));
    const { covered } = found;
    return { of: (uid) => (covered.has(uid) ? hits.has(uid) : undefined), possible: (wanted) => covered.without(wanted, hits) };
  }

  /** The last used stay. */
  #keep(key: string, text: FieldText): void {
    this.#kept.delete(key);
    this.#kept.set(key, text);
    let sum = 0;
    for (const { octets } of this.#kept.values()) sum += octets;
    for (const [old, { octets }] of this.#kept) {
      if (sum <= this.#limit) return;
      this.#kept.delete(old);
      sum -= octets;
    }
  }
}

/** With messages that were not there before; undefined when that is too much. */
async function extend(before: FieldText, mailbox: Mailbox, uids: Uint32Array, facts: KnownFacts, reader: FieldReader, limit: number): Promise<FieldText | undefined> {
  const missing = uids.filter((uid) => !before.covered.has(uid));
  if (missing.length === 0) return before;
  const pieces = [...before.pieces];
  let { octets } = before;
  for (let from = 0; from < missing.length; from += pieceSize) {
    if (from > 0) await breathe();
    const piece = pieceOf(mailbox, missing.subarray(from, from + pieceSize), facts, reader);
    if (piece.uids.length === 0) continue;
    pieces.push(piece);
    octets += piece.text.length + 8 * piece.uids.length;
    if (octets > limit) return undefined;
  }
  if (pieces.length === before.pieces.length) return before;
  return { pieces, covered: UidBits.of(pieces.flatMap(({ uids: of }) => [...of])), octets };
}

/** Pieces are put together here. */
let room = Buffer.allocUnsafe(1 << 16);

function makeRoom(filled: number, more: number): void {
  if (room.length >= filled + more) return;
  const larger = Buffer.allocUnsafe(2 * (filled + more));
  room.copy(larger, 0, 0, filled);
  room = larger;
}

function pieceOf(mailbox: Mailbox, uids: Uint32Array, facts: KnownFacts, reader: FieldReader): Piece {
  const known = new Uint32Array(uids.length);
  const ends = new Uint32Array(uids.length);
  let count = 0;
  let length = 0;
  for (const uid of uids) {
    const of = facts.get(mailbox, uid as Uid);
    if (of === undefined) continue;
    makeRoom(length, of.length + 1);
    let to = reader.put?.(of, room, length) ?? -1;
    if (to < 0) {
      const text = reader.textOf(of);
      // Half a character is another one in UTF-8.
      if (text === undefined || !text.isWellFormed()) continue;
      makeRoom(length, Buffer.byteLength(text) + 1);
      to = length + room.write(text, length);
    }
    room[to] = end;
    length = to + 1;
    known[count] = uid;
    ends[count++] = length;
  }
  return { text: Buffer.from(room.subarray(0, length)), ends: ends.slice(0, count), uids: known.slice(0, count) };
}

/** UIDs of the messages that hold it. */
function holding({ pieces }: FieldText, needle: Buffer): number[] {
  const found: number[] = [];
  for (const { text, ends, uids } of pieces) {
    let n = 0;
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, ends[n])) {
      n = firstAbove(ends, at, n);
      found.push(uids[n] ?? 0);
    }
  }
  return found;
}

/** The first place from `from` on that holds more. */
function firstAbove(ends: Uint32Array, at: number, from: number): number {
  let low = from;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
