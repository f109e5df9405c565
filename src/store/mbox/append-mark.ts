/**
 * The mark of an append under way: NAME.append says "inode, octets OLD, adding N, beginning B, messages at P,Q". Legal states:
 *
 * | on disk | next opener |
 * |---|---|
 * | mark; file has OLD octets | nothing was added; mark removed |
 * | mark; file has OLD + some of N, beginning as B, or with NULs in their place | half a message, never acknowledged: cut back to OLD |
 * | the same, and behind the half another program's message, which begins where none of ours does | the half is taken out, the other stays |
 * | mark; OLD + N octets or more | the message is whole and stays; mark removed |
 * | no mark | fsynced: the *commit point* of an append is the fsync of the mailbox |
 *
 * The mark itself is not fsynced: against kill -9 it need not be; a power cut without fsync is a message not acknowledged.
 */
import { fstatSync, readSync, rmSync, writeFileSync } from "node:fs";
import { readIfThere } from "../durable.ts";
import { fromLineLimit, parseFromLine } from "./from-line.ts";
import { FileWindow } from "./window.ts";

/** Octets a mark repeats of what is added: the From line and more. */
const probe = 512;

/** A message as the file gets it: one `From ` line. */
export interface Appended {
  readonly length: number;
  /** A piece is good until the next. */
  pieces(): Iterable<Buffer>;
}

/** All that an append adds. */
export function* added(gap: Buffer, texts: readonly Appended[]): Generator<Buffer> {
  if (gap.length > 0) yield gap;
  for (const text of texts) yield* text.pieces();
}

export function writeMark(path: string, fd: number, old: number, gap: Buffer, texts: readonly Appended[]): void {
  const starts: number[] = [];
  let length = gap.length;
  for (const text of texts) {
    starts.push(length);
    length += text.length;
  }
  writeFileSync(path, `${fstatSync(fd).ino} ${old} ${length} ${beginning(added(gap, texts)).toString("hex")} ${starts.join(",")}\n`, { mode: 0o600 });
}

function beginning(pieces: Iterable<Buffer>): Buffer {
  const room = Buffer.alloc(probe);
  let filled = 0;
  for (const piece of pieces) if ((filled += piece.copy(room, filled)) === probe) break;
  return room.subarray(0, filled);
}

export const removeMark = (path: string): void => rmSync(path, { force: true });

/** What is in the file of an append that was not finished: all from `from` up to `to`. */
export interface Half {
  readonly from: number;
  readonly to: number;
}

/** Undefined when there is no half. */
export function halfAppend(path: string, fd: number): Half | undefined {
  const m = /^(\d+) (\d+) (\d+) ([0-9a-f]+)(?: ([\d,]+))?\n$/.exec(readIfThere(path) ?? "");
  const stats = fstatSync(fd);
  if (m === null || m[1] !== String(stats.ino)) return undefined;
  const [old, added] = [Number(m[2]), Number(m[3])];
  const begin = Buffer.from(m[4] ?? "", "hex").subarray(0, stats.size - old);
  const there = Buffer.alloc(Math.max(0, begin.length));
  // The mark's removal is not fsynced either: an old one may be back after a power cut, and means nothing then.
  if (stats.size <= old || stats.size >= old + added || readSync(fd, there, 0, begin.length, old) !== begin.length) return undefined;
  let same = 0;
  // Octets that never came to the disk are NULs; so are, on btrfs, those that ftruncate(2) could not cut for lack of room.
  while (same < begin.length && (there[same] === begin[same] || there[same] === 0)) same++;
  const foreign = foreignStart(fd, old, stats.size, new Set((m[5] ?? "0").split(",").map(Number)));
  // Not ours from early on: either the other's message begins there, perhaps behind a line end, or the mark is an old one.
  if (same < begin.length && (foreign === undefined || foreign - old > same + 1)) return undefined;
  return { from: old, to: foreign ?? stats.size };
}

const fromWord = Buffer.from("From ");

/**
 * Where another program's message begins in [from, to), which ours begin at `own` (counted from `from`). It need not stand at
 * the start of a line: who appends does not look at how the file ended.
 */
function foreignStart(fd: number, from: number, to: number, own: ReadonlySet<number>): number | undefined {
  const window = new FileWindow(fd, to);
  for (let at = window.indexOf(fromWord, from); at >= 0; at = window.indexOf(fromWord, at + 1)) {
    if (own.has(at - from) || (at > 0 && window.bytes(at - 1, 1)[0] === 0x3e)) continue;
    const line = window.bytes(at, fromLineLimit).toString("latin1").split(/\r?\n/, 1)[0] ?? "";
    if (parseFromLine(line) !== undefined) return at;
  }
  return undefined;
}
