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
export interface Edit {
  readonly at: number;
  readonly old: Buffer;
  readonly octets: Buffer;
}

const page = 4096;
/** u32 CRC-32 of the rest, u32 length of the rest, f64 inode; then for each edit f64 place, u32 length, the old octets, the new ones. */
const headLength = 16;

const acrossPages = ({ at, octets }: Edit): boolean => Math.floor(at / page) !== Math.floor((at + octets.length - 1) / page);

/** Only what differs. */
export function trimmed({ at, old, octets }: Edit): Edit | undefined {
  let from = 0;
  while (from < octets.length && old[from] === octets[from]) from++;
  let to = octets.length;
  while (to > from && old[to - 1] === octets[to - 1]) to--;
  return from === to ? undefined : { at: at + from, old: old.subarray(from, to), octets: octets.subarray(from, to) };
}

/** Durable when it resolves. */
export async function patch(side: Side, fd: number, edits: readonly Edit[]): Promise<void> {
  side.ready();
  const path = side.path("patch");
  const temporary = side.path("patch.tmp");
  rmSync(temporary, { force: true });
  const journal = openSync(temporary, createOnly, 0o600);
  try {
    writeFully(journal, encode(edits, Number(fstatSync(fd).ino)));
    if (edits.some(acrossPages)) await syncFile(journal);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(journal);
  }
  renameSync(temporary, path);
  for (const { at, octets } of edits) writeFully(fd, octets, at);
  // Commit point.
  await syncFile(fd);
  rmSync(path, { force: true });
}

function encode(edits: readonly Edit[], inode: number): Buffer {
  const octets = Buffer.allocUnsafe(edits.reduce((sum, edit) => sum + 12 + 2 * edit.octets.length, headLength));
  octets.writeDoubleLE(inode, 8);
  let to = headLength;
  for (const edit of edits) {
    octets.writeDoubleLE(edit.at, to);
    octets.writeUInt32LE(edit.octets.length, to + 8);
    to += 12;
    to += edit.old.copy(octets, to);
    to += edit.octets.copy(octets, to);
  }
  octets.writeUInt32LE(octets.length - 8, 4);
  octets.writeUInt32LE(crc32(octets.subarray(4)), 0);
  return octets;
}

function decode(octets: Buffer, inode: number): Edit[] {
  if (octets.length < headLength || octets.readUInt32LE(4) !== octets.length - 8 || octets.readUInt32LE(0) !== crc32(octets.subarray(4)) || octets.readDoubleLE(8) !== inode) return [];
  const edits: Edit[] = [];
  for (let at = headLength; at < octets.length; ) {
    const length = octets.readUInt32LE(at + 8);
    edits.push({ at: octets.readDoubleLE(at), old: octets.subarray(at + 12, at + 12 + length), octets: octets.subarray(at + 12 + length, at + 12 + 2 * length) });
    at += 12 + 2 * length;
  }
  return edits;
}

/** Finishes what was begun; how many edits. Only under the write lock. */
export async function recoverPatch(side: Side, fd: number): Promise<number> {
  const path = side.path("patch");
  rmSync(side.path("patch.tmp"), { force: true });
  let edits: Edit[];
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
