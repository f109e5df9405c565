/**
 * Taking whole blocks of blanks out of an mbox, so that nothing behind them is copied. The file is a mailbox before it and after it; what NAME.collapse
 * ("inode, from, octets, OLD octets of the file") is for is a power cut amid it, when the file system had moved a part of what is behind them only. Legal states:
 *
 * | on disk | next opener |
 * |---|---|
 * | `NAME.collapse`; the file has fewer than OLD octets | done; removed |
 * | the same; OLD octets or more, and a hole of so many octets | the hole is taken out |
 * | the same, and no hole | nothing happened: the blanks are some of a header; removed |
 */
import { closeSync, fstatSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { collapse, holeFrom } from "../../sys/collapse.ts";
import { createOnly, readIfThere, syncDirectory, syncFile, writeFully } from "../durable.ts";
import type { Side } from "./side.ts";

/** A multiple of the blocks of every file system that has the call. */
export const block = 4096;

/** Durable when it resolves. False where the file system can not do it: then nothing has happened. */
export async function collapseBlocks(side: Side, fd: number, from: number, length: number): Promise<boolean> {
  side.ready();
  const path = side.path("collapse");
  const { ino, size } = fstatSync(fd);
  rmSync(path, { force: true });
  const mark = openSync(path, createOnly, 0o600);
  try {
    writeFully(mark, Buffer.from(`${ino} ${from} ${length} ${size}\n`));
    await syncFile(mark);
  } finally {
    closeSync(mark);
  }
  await syncDirectory(side.directory);
  const done = collapse(fd, from, length);
  if (done) await syncFile(fd);
  rmSync(path, { force: true });
  return done;
}

/** Finishes what was begun; only under the write lock. True when there was something to finish. */
export async function recoverCollapse(side: Side, fd: number): Promise<boolean> {
  const path = side.path("collapse");
  const m = /^(\d+) (\d+) (\d+) (\d+)\n$/.exec(readIfThere(path) ?? "");
  const { ino, size } = fstatSync(fd);
  const done = m !== null && m[1] === String(ino) && size >= Number(m[4]) && takeOutHole(fd, Number(m[2]), Number(m[3]), size);
  if (done) await syncFile(fd);
  rmSync(path, { force: true });
  return done;
}

function takeOutHole(fd: number, from: number, length: number, size: number): boolean {
  const hole = holeFrom(fd, from, size);
  if (hole === undefined) return false;
  if (hole.to < size) return hole.to - hole.from === length && collapse(fd, hole.from, length);
  // All was moved but the end of the file.
  if (hole.from < size - length) return false;
  ftruncateSync(fd, size - length);
  return true;
}
