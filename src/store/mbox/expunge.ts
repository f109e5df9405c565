/**
 * EXPUNGE of an mbox. In general everything behind the first message that goes is written anew (journal.ts). Where much is behind them, and the file
 * system can take blocks out of a file, they become blanks of the next message's header, in place, and then blocks of these are taken out: nothing behind
 * is copied, and the file is a mailbox all the time. Less than a block stays in that header until it is written next.
 */
import { hostname } from "node:os";
import { crc32 } from "node:zlib";
import { syncFile } from "../durable.ts";
import { block } from "./collapse.ts";
import type { Contents } from "./contents.ts";
import type { Journal, Piece } from "./journal.ts";
import type { LockedFile } from "./lock.ts";
import { pseudoMessage } from "./new-message.ts";
import { Edits } from "./patch.ts";
import { noStates } from "./states.ts";
import { FileWindow } from "./window.ts";
import { grown, moved, pseudoPlace, Stretch, Writer, type Renewed } from "./writing.ts";

/** Octets behind the messages that go, from which on it is worth while; their stretches, and what goes in one step: far less than a header may have. */
const worth = 4 * 1024 * 1024;
const stretchesLimit = 16;
const stepLimit = 256 * 1024;
/** Steps, each of some fsyncs, for all of them. */
const stepsLimit = 64;

/** Takes messages out, by row, ascending. Durable when it resolves. */
export async function expungeRows(contents: Contents, journal: Journal, file: LockedFile, going: readonly number[]): Promise<void> {
  file.stillOurs();
  // Somebody who was killed may have cut them off: durable that is only now.
  if (going.length === 0) return await syncFile(file.fd);
  contents.begin();
  await moveOut(contents, journal, file, await takeOut(contents, journal, file, going));
  await contents.note(file, true);
}

/** Everything behind the first of them is written anew. */
async function moveOut(contents: Contents, journal: Journal, file: LockedFile, going: readonly number[]): Promise<void> {
  const { table } = contents;
  const first = going[0];
  if (first === undefined) return;
  const out = new Set(going);
  const size = Number(file.stats().size);
  const writer = new Writer(contents, file.fd, size, noStates);
  const at = contents.place(first).start;
  // Without a pseudo message the first message that stays has the base.
  const heir = first === 0 && contents.pseudo === undefined ? firstNotIn(out, table.length) : undefined;
  // What goes is what was read, and so is what comes behind it.
  for (const row of going) {
    writer.head(contents.place(row));
    if (row + 1 < table.length && !out.has(row + 1)) writer.head(contents.place(row + 1));
  }
  const top = heir === undefined ? undefined : writer.renewed(heir, contents.base);
  const pseudo = first === 0 && heir === undefined && contents.pseudo === undefined ? pseudoMessage(contents.base, hostname(), Date.now()) : undefined;
  await journal.rewrite(file.fd, at, staying(contents, first, out, top, pseudo));
  let next = at;
  for (let row = first; row < table.length; row++) {
    if (out.has(row)) continue;
    const place = contents.place(row);
    next = row === heir && top !== undefined ? grown(contents, row, place, next, top.head.length, top) : moved(contents, row, place, next);
  }
  contents.remove(going);
  if (pseudo !== undefined) contents.pseudo = pseudoPlace(at, pseudo);
}

/** What is left of a file from a message on. @param top a message that stays, with another header */
function* staying(contents: Contents, first: number, out: ReadonlySet<number>, top: Renewed | undefined, pseudo: Buffer | undefined): Generator<Piece> {
  const stretch = new Stretch();
  for (let row = first; row < contents.table.length; row++) {
    if (out.has(row)) continue;
    const place = contents.place(row);
    if (row === top?.row) yield top.head;
    yield* stretch.add(row === top?.row ? place.body : place.start, place.next);
  }
  yield* stretch.end();
  if (pseudo !== undefined) yield pseudo;
}

function firstNotIn(out: ReadonlySet<number>, length: number): number | undefined {
  for (let row = 0; row < length; row++) if (!out.has(row)) return row;
  return undefined;
}

/** Rows [from, to), with a message behind them that stays. */
interface Step {
  readonly from: number;
  readonly to: number;
}

/** Takes them out by blocks where that can be done; the rows that are left to be moved out. */
async function takeOut(contents: Contents, journal: Journal, file: LockedFile, going: readonly number[]): Promise<readonly number[]> {
  const steps = journal.collapses ? stepsOf(contents, Number(file.stats().size), going) : [];
  let left = going;
  for (const step of steps) {
    if (!(await takeOutStep(contents, journal, file, step))) return left;
    // From the last one on: rows before them keep their numbers.
    left = left.slice(0, step.from - step.to);
  }
  return left;
}

/** From the last one to the first; none where it is not worth while. */
function stepsOf(contents: Contents, size: number, going: readonly number[]): readonly Step[] {
  const { length } = contents.table;
  const last = going.at(-1) ?? length;
  if (last + 1 >= length || size - contents.place(last + 1).start < worth) return [];
  const steps: Step[] = [];
  let stretches = 0;
  for (let i = going.length - 1; i >= 0; ) {
    const to = (going[i] ?? 0) + 1;
    if (steps.at(-1)?.from !== to) stretches++;
    const end = contents.place(to - 1).next;
    let from = to - 1;
    for (i--; i >= 0 && going[i] === from - 1 && end - contents.place(from - 1).start <= stepLimit; i--) from--;
    if (end - contents.place(from).start > stepLimit || steps.push({ from, to }) > stepsLimit || stretches > stretchesLimit) return [];
  }
  return steps;
}

/** False when nothing was done. */
async function takeOutStep(contents: Contents, journal: Journal, { fd, stats }: LockedFile, { from, to }: Step): Promise<boolean> {
  const size = Number(stats().size);
  const writer = new Writer(contents, fd, size, noStates);
  for (let row = from; row < to; row++) writer.head(contents.place(row));
  const { start } = contents.place(from);
  const next = contents.place(to);
  const filled = writer.filled(to, next.start - start, from === 0 && contents.pseudo === undefined ? contents.base : undefined);
  if (filled === undefined) return false;
  const first = Math.ceil((start + filled.from) / block) * block;
  const length = Math.floor((start + filled.to) / block) * block - first;
  // In a file of the same size mutt would not see it.
  if (length <= 0) return false;
  const edits = new Edits();
  edits.add(start, Buffer.from(new FileWindow(fd, size).bytes(start, filled.head.length)), filled.head);
  // Commit point.
  await journal.patch(fd, edits);
  contents.setPlace(to, { ...next, start, header: start + next.header - next.start, crc: filled.crc });
  contents.setWritten(to, filled.state, filled.crc);
  contents.remove(Array.from({ length: to - from }, (_, i) => from + i));
  const without = Buffer.concat([filled.head.subarray(0, first - start), filled.head.subarray(first - start + length)]);
  if (await journal.collapse(fd, first, length)) shorter(contents, from, { ...filled, head: without, crc: crc32(without) });
  else {
    const renewed = new Writer(contents, fd, size, noStates).renewed(from);
    await journal.rewrite(fd, start, [renewed.head, { from: next.body, to: size }]);
    shorter(contents, from, renewed);
  }
  return true;
}

/** The header of a message became this one, and what is behind it has moved. */
function shorter(contents: Contents, row: number, renewed: Renewed): void {
  const place = contents.place(row);
  let next = grown(contents, row, place, place.start, renewed.head.length, renewed);
  for (row++; row < contents.table.length; row++) next = moved(contents, row, contents.place(row), next);
}
