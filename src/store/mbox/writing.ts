/**
 * From what is known of an mbox (contents.ts) to its file. Header fields of ours are written in their place where they fit, as Dovecot does. Where
 * they do not, the message takes the octets it lacks from the blanks the next messages have to spare, and only the stretch up to there is
 * rewritten; when those are too few, everything behind it, with room to spare.
 */
import { hostname } from "node:os";
import { crc32 } from "node:zlib";
import { breathe } from "../serial.ts";
import type { Contents } from "./contents.ts";
import { lengthOf, type Journal, type Piece } from "./journal.ts";
import type { LockedFile } from "./lock.ts";
import { fitMetadata, formatMetadata, leastMetadata, metadataFields, pseudoBase, roomOf, type Base, type Metadata, type State } from "./metadata.ts";
import { pseudoMessage } from "./new-message.ts";
import type { Place } from "./parse.ts";
import { trimmed, type Edit } from "./patch.ts";
import { writtenBit } from "./rows.ts";
import { FileWindow, forHeaders } from "./window.ts";

/** Octets rewritten at most to find blanks to spare. */
const stretchLimit = 1024 * 1024;
/** Stretches written at once; more lacks than that, and everything from the first on is rewritten. */
const stretchesLimit = 4;
/** Blanks that a message gets beyond what it needs, so that the next change of its flags fits. */
const extra = 16;
/** Messages written between two fsyncs, and looked at between two breaths. */
const batch = 8192;

/** A header is not as it was when it was read: another program changed it unnoticed. */
export class HeaderChanged extends Error {}

/** A message with its header anew. */
interface Written {
  readonly row: number;
  readonly state: State;
  /** Of everything before the body. */
  readonly length: number;
  readonly crc: number;
}

interface Renewed extends Written {
  readonly head: Buffer;
}

const writtenOf = ({ row, state, length, crc }: Written): Written => ({ row, state, length, crc });

const renewal = (row: number, state: State, head: Buffer): Renewed => ({ row, state, head, length: head.length, crc: crc32(head) });

/** Octets of [at, to) to be replaced; of `row` -1 the pseudo message. */
interface Stretch {
  readonly at: number;
  readonly to: number;
  readonly pieces: Piece[];
  readonly renewed: Written[];
}

class Writer {
  readonly #contents: Contents;
  readonly #window: FileWindow;
  readonly #wanted: ReadonlyMap<number, State>;

  constructor(contents: Contents, fd: number, size: number, wanted: ReadonlyMap<number, State>) {
    this.#contents = contents;
    this.#wanted = wanted;
    this.#window = new FileWindow(fd, size, (wanted.size > 64 || contents.unwritten) && size / Math.max(1, contents.table.length) < forHeaders ? undefined : forHeaders);
  }

  metadata(row: number): Metadata {
    const contents = this.#contents;
    return { uid: contents.table.at.uid[row] ?? 0, state: this.#wanted.get(row) ?? contents.state(row), base: row === 0 && contents.pseudo === undefined ? contents.base : undefined };
  }

  /** Everything before the body, as it was known. A copy. */
  head(place: Place): Buffer {
    const octets = Buffer.from(this.#window.bytes(place.start, place.body - place.start));
    if (crc32(octets) !== place.crc) throw new HeaderChanged();
    return octets;
  }

  /** The header with its metadata anew: with room, or taking `give` octets from its blanks (fewer when there are not so many). */
  renewed(row: number, give: number | undefined, base?: Base): Renewed {
    const place = this.#contents.place(row);
    const head = this.head(place);
    const metadata = base === undefined ? this.metadata(row) : { ...this.metadata(row), base };
    const { start, end, others, before } = this.#room(head, place);
    const least = leastMetadata(metadata);
    const text = give === undefined ? formatMetadata(metadata) : fitMetadata(metadata, Math.max(least, end - start - others.length - give));
    return renewal(row, metadata.state, Buffer.concat([head.subarray(0, start), Buffer.from(`${before}${others}${text ?? formatMetadata(metadata)}`, "latin1"), head.subarray(end)]));
  }

  /** The same in the octets it has; undefined when they are too few. */
  fitting(row: number): Renewed | undefined {
    const place = this.#contents.place(row);
    const head = this.head(place);
    const { start, end, others, before } = this.#room(head, place);
    const metadata = this.metadata(row);
    const text = end === start || before !== "" ? undefined : fitMetadata(metadata, end - start - others.length);
    if (text === undefined) return undefined;
    head.write(others + text, start, "latin1");
    return renewal(row, metadata.state, head);
  }

  /** Relative to the start of the message. */
  #room(head: Buffer, place: Place): { readonly start: number; readonly end: number; readonly others: string; readonly before: string } {
    const header = place.header - place.start;
    const rest = head.toString("latin1", header);
    const text = rest.slice(0, rest.length - (/(?:^|\n)(\r?\n)$/.exec(rest)?.[1]?.length ?? 0));
    const room = roomOf(text, metadataFields(text), place.counted);
    // A header that is the end of the file may end in the middle of a line.
    return { start: header + room.start, end: header + room.end, others: room.others, before: room.start > 0 && text[room.start - 1] !== "\n" ? "\n" : "" };
  }

  /** The pseudo message with its base in place; undefined when that does not fit. */
  fittingPseudo(place: Place): Buffer | undefined {
    const head = this.head(place);
    const header = place.header - place.start;
    const field = metadataFields(head.toString("latin1", header)).find(({ name }) => name === "x-imap");
    const text = field === undefined ? undefined : pseudoBase(this.#contents.base, field.end - field.start);
    if (field === undefined || text === undefined) return undefined;
    head.write(text, header + field.start, "latin1");
    return head;
  }

  oldHead(place: Place): Buffer {
    return Buffer.from(this.#window.bytes(place.start, place.body - place.start));
  }

  /**
   * The stretch from a message on (-1: the pseudo message) that is as long as it was, its messages having given up blanks; undefined when they
   * have too few.
   */
  stretch(from: number): Stretch | undefined {
    const contents = this.#contents;
    const pieces: Piece[] = [];
    const renewed: Written[] = [];
    const { at, start, lacks } = this.#beginning(from, pieces, renewed);
    let owed = lacks;
    for (let row = start; ; row++) {
      if (owed === 0) return { at, to: row < contents.table.length ? contents.place(row).start : this.#window.size, pieces, renewed };
      if (row >= contents.table.length) return undefined;
      const place = contents.place(row);
      if (place.next - at > stretchLimit) return undefined;
      const next = this.renewed(row, owed);
      owed += next.head.length - (place.body - place.start);
      if (owed < 0) throw new Error("a header gave more than was asked of it");
      pieces.push(next.head, { from: place.body, to: place.next });
      renewed.push(writtenOf(next));
    }
  }

  #beginning(from: number, pieces: Piece[], renewed: Written[]): { readonly at: number; readonly start: number; readonly lacks: number } {
    const contents = this.#contents;
    if (from < 0 && contents.pseudo !== undefined) {
      const octets = pseudoMessage(contents.base, hostname(), Date.now());
      pieces.push(octets);
      return { at: contents.pseudo.start, start: 0, lacks: octets.length - (contents.pseudo.next - contents.pseudo.start) };
    }
    const place = contents.place(from);
    const first = this.renewed(from, -extra);
    pieces.push(first.head, { from: place.body, to: place.next });
    renewed.push(first);
    return { at: place.start, start: from + 1, lacks: first.head.length - (place.body - place.start) };
  }

  /** Everything from a message on, those with `needs` with room to spare. Their headers are made twice, so that they need not all be in memory. */
  async rest(from: number, needs: (row: number) => boolean): Promise<Stretch> {
    const contents = this.#contents;
    const pieces: Piece[] = [];
    const renewed: Written[] = [];
    const pseudo = from < 0 ? contents.pseudo : undefined;
    const at = (pseudo ?? contents.place(Math.max(0, from))).start;
    if (pseudo !== undefined) pieces.push(pseudoMessage(contents.base, hostname(), Date.now()));
    for (let row = Math.max(0, from); row < contents.table.length; row++) {
      const place = contents.place(row);
      if (!needs(row)) {
        keep(pieces, place.start, place.next);
        continue;
      }
      const next = writtenOf(this.renewed(row, undefined));
      pieces.push({ length: next.length, make: () => this.renewed(row, undefined).head });
      keep(pieces, place.body, place.next);
      renewed.push(next);
      if (renewed.length % batch === 0) await breathe();
    }
    return { at, to: this.#window.size, pieces, renewed };
  }
}

/** Adds a stretch of old octets, to the one before where they meet. */
export function keep(pieces: Piece[], from: number, to: number): void {
  const last = pieces.at(-1);
  if (last !== undefined && "from" in last && last.to === from) pieces[pieces.length - 1] = { from: last.from, to };
  else if (to > from) pieces.push({ from, to });
}

/**
 * Writes states of messages (those in `wanted`, by row, and every one whose UID the file does not have yet) and the base. Durable when it
 * resolves. Throws HeaderChanged when the file is not as it was read; what was written until then is right, and known.
 */
export async function writeStates(contents: Contents, journal: Journal, file: LockedFile, wanted: ReadonlyMap<number, State>): Promise<void> {
  file.stillOurs();
  contents.begin();
  const { table } = contents;
  const writer = new Writer(contents, file.fd, Number(file.stats().size), wanted);
  const needs = (row: number): boolean => wanted.has(row) || ((table.at.bits[row] ?? 0) & writtenBit) === 0 || (row === 0 && contents.pseudo === undefined);
  const rows = contents.unwritten ? Array.from({ length: table.length }, (_, row) => row).filter(needs) : [...new Set(table.length > 0 && contents.pseudo === undefined ? [0, ...wanted.keys()] : wanted.keys())].sort((a, b) => a - b);
  let edits: Edit[] = [];
  let fitted: Written[] = [];
  const flush = async (): Promise<void> => {
    await journal.patch(file.fd, edits);
    for (const { row, state, crc } of fitted) contents.setWritten(row, state, crc);
    edits = [];
    fitted = [];
  };
  let pseudo: Buffer | undefined;
  const stretches: Stretch[] = [];
  const lacking = async (row: number): Promise<boolean> => {
    const stretch = stretches.length < stretchesLimit ? writer.stretch(row) : undefined;
    stretches.push(stretch ?? (await writer.rest(row, needs)));
    return stretch !== undefined;
  };
  let ended = false;
  if (contents.pseudo !== undefined && contents.unwritten) {
    pseudo = writer.fittingPseudo(contents.pseudo);
    if (pseudo !== undefined) edit(edits, contents.pseudo.start, writer.oldHead(contents.pseudo), pseudo);
    else ended = !(await lacking(-1));
  }
  for (const row of rows) {
    const place = contents.place(row);
    if (ended) break;
    if (place.start < (stretches.at(-1)?.to ?? 0)) continue;
    const fitting = writer.fitting(row);
    if (fitting === undefined) ended = !(await lacking(row));
    else {
      edit(edits, place.start, writer.oldHead(place), fitting.head);
      fitted.push(writtenOf(fitting));
      if (fitted.length === batch) await flush();
    }
  }
  await flush();
  if (pseudo !== undefined && contents.pseudo !== undefined) contents.pseudo = { ...contents.pseudo, crc: crc32(pseudo) };
  for (const stretch of stretches) await rewrite(contents, journal, file, stretch);
  contents.unwritten = false;
  await contents.note(file, true);
}

function edit(edits: Edit[], at: number, old: Buffer, octets: Buffer): void {
  const one = trimmed({ at, old, octets });
  // Copies, so that the header need not be kept.
  if (one !== undefined) edits.push({ at: one.at, old: Buffer.from(one.old), octets: Buffer.from(one.octets) });
}

async function rewrite(contents: Contents, journal: Journal, file: LockedFile, { at, to, pieces, renewed }: Stretch): Promise<void> {
  const length = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  const { size } = file.stats();
  await journal.rewrite(file.fd, at, pieces, to < Number(size) && to === at + length ? to : undefined);
  const first = contents.rowAt(at);
  if (contents.pseudo !== undefined && contents.pseudo.start === at) {
    const octets = pieces[0];
    if (Buffer.isBuffer(octets)) contents.pseudo = pseudoPlace(at, octets);
  }
  const heads = new Map(renewed.map((one) => [one.row, one]));
  let next = contents.pseudo !== undefined && contents.pseudo.start === at ? contents.pseudo.next : at;
  for (let row = first; row < contents.table.length; row++) {
    const place = contents.place(row);
    if (place.start >= to) break;
    const head = heads.get(row);
    next = settle(contents, row, place, next, head);
  }
}

/** A message lies elsewhere now; where the next one begins. */
export function settle(contents: Contents, row: number, place: Place, start: number, renewed: Written | undefined): number {
  const shift = start - place.start;
  const grown = renewed === undefined ? 0 : renewed.length - (place.body - place.start);
  const moved = { start, header: place.header + shift, body: place.body + shift + grown, end: place.end + shift + grown, next: place.next + shift + grown, crc: renewed?.crc ?? place.crc, counted: place.counted };
  contents.setPlace(row, moved);
  if (renewed !== undefined) contents.setWritten(row, renewed.state, moved.crc);
  return moved.next;
}

/** Where everything is in a pseudo message of ours. */
export function pseudoPlace(start: number, octets: Buffer): Place {
  const header = start + octets.indexOf("\n") + 1;
  const body = start + octets.indexOf("\n\n") + 2;
  const next = start + octets.length;
  return { start, header, body, end: next - 1, next, crc: crc32(octets.subarray(0, body - start)), counted: false };
}

/** Takes messages out, by row, ascending. Durable when it resolves. */
export async function expungeRows(contents: Contents, journal: Journal, file: LockedFile, going: readonly number[]): Promise<void> {
  file.stillOurs();
  contents.begin();
  const { table } = contents;
  const first = going[0];
  if (first === undefined) return;
  const out = new Set(going);
  const size = Number(file.stats().size);
  const writer = new Writer(contents, file.fd, size, new Map());
  const pieces: Piece[] = [];
  const at = contents.place(first).start;
  let top: Renewed | undefined;
  // Without a pseudo message the first message that stays has the base.
  const heir = first === 0 && contents.pseudo === undefined ? firstNotIn(out, table.length) : undefined;
  // What goes is what was read, and so is what comes behind it.
  for (const row of going) {
    writer.head(contents.place(row));
    if (row + 1 < table.length && !out.has(row + 1)) writer.head(contents.place(row + 1));
  }
  for (let row = first; row < table.length; row++) {
    if (out.has(row)) continue;
    const place = contents.place(row);
    if (row === heir) {
      top = writer.renewed(row, undefined, contents.base);
      pieces.push(top.head);
      keep(pieces, place.body, place.next);
    } else keep(pieces, place.start, place.next);
    if (row % batch === batch - 1) await breathe();
  }
  let pseudo: Buffer | undefined;
  if (first === 0 && heir === undefined && contents.pseudo === undefined) pieces.push((pseudo = pseudoMessage(contents.base, hostname(), Date.now())));
  await journal.rewrite(file.fd, at, pieces);
  let next = at;
  for (let row = first; row < table.length; row++) if (!out.has(row)) next = settle(contents, row, contents.place(row), next, row === heir ? top : undefined);
  contents.remove(going);
  if (pseudo !== undefined) contents.pseudo = pseudoPlace(at, pseudo);
  await contents.note(file, true);
}

function firstNotIn(out: ReadonlySet<number>, length: number): number | undefined {
  for (let row = 0; row < length; row++) if (!out.has(row)) return row;
  return undefined;
}
