/** Moving stretches of octets between and within files, in pieces, with others having their turn in between. */
import { readSync } from "node:fs";
import { writeFully } from "../durable.ts";
import { breathe } from "../serial.ts";

const chunk = 1024 * 1024;

/** Copies [start, end) of one file to `at` in another; where it ends there. */
export async function copyRange(from: number, start: number, end: number, to: number, at: number): Promise<number> {
  const octets = Buffer.allocUnsafe(Math.min(chunk, Math.max(0, end - start)));
  for (let place = start; place < end; ) {
    const got = readSync(from, octets, 0, Math.min(octets.length, end - place), place);
    if (got === 0) throw new Error("a file became shorter while it was copied");
    writeFully(to, octets.subarray(0, got), at);
    place += got;
    at += got;
    if (place < end) await breathe();
  }
  return at;
}

/** Empty lines in [from, to). */
export function fillLines(fd: number, from: number, to: number): void {
  const lines = Buffer.alloc(Math.min(chunk, Math.max(0, to - from)), 0x0a);
  for (; from < to; from += lines.length) writeFully(fd, lines.subarray(0, to - from), from);
}

/** First octet in [from, to) that is not an LF, else `to`. */
export function linesEnd(fd: number, from: number, to: number): number {
  const octets = Buffer.allocUnsafe(Math.min(chunk, Math.max(0, to - from)));
  const lines = Buffer.alloc(octets.length, 0x0a);
  for (let at = from; at < to; ) {
    const got = readSync(fd, octets, 0, Math.min(octets.length, to - at), at);
    if (got === 0) return at;
    if (octets.compare(lines, 0, got, 0, got) !== 0) return at + octets.findIndex((octet) => octet !== 0x0a);
    at += got;
  }
  return to;
}
