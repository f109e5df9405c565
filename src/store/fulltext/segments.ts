/**
 * The words of a folder's messages, in segments: some messages each, with the distinct words of their header fields and those of their text
 * parts in blocks (blocks.ts). A segment is written once. Messages that go leave a 0 in its list of UIDs; what was written for few messages, or
 * has lost many, is put together into one segment when there is enough of it.
 *
 * - `segment` the UIDs of its messages, by their place; how many are still there; octets of its words
 * - `block`   words and places
 * - `text`    FTS5, a row for each block: its trigrams, without the text and without places (`detail=none`). They name the blocks that may hold a
 *             text, which are then looked at.
 *
 * Ids are those of the folder, the segment and the block together, so that what belongs to a folder is a range.
 */
import type { StatementSync } from "node:sqlite";
import { IndexFault } from "./fault.ts";
import { blocksOf, eachWord, placesOf, wordsHolding } from "./blocks.ts";
import type { Needle, Piece } from "./needle.ts";
import type { Hits, Place } from "./requests.ts";
import type { IndexedText } from "./text.ts";
import { withoutNulOctets } from "./trigrams.ts";
import { WordTable } from "./words.ts";

export const segmentSchema = `
  CREATE TABLE segment (id INTEGER PRIMARY KEY, messages INTEGER NOT NULL, octets INTEGER NOT NULL, uids BLOB NOT NULL);
  CREATE TABLE block (id INTEGER PRIMARY KEY, words BLOB NOT NULL, places BLOB NOT NULL);
  CREATE VIRTUAL TABLE text USING fts5(holds, content='', contentless_delete=1, detail=none, tokenize='trigram case_sensitive 1');`;

/** Blocks of one segment, of header fields at even numbers and of text parts at odd ones. */
const blockSpan = 2 ** 14;
/** Segments that a folder ever has. */
const segmentSpan = 2 ** 22;
const folderSpan = blockSpan * segmentSpan;
/** Folders from this number on would have ids that are no exact numbers. */
export const folderLimit = 2 ** 53 / folderSpan;

const kinds = ["header", "body"] as const;

/** With so many messages, words, or octets of words, a segment is full. */
const messageLimit = 2048;
const wordLimit = 2 ** 18;
const octetLimit = 4 << 20;
/** So many segments of about one size become one. */
const mergeCount = 4;

/** What becomes a segment. */
export class SegmentDraft {
  uids: number[] = [];
  readonly header = new WordTable();
  readonly body = new WordTable();

  /** Empties it, to be used again. */
  clear(): void {
    this.uids = [];
    this.header.clear();
    this.body.clear();
  }

  get full(): boolean {
    return this.uids.length >= messageLimit || this.octets >= octetLimit || this.header.count >= wordLimit || this.body.count >= wordLimit;
  }

  get octets(): number {
    return this.header.octets + this.body.octets;
  }

  add(uid: number, texts: IndexedText): void {
    const place = this.uids.push(uid) - 1;
    for (const kind of kinds) this[kind].addText(place, Buffer.from(texts[kind]));
  }
}

interface SegmentRow {
  readonly id: number;
  readonly messages: number;
  readonly octets: number;
  readonly uids: Uint32Array;
}

export class Segments {
  readonly #statement: (sql: string) => StatementSync;

  /** @param statement prepares SQL, once */
  constructor(statement: (sql: string) => StatementSync) {
    this.#statement = statement;
  }

  #of(folder: number): SegmentRow[] {
    return this.#statement("SELECT id, messages, octets, uids FROM segment WHERE id BETWEEN ? AND ?")
      .all(folder * segmentSpan, (folder + 1) * segmentSpan - 1)
      .map(({ id, messages, octets, uids }) => ({ id: Number(id), messages: Number(messages), octets: Number(octets), uids: uidsIn(uids) }));
  }

  count(folder: number): number {
    return this.#of(folder).length;
  }

  write(folder: number, draft: SegmentDraft): void {
    if (draft.uids.length === 0) return;
    const last = this.#statement("SELECT max(id) AS id FROM segment WHERE id BETWEEN ? AND ?").get(folder * segmentSpan, (folder + 1) * segmentSpan - 1)?.id;
    const id = last === null || last === undefined ? folder * segmentSpan : Number(last) + 1;
    if (id >= (folder + 1) * segmentSpan) throw new IndexFault("full-text index has no number left for a segment");
    this.#statement("INSERT INTO segment (id, messages, octets, uids) VALUES (?, ?, ?, ?)").run(id, draft.uids.length, draft.octets, new Uint8Array(Uint32Array.from(draft.uids).buffer));
    const insertBlock = this.#statement("INSERT INTO block (id, words, places) VALUES (?, ?, ?)");
    const insertText = this.#statement("INSERT INTO text (rowid, holds) VALUES (?, ?)");
    for (const [kind, name] of kinds.entries()) {
      let block = id * blockSpan + kind;
      for (const { words, places } of blocksOf(draft[name])) {
        insertBlock.run(block, words, places);
        insertText.run(block, withoutNulOctets(words).toString());
        block += kinds.length;
      }
    }
  }

  /** Takes messages out. */
  forget(folder: number, uids: ReadonlySet<number>): void {
    if (uids.size === 0) return;
    for (const segment of this.#of(folder)) {
      let left = 0;
      for (const [place, uid] of segment.uids.entries()) {
        if (uids.has(uid)) segment.uids[place] = 0;
        else if (uid !== 0) left++;
      }
      if (left === 0) this.#drop(segment.id);
      else if (left < segment.messages) this.#statement("UPDATE segment SET messages = ?, uids = ? WHERE id = ?").run(left, new Uint8Array(segment.uids.buffer), segment.id);
    }
  }

  #drop(id: number): void {
    const [from, to] = [id * blockSpan, (id + 1) * blockSpan - 1];
    this.#statement("DELETE FROM text WHERE rowid IN (SELECT id FROM block WHERE id BETWEEN ? AND ?)").run(from, to);
    this.#statement("DELETE FROM block WHERE id BETWEEN ? AND ?").run(from, to);
    this.#statement("DELETE FROM segment WHERE id = ?").run(id);
  }

  /** Removes one segment of a folder; false when it has none. */
  dropOne(folder: number): boolean {
    const row = this.#statement("SELECT id FROM segment WHERE id BETWEEN ? AND ? LIMIT 1").get(folder * segmentSpan, (folder + 1) * segmentSpan - 1);
    if (row === undefined) return false;
    this.#drop(Number(row.id));
    return true;
  }

  /** Puts some segments together that are small, or half empty, by way of a draft. False when there is nothing to do. */
  merge(folder: number, draft: SegmentDraft): boolean {
    const chosen = toMerge(this.#of(folder));
    if (chosen.length === 0) return false;
    draft.clear();
    for (const segment of chosen) this.#addTo(draft, segment);
    for (const { id } of chosen) this.#drop(id);
    this.write(folder, draft);
    return true;
  }

  #addTo(draft: SegmentDraft, { id, uids }: SegmentRow): void {
    const places = Int32Array.from(uids, (uid) => (uid === 0 ? -1 : draft.uids.push(uid) - 1));
    for (const { id: block, words, places: packed } of this.#statement("SELECT id, words, places FROM block WHERE id BETWEEN ? AND ?").iterate(id * blockSpan, (id + 1) * blockSpan - 1)) {
      const table = draft[kinds[kindOf(Number(block))] ?? "body"];
      const octets = bufferOf(words);
      eachWord({ words: octets, places: bufferOf(packed) }, (from, to, found) => {
        for (const place of found) {
          const now = places[place] ?? -1;
          if (now >= 0) table.addWord(now, octets, from, to);
        }
      });
    }
  }

  /** UIDs of the folder whose words fit, ascending. */
  find(folder: number, needle: Needle, place: Place): Hits {
    const segments = this.#of(folder);
    const found = new Set<number>();
    for (const [kind, name] of kinds.entries()) {
      if (place !== "text" && place !== name) continue;
      let fitting: Map<number, Uint8Array> | undefined;
      for (const piece of needle.pieces) fitting = this.#holding(folder, kind, piece, segments, fitting);
      for (const { id, uids } of segments) fitting?.get(id)?.forEach((fits, at) => {
        const uid = uids[at];
        if (fits === 1 && uid !== undefined && uid !== 0) found.add(uid);
      });
    }
    return Uint32Array.from(found).sort();
  }

  /** For each segment that has any, which of its messages have a word that fits the piece; none but those of `among`, if that is given. */
  #holding(folder: number, kind: number, { octets, query }: Piece, segments: readonly SegmentRow[], among: ReadonlyMap<number, Uint8Array> | undefined): Map<number, Uint8Array> {
    const sizes = new Map(segments.map(({ id, uids }) => [id, uids.length]));
    const holding = new Map<number, Uint8Array>();
    const readPlaces = this.#statement("SELECT places FROM block WHERE id = ?");
    for (const [block, words] of this.#blocks(folder, kind, query)) {
      const segment = Math.floor(block / blockSpan);
      const others = among?.get(segment);
      if (among !== undefined && others === undefined) continue;
      const numbers = wordsHolding(words, octets);
      if (numbers.length === 0) continue;
      let fits = holding.get(segment);
      if (fits === undefined) holding.set(segment, (fits = new Uint8Array(sizes.get(segment) ?? 0)));
      const marked = fits;
      placesOf(bufferOf(readPlaces.get(block)?.places), numbers, (at) => {
        if (others === undefined || others[at] === 1) marked[at] = 1;
      });
    }
    return holding;
  }

  /** Blocks of a kind that may fit a query. */
  *#blocks(folder: number, kind: number, query: string | undefined): Generator<readonly [number, Buffer], void, void> {
    const [from, to] = [folder * folderSpan, (folder + 1) * folderSpan - 1];
    if (query === undefined) {
      for (const { id, words } of this.#statement("SELECT id, words FROM block WHERE id BETWEEN ? AND ? AND id % 2 = ?").iterate(from, to, kind)) yield [Number(id), bufferOf(words)];
      return;
    }
    const read = this.#statement("SELECT words FROM block WHERE id = ?");
    for (const { rowid } of this.#statement("SELECT rowid FROM text WHERE text MATCH ? AND rowid BETWEEN ? AND ?").all(query, from, to)) {
      const block = Number(rowid);
      if (kindOf(block) === kind) yield [block, bufferOf(read.get(block)?.words)];
    }
  }
}

const kindOf = (block: number): number => block % kinds.length;

/** How much of a full segment it is, 1 being full. */
const fullness = ({ messages, octets, uids }: SegmentRow): number => messages / uids.length * Math.max(uids.length / messageLimit, octets / octetLimit);

/** Those to put together, in their order: enough of about one size, or one that is half empty. */
function toMerge(segments: readonly SegmentRow[]): readonly SegmentRow[] {
  const bySize = new Map<number, SegmentRow[]>();
  for (const segment of segments) {
    if (segment.messages * 2 < segment.uids.length) return [segment];
    const size = Math.floor(Math.log2(fullness(segment)) / Math.log2(mergeCount));
    // Four of what is more than a quarter would be more than full.
    if (size >= -1) continue;
    const alike = bySize.get(size);
    if (alike === undefined) bySize.set(size, [segment]);
    else if (alike.push(segment) === mergeCount) return alike;
  }
  return [];
}

function bufferOf(blob: unknown): Buffer {
  return blob instanceof Uint8Array ? Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength) : Buffer.alloc(0);
}

/** A copy that may be changed. */
function uidsIn(blob: unknown): Uint32Array<ArrayBuffer> {
  const octets = bufferOf(blob);
  const uids = new Uint32Array(octets.length >>> 2);
  new Uint8Array(uids.buffer).set(octets.subarray(0, uids.byteLength));
  return uids;
}
