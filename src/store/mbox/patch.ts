/**
 * Changing octets of an mbox in their place. NAME.patch says which, so that an edit that was written by half is finished. Legal states:
 *
 * | on disk | next opener |
 * |---|---|
 * | `NAME.patch` without its checksum | nothing was written; removed |
 * | whole; every octet it speaks of is the old or the new one | the new ones are written again; removed |
 * | whole; an octet is neither | another program changed the file since: that edit is left out |
 * | none | fsynced: the *commit point* of a change in place is the fsync of the mailbox |
 *
 * The patch is fsynced only where an edit lies across a border of pages, which a power cut can write by half; kill -9 needs no fsync.
 */
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { crc32 } from "node:zlib";
import { createOnly, readRegular, syncFile, writeFully } from "../durable.ts";
import { errno } from "../faults.ts";
import type { Side } from "./side.ts";

/** New octets for old ones, as many. */
interface Edit {
  readonly at: number;
  readonly old: Buffer;
  readonly octets: Buffer;
}

const page = 4096;
/** u32 CRC-32 of the rest, u32 length of the rest, f64 inode; then for each edit f64 place, u32 length, the old octets, the new ones. */
const headLength = 16;

/** Edits that are to be made together, as they lie in NAME.patch: of 100,000 messages they are no objects. */
export class Edits {
  #octets = Buffer.allocUnsafeSlow(64 * 1024);
  #end = headLength;
  /** One lies across a border of pages. */
  acrossPages = false;

  get empty(): boolean {
    return this.#end === headLength;
  }

  /** Of `octets` for `old` at `at` only what differs. */
  add(at: number, old: Buffer, octets: Buffer): void {
    let from = 0;
    while (from < octets.length && old[from] === octets[from]) from++;
    let to = octets.length;
    while (to > from && old[to - 1] === octets[to - 1]) to--;
    if (from === to) return;
    this.#reserve(12 + 2 * (to - from));
    this.#end = this.#octets.writeDoubleLE(at + from, this.#end);
    this.#end = this.#octets.writeUInt32LE(to - from, this.#end);
    this.#end += old.copy(this.#octets, this.#end, from, to);
    this.#end += octets.copy(this.#octets, this.#end, from, to);
    this.acrossPages ||= Math.floor((at + from) / page) !== Math.floor((at + to - 1) / page);
  }

  #reserve(octets: number): void {
    if (this.#end + octets <= this.#octets.length) return;
    const room = Buffer.allocUnsafeSlow(Math.max(2 * this.#octets.length, this.#end + octets));
    this.#octets.copy(room, 0, 0, this.#end);
    this.#octets = room;
  }

  /** All of the file. */
  sealed(inode: number): Buffer {
    const octets = this.#octets.subarray(0, this.#end);
    octets.writeDoubleLE(inode, 8);
    octets.writeUInt32LE(octets.length - 8, 4);
    octets.writeUInt32LE(crc32(octets.subarray(4)), 0);
    return octets;
  }

  clear(): void {
    this.#end = headLength;
    this.acrossPages = false;
  }
}

/** Durable when it resolves. */
export async function patch(side: Side, fd: number, edits: Edits): Promise<void> {
  side.ready();
  const path = side.path("patch");
  const inode = fstatSync(fd).ino;
  const temporary = side.path("patch.tmp");
  rmSync(temporary, { force: true });
  const journal = openSync(temporary, createOnly, 0o600);
  try {
    writeFully(journal, edits.sealed(inode));
    if (edits.acrossPages) await syncFile(journal);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(journal);
  }
  renameSync(temporary, path);
  for (const { at, octets } of decode(edits.sealed(inode), inode)) writeFully(fd, octets, at);
  // Commit point.
  await syncFile(fd);
  rmSync(path, { force: true });
}

function* decode(octets: Buffer, inode: number): Generator<Edit> {
  if (octets.length < headLength || octets.readUInt32LE(4) !== octets.length - 8 || octets.readUInt32LE(0) !== crc32(octets.subarray(4)) || octets.readDoubleLE(8) !== inode) return;
  for (let at = headLength; at < octets.length; ) {
    const length = octets.readUInt32LE(at + 8);
    yield { at: octets.readDoubleLE(at), old: octets.subarray(at + 12, at + 12 + length), octets: octets.subarray(at + 12 + length, at + 12 + 2 * length) };
    at += 12 + 2 * length;
  }
}

/** Finishes what was begun; how many edits. Only under the write lock. */
export async function recoverPatch(side: Side, fd: number): Promise<number> {
  const path = side.path("patch");
  rmSync(side.path("patch.tmp"), { force: true });
  let edits: Iterable<Edit>;
  try {
    edits = decode(readRegular(path), Number(fstatSync(fd).ino));
  } catch (error) {
    if (errno(error) === "ENOENT") return 0;
    throw error;
  }
  let done = 0;
  for (const edit of edits) {
    const there = Buffer.alloc(edit.octets.length);
    if (readSync(fd, there, 0, there.length, edit.at) !== there.length) continue;
    if (!there.every((octet, i) => octet === edit.old[i] || octet === edit.octets[i])) continue;
    // Also where they are there: after an fsync that failed they may only seem to be, and another one would not write them.
    writeFully(fd, edit.octets, edit.at);
    done++;
  }
  if (done > 0) await syncFile(fd);
  rmSync(path, { force: true });
  return done;
}
