/**
 * From the file to what is known of it (contents.ts).
 *
 * **When is a file as it was?** Its stamp (inode, size, times of modification and of change in ns) is compared at every look: equal means
 * that no octet is read; a warm open is one stat(2). Otherwise, under the lock:
 *
 * | inode | size | octets before the old end | then |
 * |---|---|---|---|
 * | same | same | - | every header is compared with its CRC: a program changed flags in place, or nothing (chmod) |
 * | same | more | as they were | an append: parsed from the last known message on; headers are compared of the first and the last messages and of some in turn |
 * | else | | | everything is parsed |
 *
 * A header that differs where only our fields do is taken over; any other difference means that everything is parsed. So after an append the
 * headers of a large mailbox are not all read again, and flags that another program changed *together with* an append may show
 * a few appends later. Octets are never wrong for it: who reads a message or writes into its header compares the CRC of that header first,
 * under the lock, and starts over when it differs.
 *
 * X-UID is believed while it ascends and stays at or below the last UID of X-IMAPbase; the first message without one, and all after it, get
 * new UIDs. Where that last UID is one that nobody gets to, X-UIDs are believed while they ascend, and new ones begin well above them.
 */
import type { BigIntStats } from "node:fs";
import { crc32 } from "node:zlib";
import { Columns } from "../index/columns.ts";
import { isCopy } from "../durable.ts";
import { breathe } from "../serial.ts";
import { tailOf, type Contents, type Row } from "./contents.ts";
import { stampOf, type Stamp } from "./head.ts";
import type { LockedFile } from "./lock.ts";
import { fieldValue, highestUid, parseBase, parseState, parseUid, type Base } from "./metadata.ts";
import { parseMbox, parseOne, type Found, type Place } from "./parse.ts";
import { cellsOf, countedBit, mboxSchema, oldBit, writtenBit } from "./rows.ts";
import { FileWindow, forHeaders } from "./window.ts";

/** UIDs that were given, perhaps, to messages behind the last. */
const passedOver = 1000;
/** ns */
const longAfter = 60_000_000_000n;
/** Headers compared after an append: so many of the last messages, and as many others in turn. */
const compared = 512;
/** Headers compared between two breaths. */
const batch = 4096;

/** Takes over the file as it is; under a lock. True when something was read. */
export async function look(contents: Contents, file: LockedFile): Promise<boolean> {
  const stats = file.stats();
  const now = stampOf(stats);
  // What is not what the index said is not current either.
  void contents.table;
  const current = contents.isCurrent(now);
  const { stamp } = contents;
  // UIDs that were given since the copy was made are not in it.
  const copy = contents.resumed && stamp !== undefined && isPutBack(stats, stamp);
  contents.looking(current ? undefined : Number(stats.ctimeNs / 1_000_000n));
  if (current) return false;
  contents.begin();
  const maySame = stamp !== undefined && stamp.inode === now.inode && now.size >= stamp.size && (contents.pseudo !== undefined || contents.table.length > 0);
  if (copy && !maySame) contents.lastUid += passedOver;
  const known = headersOf(contents);
  // Nothing is known of it but what it says itself.
  const unknown = stamp === undefined && contents.uidValidity === 0;
  if (!maySame || !(await catchUp(contents, file.fd, stamp.size, now.size))) await readAll(contents, file.fd, now.size, unknown && isCopied(stats));
  // Others that write states in place set the time of modification back.
  else if (copy && isStill(known, headersOf(contents))) contents.lastUid += passedOver;
  await contents.note(file, false);
  return true;
}

/** A copy put back. Dovecot sets the time of modification of a file that it only read to a whole second, so that in place of the same file only an exact time says so, or a file that is younger than its text. */
const isPutBack = (stats: BigIntStats, stamp: Stamp): boolean => isCopy(stats, stamp) && (stats.ino !== BigInt(stamp.inode) || stats.birthtimeNs > BigInt(stamp.modified) || stats.mtimeNs % 1_000_000_000n !== 0n);

/** A file that is much younger than its text, as that of a copy that has its times: UIDs that were given since it was made are not in it. So is one that was moved here so. */
const isCopied = (stats: BigIntStats): boolean => stats.birthtimeNs - stats.mtimeNs > longAfter;

interface Headers {
  readonly pseudo: Place | undefined;
  readonly changes: number;
}

const headersOf = ({ pseudo, table }: Contents): Headers => ({ pseudo, changes: table.changesOf("crc") });

const isStill = (was: Headers, now: Headers): boolean => was.pseudo === now.pseudo && was.changes === now.changes;

/** There is no file: no messages. */
export function lookAtNothing(contents: Contents): void {
  contents.begin();
  contents.settle(contents.baseFor(undefined));
  contents.stamp = undefined;
  contents.pseudo = undefined;
  contents.unwritten = false;
  contents.removeAll();
}

/** A message was added by us behind the last one, and nothing else changed. */
export async function readAdded(contents: Contents, file: LockedFile): Promise<void> {
  contents.begin();
  const size = Number(file.stats().size);
  if (contents.table.length === 0 && contents.pseudo === undefined) await readAll(contents, file.fd, size);
  else if (!(await readTail(contents, new FileWindow(file.fd, size)))) await readAll(contents, file.fd, size);
  await contents.note(file, true);
}

// ------------------------------------------------------------ what changed only

/** False when everything must be parsed. */
async function catchUp(contents: Contents, fd: number, old: number, size: number): Promise<boolean> {
  const grown = size > old;
  if (grown && tailOf(fd, old) !== contents.tail) return false;
  const { length } = contents.table;
  const heads = new FileWindow(fd, size, grown || averageSize(contents) > forHeaders ? forHeaders : undefined);
  if (!topAgain(contents, heads)) return false;
  if (!grown || length <= 2 * compared) {
    if (!(await headsAgain(contents, heads, 0, length))) return false;
  } else {
    const turn = contents.turn < length - compared ? contents.turn : 0;
    if (!(await headsAgain(contents, heads, 0, 1)) || !(await headsAgain(contents, heads, length - compared, length)) || !(await headsAgain(contents, heads, turn, Math.min(turn + compared, length)))) return false;
    contents.turn = turn + compared;
  }
  return !grown || (await readTail(contents, new FileWindow(fd, size)));
}

const averageSize = ({ table, stamp }: Contents): number => (stamp?.size ?? 0) / Math.max(1, table.length);

/** The base of the first message, or of the pseudo message, may be another one. */
function topAgain(contents: Contents, window: FileWindow): boolean {
  const place = contents.pseudo ?? contents.place(0);
  if (crcOf(window, place) === place.crc) return true;
  const found = parseOne(window, place.start);
  if (found === undefined || isPseudo(found) !== (contents.pseudo !== undefined)) return false;
  const base = baseIn(found);
  if (base?.uidValidity !== contents.uidValidity) return false;
  contents.lastUid = Math.max(contents.lastUid, base.lastUid);
  contents.keywords.learn(base.keywords);
  contents.unwritten ||= !says(contents, base);
  if (contents.pseudo === undefined) return true;
  if (found.body !== place.body || (contents.table.length > 0 && found.next !== place.next)) return false;
  contents.pseudo = onlyPlace(found);
  return true;
}

/** Compares headers of rows in [from, to) with their CRCs, and takes over those whose flags changed. */
async function headsAgain(contents: Contents, window: FileWindow, from: number, to: number): Promise<boolean> {
  for (let row = from; row < to; row++) {
    const place = contents.place(row);
    if (crcOf(window, place) !== place.crc && !headAgain(contents, window, row, place)) return false;
    if ((row - from) % batch === batch - 1) await breathe();
  }
  return true;
}

const crcOf = (window: FileWindow, { start, body }: Place): number => crc32(window.bytes(start, body - start));

/** False when it is another message, or ends elsewhere. */
function headAgain(contents: Contents, window: FileWindow, row: number, place: Place): boolean {
  const found = parseOne(window, place.start);
  if (found === undefined || found.header !== place.header || found.body !== place.body) return false;
  const { at, length } = contents.table;
  if (found.print !== at.print[row] || (row < length - 1 && found.next !== place.next)) return false;
  const uid = at.uid[row] ?? 0;
  const written = parseUid(found.fields) === uid;
  if (!written) {
    if (((at.bits[row] ?? 0) & writtenBit) !== 0) return false;
    contents.unwritten = true;
  }
  contents.change(row, rowOf(contents, found, uid, written));
  return true;
}

/** From the last known message on: what followed its end may be different now. False when it is not there. */
async function readTail(contents: Contents, window: FileWindow): Promise<boolean> {
  const { length } = contents.table;
  const last = length > 0 ? contents.place(length - 1) : contents.pseudo;
  if (last === undefined) return false;
  const begin = parseOne(window, last.start);
  if (begin === undefined || begin.crc !== last.crc) return false;
  const rows: Row[] = [];
  let trusted = contents.lastUid;
  let listed = !contents.unwritten || contents.table.length === 0 || ((contents.table.at.bits[length - 1] ?? 0) & writtenBit) !== 0;
  let previous = length > 0 ? (contents.table.at.uid[length - 1] ?? 0) : 0;
  let given = contents.lastUid;
  await parseMbox(window, begin.next, (found) => {
    const uid = parseUid(found.fields);
    listed &&= uid > previous && uid <= trusted;
    previous = listed ? uid : ++given;
    rows.push(rowOf(contents, found, previous, listed));
  });
  trusted = Math.max(trusted, given);
  if (length > 0) contents.change(length - 1, rowOf(contents, begin, contents.table.at.uid[length - 1] ?? 0, ((contents.table.at.bits[length - 1] ?? 0) & writtenBit) !== 0));
  else contents.pseudo = onlyPlace(begin);
  contents.lastUid = trusted;
  contents.unwritten ||= rows.some((row) => (row.bits & writtenBit) === 0);
  for (const row of rows) contents.add(row, Date.now());
  return true;
}

// ------------------------------------------------------------ everything


const isReached = (uid: number): boolean => uid > 0 && uid <= highestUid;

const columns = { uid: "u32", set: "u32", size: "f64", date: "f64", ...mboxSchema } as const;

/** @param copied UIDs above the last of the file may have been given */
export async function readAll(contents: Contents, fd: number, size: number, copied = false): Promise<void> {
  const parsed = new Columns(columns, { passing: true });
  let pseudo: Found | undefined;
  let base: Base | undefined;
  let first = true;
  let settled = contents.baseFor(undefined);
  let [trusted, last, previous, listed] = [0, 0, 0, true];
  /** Behind X-UIDs that are believed without a last UID. */
  const pass = (): void => {
    if (base?.lost === true) last = Math.max(last, previous + passedOver);
  };
  await parseMbox(new FileWindow(fd, size), 0, (found) => {
    if (first) {
      first = false;
      base = baseIn(found);
      // Of X-UIDs that nobody gets to either nothing is left to go by.
      if (base?.lost === true && !isPseudo(found) && !isReached(parseUid(found.fields))) base = undefined;
      settled = contents.baseFor(base);
      // Flags are numbered and spelled by this mailbox.
      if (settled.uidValidity !== contents.uidValidity) contents.settle(settled);
      last = settled.lastUid;
      trusted = base?.lost === true ? highestUid : last;
      if (copied && base !== undefined) last += passedOver;
      contents.keywords.learn(base?.keywords ?? []);
      if (isPseudo(found)) {
        pseudo = found;
        return;
      }
    }
    const uid = parseUid(found.fields);
    if (listed && (uid <= previous || uid > trusted)) {
      pass();
      listed = false;
    }
    previous = listed ? uid : ++last;
    parsed.add(rowOf(contents, found, previous, listed));
  });
  if (listed) pass();
  contents.given = parsed.length - writtenIn(parsed);
  const knew = contents.stamp !== undefined;
  contents.settle({ uidValidity: settled.uidValidity, lastUid: Math.max(settled.lastUid, last) });
  contents.pseudo = pseudo === undefined ? undefined : onlyPlace(pseudo);
  merge(contents, parsed, knew);
  parsed.release();
  contents.unwritten = !first && (!listed || !says(contents, base));
}

function writtenIn({ at, length }: Columns<typeof columns>): number {
  let written = 0;
  for (let i = 0; i < length; i++) if (((at.bits[i] ?? 0) & writtenBit) !== 0) written++;
  return written;
}

/** The rows become these. */
function merge(contents: Contents, parsed: Columns<typeof columns>, knew: boolean): void {
  const { table } = contents;
  const { at } = parsed;
  const rows = table.length;
  const highest = table.at.uid[rows - 1] ?? 0;
  const gone: number[] = [];
  let between = false;
  let row = 0;
  for (let i = 0; i < parsed.length; i++) {
    const uid = at.uid[i] ?? 0;
    while (row < rows && (table.at.uid[row] ?? 0) < uid) gone.push(row++);
    if (row < rows && table.at.uid[row] === uid) row++;
    else between ||= uid <= highest && rows > 0;
  }
  while (row < rows) gone.push(row++);
  contents.remove(gone);
  // A message is back that was gone: rows can not be put between others.
  const lifted = between ? contents.lift() : undefined;
  table.reserve(parsed.length);
  for (let i = 0; i < parsed.length; i++) {
    const next = parsedRow(parsed, i);
    if (i < table.length) contents.change(i, next);
    else {
      const before = lifted?.get(next.uid);
      if (before === undefined) contents.add(next, knew ? Date.now() : NaN);
      else {
        const same = before.print === next.print && before.size === next.size;
        if (!same) contents.edited(next.uid);
        contents.add(next, before.saved, before.set === next.set ? before.modSeq : undefined, same ? before : undefined);
      }
    }
  }
}

function parsedRow({ at }: Columns<typeof columns>, i: number): Row {
  const cell = (name: keyof typeof columns): number => at[name][i] ?? 0;
  return { uid: cell("uid"), set: cell("set"), size: cell("size"), date: cell("date"), start: cell("start"), header: cell("header"), body: cell("body"), end: cell("end"), gap: cell("gap"), crc: cell("crc"), print: cell("print"), bits: cell("bits") };
}

// ------------------------------------------------------------ a message

function rowOf({ keywords }: Contents, found: Found, uid: number, written: boolean): Row {
  const { flags, old } = parseState(found.fields, (keyword) => keywords.known(keyword));
  const { size, date, print } = found;
  return { uid, set: keywords.setOf(flags), size, date, ...cellsOf(found), print, bits: (old ? oldBit : 0) | (found.counted ? countedBit : 0) | (written ? writtenBit : 0) };
}

/** X-IMAP alone is not enough, as it is for Dovecot: a stranger's first mail would not be seen. */
const isPseudo = ({ fields, text }: Found): boolean => fieldValue(fields, "x-imap") !== undefined && text.includes("FOLDER INTERNAL DATA");

function baseIn(found: Found): Base | undefined {
  const text = fieldValue(found.fields, isPseudo(found) ? "x-imap" : "x-imapbase");
  return text === undefined ? undefined : parseBase(text);
}

/** True when the file's X-IMAPbase has all we know. */
const says = (contents: Contents, base: Base | undefined): boolean =>
  base !== undefined && base.uidValidity === contents.uidValidity && base.lastUid >= contents.lastUid && base.keywords.length >= contents.keywords.size;

export const onlyPlace = ({ start, header, body, end, next, crc, counted }: Place): Place => ({ start, header, body, end, next, crc, counted });
