/**
 * From what is known of an mbox (contents.ts) to its file. Header fields of ours are written in their place where they fit: they share the
 * blanks that any of them has, as Dovecot's do. From the first message on whose fields do not fit, everything is rewritten, with room to spare.
 *
 * Dovecot takes octets that are lacking from blanks of the messages behind, and moves only those between. Here a message moves only when the
 * file gets another size: mutt, and Dovecot within one second, take a file of the same size for unchanged, and would write where the
 * message was.
 */
import { hostname } from "node:os";
import { crc32 } from "node:zlib";
import { syncFile } from "../durable.ts";
import { breathe } from "../serial.ts";
import type { Contents } from "./contents.ts";
import type { Journal, Piece } from "./journal.ts";
import type { LockedFile } from "./lock.ts";
import { fitMetadata, formatMetadata, metadataFields, pseudoBase, roomOf, type Base, type Metadata, type State } from "./metadata.ts";
import { pseudoMessage } from "./new-message.ts";
import type { Place } from "./parse.ts";
import { trimmed, type Edit } from "./patch.ts";
import { writtenBit } from "./rows.ts";
import { FileWindow, forHeaders } from "./window.ts";

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

/** In the octets it had; only those in [from, to) are others. */
interface Fitting extends Renewed {
  readonly from: number;
  readonly to: number;
}

const writtenOf = ({ row, state, length, crc }: Written): Written => ({ row, state, length, crc });

const renewal = (row: number, state: State, head: Buffer): Renewed => ({ row, state, head, length: head.length, crc: crc32(head) });

/** Everything from `at` on. */
interface Rest {
  readonly at: number;
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

  /** The header with its metadata anew, with room to spare. @param base when it becomes the first message */
  renewed(row: number, base?: Base): Renewed {
    const place = this.#contents.place(row);
    const head = this.head(place);
    const metadata = base === undefined ? this.metadata(row) : { ...this.metadata(row), base };
    const { start, end, others, before } = this.#room(head, place);
    return renewal(row, metadata.state, Buffer.concat([head.subarray(0, start), Buffer.from(`${before}${others}${formatMetadata(metadata)}`, "latin1"), head.subarray(end)]));
  }

  /** The same in the octets it has; undefined when they are too few. */
  fitting(row: number): Fitting | undefined {
    const place = this.#contents.place(row);
    const head = this.head(place);
    const { start, end, others, before } = this.#room(head, place);
    const metadata = this.metadata(row);
    const text = end === start || before !== "" ? undefined : fitMetadata(metadata, end - start - others.length);
    if (text === undefined) return undefined;
    head.write(others + text, start, "latin1");
    return { ...renewal(row, metadata.state, head), from: start, to: end };
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

  /** As it is in the file, in part; good until the next call of anything here. */
  old({ start }: Place, from: number, to: number): Buffer {
    return this.#window.bytes(start + from, to - from);
  }

  /**
   * Everything from a message on, those with `needs` anew: in the octets they have or with more, so that the file becomes longer. Their headers
   * are made twice, so that they need not all be in memory.
   */
  async rest(from: number, needs: (row: number) => boolean): Promise<Rest> {
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
      const make = (): Renewed => this.fitting(row) ?? this.renewed(row);
      const next = writtenOf(make());
      pieces.push({ length: next.length, make: () => make().head });
      keep(pieces, place.body, place.next);
      renewed.push(next);
      if (renewed.length % batch === 0) await breathe();
    }
    return { at, pieces, renewed };
  }
}

/** Adds a stretch of old octets, to the one before where they meet. */
function keep(pieces: Piece[], from: number, to: number): void {
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
  // The first message has the base.
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
  let rest: Rest | undefined;
  if (contents.pseudo !== undefined && contents.unwritten) {
    pseudo = writer.fittingPseudo(contents.pseudo);
    if (pseudo === undefined) rest = await writer.rest(-1, needs);
    else edit(edits, contents.pseudo.start, writer.old(contents.pseudo, 0, pseudo.length), pseudo);
  }
  for (const row of rows) {
    if (rest !== undefined) break;
    const place = contents.place(row);
    const fitting = writer.fitting(row);
    if (fitting === undefined) rest = await writer.rest(row, needs);
    else {
      const { head, from, to } = fitting;
      edit(edits, place.start + from, writer.old(place, from, to), head.subarray(from, to));
      fitted.push(writtenOf(fitting));
      if (fitted.length === batch) await flush();
    }
  }
  // In place first: the base is there, and UIDs above it would not be believed.
  await flush();
  if (pseudo !== undefined && contents.pseudo !== undefined) contents.pseudo = { ...contents.pseudo, crc: crc32(pseudo) };
  if (rest !== undefined) await rewrite(contents, journal, file, rest);
  contents.unwritten = false;
  await contents.note(file, true);
}

function edit(edits: Edit[], at: number, old: Buffer, octets: Buffer): void {
  const one = trimmed({ at, old, octets });
  // Copies, so that the header need not be kept.
  if (one !== undefined) edits.push({ at: one.at, old: Buffer.from(one.old), octets: Buffer.from(one.octets) });
}

async function rewrite(contents: Contents, journal: Journal, file: LockedFile, { at, pieces, renewed }: Rest): Promise<void> {
  const first = contents.rowAt(at);
  await journal.rewrite(file.fd, at, pieces);
  let next = at;
  const top = pieces[0];
  if (contents.pseudo?.start === at && Buffer.isBuffer(top)) {
    contents.pseudo = pseudoPlace(at, top);
    next = contents.pseudo.next;
  }
  const heads = new Map(renewed.map((one) => [one.row, one]));
  for (let row = first; row < contents.table.length; row++) next = settle(contents, row, contents.place(row), next, heads.get(row));
}

/** A message lies elsewhere now; where the next one begins. */
function settle(contents: Contents, row: number, place: Place, start: number, renewed: Written | undefined): number {
  const shift = start - place.start;
  if (renewed === undefined) {
    contents.move(row, start);
    return place.next + shift;
  }
  const grown = renewed.length - (place.body - place.start);
  const moved = { start, header: place.header + shift, body: place.body + shift + grown, end: place.end + shift + grown, next: place.next + shift + grown, crc: renewed.crc, counted: place.counted };
  contents.setPlace(row, moved);
  contents.setWritten(row, renewed.state, moved.crc);
  return moved.next;
}

/** Where everything is in a pseudo message of ours. */
function pseudoPlace(start: number, octets: Buffer): Place {
  const header = start + octets.indexOf("\n") + 1;
  const body = start + octets.indexOf("\n\n") + 2;
  const next = start + octets.length;
  return { start, header, body, end: next - 1, next, crc: crc32(octets.subarray(0, body - start)), counted: false };
}

/** Takes messages out, by row, ascending. Durable when it resolves. */
export async function expungeRows(contents: Contents, journal: Journal, file: LockedFile, going: readonly number[]): Promise<void> {
  file.stillOurs();
  const { table } = contents;
  const first = going[0];
  // Somebody who was killed may have cut them off: durable that is only now.
  if (first === undefined) return await syncFile(file.fd);
  contents.begin();
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
      top = writer.renewed(row, contents.base);
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
