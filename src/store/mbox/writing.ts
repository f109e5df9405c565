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
import { Columns } from "../index/columns.ts";
import { breathe } from "../serial.ts";
import type { Flags } from "../mailbox.ts";
import type { Contents } from "./contents.ts";
import type { Journal, Piece } from "./journal.ts";
import type { LockedFile } from "./lock.ts";
import { fitMetadata, formatMetadata, metadataFields, pseudoBase, roomOf, type Base, type Metadata, type State } from "./metadata.ts";
import { pseudoMessage } from "./new-message.ts";
import type { Place } from "./parse.ts";
import { Edits } from "./patch.ts";
import { writtenBit } from "./rows.ts";
import { States } from "./states.ts";
import { FileWindow, forHeaders } from "./window.ts";

/** Messages written between two fsyncs, and between two breaths. */
const batch = 8192;
const turn = 1024;

/** A header is not as it was when it was read: another program changed it unnoticed. */
export class HeaderChanged extends Error {}

/** A message with its header anew. */
interface Written {
  readonly row: number;
  readonly state: State;
  readonly crc: number;
}

export interface Renewed extends Written {
  /** Everything before the body. */
  readonly head: Buffer;
}

/** With [from, to) of it: the only octets that are others, or blanks. */
interface Fitting extends Renewed {
  readonly from: number;
  readonly to: number;
}

const renewal = (row: number, state: State, head: Buffer): Renewed => ({ row, state, head, crc: crc32(head) });

/** Everything from `at` on; what became of messages in it is known when the last piece was asked for. */
interface Rest {
  readonly at: number;
  readonly pieces: Iterable<Piece>;
  /** A pseudo message to begin with. */
  readonly pseudo: Buffer | undefined;
  /** Rows of messages with other headers, ascending; octets before the body, and their CRC-32. */
  readonly renewed: Columns<typeof renewedSchema>;
}

/** Messages whose headers were written in place. */
const fittedSchema = { row: "u32", crc: "u32" } as const;
const renewedSchema = { row: "u32", length: "u32", crc: "u32" } as const;

/** Longer stretches of old octets are copied from file to file. */
const inMemory = 256 * 1024;

export class Writer {
  readonly #contents: Contents;
  #window: FileWindow;
  /** Used for one header after the other. */
  #head = Buffer.allocUnsafeSlow(forHeaders);
  readonly #fd: number;
  readonly #wanted: States;

  constructor(contents: Contents, fd: number, size: number, wanted: States) {
    this.#contents = contents;
    this.#wanted = wanted;
    this.#fd = fd;
    this.#window = new FileWindow(fd, size, (wanted.size > 64 || contents.unwritten) && size / Math.max(1, contents.table.length) < forHeaders ? undefined : forHeaders);
  }

  /** What is to be said of it. */
  state(row: number): State {
    return this.#wanted.get(row) ?? this.#contents.state(row);
  }

  metadata(row: number): Metadata {
    const contents = this.#contents;
    return { uid: contents.table.at.uid[row] ?? 0, state: this.state(row), base: row === 0 && contents.pseudo === undefined ? contents.base : undefined };
  }

  /** Everything before the body, as it was known; may be written into, and is good until the next call. */
  head(place: Place): Buffer {
    const octets = this.#window.bytes(place.start, place.body - place.start);
    if (crc32(octets) !== place.crc) throw new HeaderChanged();
    if (this.#head.length < octets.length) this.#head = Buffer.allocUnsafeSlow(2 * octets.length);
    octets.copy(this.#head);
    return this.#head.subarray(0, octets.length);
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

  /**
   * The same in `more` octets more than it has, as blanks: [from, to) of the head, those that it had among them. Undefined where it is no header that can
   * have them.
   */
  filled(row: number, more: number, base?: Base): Fitting | undefined {
    const place = this.#contents.place(row);
    const head = this.head(place);
    const { start, end, others, before } = this.#room(head, place);
    const metadata = base === undefined ? this.metadata(row) : { ...this.metadata(row), base };
    const text = before === "" ? fitMetadata(metadata, end - start - others.length + more) : undefined;
    if (text === undefined) return undefined;
    const octets = Buffer.concat([head.subarray(0, start), Buffer.from(others + text, "latin1"), head.subarray(end)]);
    const at = start + others.length;
    return { ...renewal(row, metadata.state, octets), from: at + text.trimEnd().length, to: at + text.length - 1 };
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
    const head = Buffer.from(this.head(place));
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

  /** Everything from a message on, those with `needs` anew: in the octets they have or with more, so that the file becomes longer. */
  rest(from: number, needs: (row: number) => boolean): Rest {
    const contents = this.#contents;
    const pseudo = from < 0 ? pseudoMessage(contents.base, hostname(), Date.now()) : undefined;
    const at = ((from < 0 ? contents.pseudo : undefined) ?? contents.place(Math.max(0, from))).start;
    const renewed = new Columns(renewedSchema, { passing: true });
    return { at, pieces: this.#pieces(Math.max(0, from), needs, pseudo, renewed), pseudo, renewed };
  }

  *#pieces(first: number, needs: (row: number) => boolean, pseudo: Buffer | undefined, renewed: Columns<typeof renewedSchema>): Generator<Piece> {
    if (pseudo !== undefined) yield pseudo;
    // All that it has is wanted now.
    this.#window = new FileWindow(this.#fd, this.#window.size);
    const stretch = new Stretch();
    for (let row = first; row < this.#contents.table.length; row++) {
      const place = this.#contents.place(row);
      if (!needs(row)) yield* stretch.add(place.start, place.next);
      else {
        yield* stretch.end();
        const { head, crc } = this.fitting(row) ?? this.renewed(row);
        renewed.add({ row, length: head.length, crc });
        yield head;
        // Mostly in the window still.
        if (place.next - place.body <= inMemory) yield this.#window.bytes(place.body, place.next - place.body);
        else yield* stretch.add(place.body, place.next);
      }
    }
    yield* stretch.end();
  }
}

/** Old octets that stay: one piece where stretches meet. */
export class Stretch {
  #from = 0;
  #to = 0;

  *add(from: number, to: number): Generator<Piece> {
    if (from !== this.#to) {
      yield* this.end();
      this.#from = from;
    }
    this.#to = to;
  }

  *end(): Generator<Piece> {
    if (this.#to > this.#from) yield { from: this.#from, to: this.#to };
    this.#from = this.#to = 0;
  }
}

/**
 * Writes states of messages (those in `wanted`, by row, and every one whose UID the file does not have yet) and the base. Durable when it
 * resolves. Throws HeaderChanged when the file is not as it was read; what was written until then is right, and known.
 */
export async function writeStates(contents: Contents, journal: Journal, file: LockedFile, wanted: States): Promise<void> {
  file.stillOurs();
  contents.begin();
  const { table } = contents;
  const writer = new Writer(contents, file.fd, Number(file.stats().size), wanted);
  // The first message has the base.
  const needs = (row: number): boolean => wanted.has(row) || ((table.at.bits[row] ?? 0) & writtenBit) === 0 || (row === 0 && contents.pseudo === undefined);
  const rows = contents.unwritten ? rowsWith(table.length, needs) : table.length > 0 && contents.pseudo === undefined ? withFirst(wanted.rows) : wanted.rows;
  const edits = new Edits();
  const fitted = new Columns(fittedSchema, { passing: true });
  const flush = async (): Promise<void> => {
    await journal.patch(file.fd, edits);
    const { row, crc } = fitted.at;
    for (let i = 0; i < fitted.length; i++) contents.setWritten(row[i], writer.state(row[i]), crc[i]);
    edits.clear();
    fitted.clear();
  };
  let pseudo: Buffer | undefined;
  let rest: Rest | undefined;
  if (contents.pseudo !== undefined && contents.unwritten) {
    pseudo = writer.fittingPseudo(contents.pseudo);
    if (pseudo === undefined) rest = writer.rest(-1, needs);
    else edits.add(contents.pseudo.start, writer.old(contents.pseudo, 0, pseudo.length), pseudo);
  }
  for (const row of rows) {
    if (rest !== undefined) break;
    const place = contents.place(row);
    const fitting = writer.fitting(row);
    if (fitting === undefined) rest = writer.rest(row, needs);
    else {
      const { head, from, to, crc } = fitting;
      edits.add(place.start + from, writer.old(place, from, to), head.subarray(from, to));
      fitted.add({ row, crc });
      if (fitted.length === batch) await flush();
      else if (fitted.length % turn === 0) await breathe();
    }
  }
  // In place first: the base is there, and UIDs above it would not be believed.
  await flush();
  if (pseudo !== undefined && contents.pseudo !== undefined) contents.pseudo = { ...contents.pseudo, crc: crc32(pseudo) };
  if (rest !== undefined) await rewrite(contents, journal, file, rest, (row) => writer.state(row));
  contents.unwritten = false;
  await contents.note(file, true);
}

/** Some session was told of these messages, by row: as `writeStates`. */
export async function writeOld(contents: Contents, journal: Journal, file: LockedFile, rows: Uint32Array): Promise<void> {
  const states = new Map<Flags, State>();
  const wanted = new States();
  for (const row of rows) {
    const { flags } = contents.state(row);
    let state = states.get(flags);
    if (state === undefined) states.set(flags, (state = { flags, old: true }));
    wanted.add(row, state);
  }
  await writeStates(contents, journal, file, wanted);
}

async function rewrite(contents: Contents, journal: Journal, file: LockedFile, { at, pieces, pseudo, renewed }: Rest, state: (row: number) => State): Promise<void> {
  const first = contents.rowAt(at);
  await journal.rewrite(file.fd, at, pieces);
  let next = at;
  if (pseudo !== undefined) {
    contents.pseudo = pseudoPlace(at, pseudo);
    next = contents.pseudo.next;
  }
  const { row: rows, length, crc } = renewed.at;
  for (let row = first, i = 0; row < contents.table.length; row++) {
    const place = contents.place(row);
    if (i === renewed.length || rows[i] !== row) next = moved(contents, row, place, next);
    else {
      next = grown(contents, row, place, next, length[i] ?? 0, { row, state: state(row), crc: crc[i] ?? 0 });
      i++;
    }
  }
}

/** A message lies elsewhere now; where the next one begins. */
export function moved(contents: Contents, row: number, place: Place, start: number): number {
  contents.move(row, start);
  return place.next + start - place.start;
}

/** The same, with another header of `length` octets before the body. */
export function grown(contents: Contents, row: number, place: Place, start: number, length: number, { state, crc }: Written): number {
  const shift = start + length - place.body;
  const next = { start, header: place.header + start - place.start, body: place.body + shift, end: place.end + shift, next: place.next + shift, crc, counted: place.counted };
  contents.setPlace(row, next);
  contents.setWritten(row, state, crc);
  return next.next;
}

/** Where everything is in a pseudo message of ours. */
export function pseudoPlace(start: number, octets: Buffer): Place {
  const header = start + octets.indexOf("\n") + 1;
  const body = start + octets.indexOf("\n\n") + 2;
  const next = start + octets.length;
  return { start, header, body, end: next - 1, next, crc: crc32(octets.subarray(0, body - start)), counted: false };
}

function rowsWith(length: number, needs: (row: number) => boolean): Uint32Array {
  const rows = new Uint32Array(length);
  let count = 0;
  for (let row = 0; row < length; row++) if (needs(row)) rows[count++] = row;
  return rows.subarray(0, count);
}

/** Row 0 among them. @param rows ascending */
function withFirst(rows: Uint32Array): Uint32Array {
  if (rows[0] === 0) return rows;
  const all = new Uint32Array(rows.length + 1);
  all.set(rows, 1);
  return all;
}
