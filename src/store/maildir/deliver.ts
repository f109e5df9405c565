/**
 * Putting a message into a Maildir folder, without reading the folder.
 *
 * | step | on disk | killed here |
 * |---|---|---|
 * | open O_EXCL, write | part of a file in tmp/ | nobody looks; swept after 36 h |
 * | fsync of the file | whole file in tmp/ | the same; the sender tries again |
 * | rename to new/ or cur/ | visible, whole | delivered; perhaps twice, if the sender did not hear of it |
 * | fsync of that directory | durable | delivered |
 *
 * The rename makes the message visible, never half-written, since its octets were fsynced before. The *commit point* is the
 * fsync of the directory: only then has the name survived a power cut (ext4 and xfs write renames at the next journal commit),
 * and only then is the message said to be there. Deliveries that come together share it (deliveries.ts).
 */
import { closeSync, futimesSync, openSync, readdirSync, renameSync, statSync, unlinkSync } from "node:fs";
import { hostname } from "node:os";
import { crlfSizeOf } from "../../message/line-ends.ts";
import { startWriteback } from "../../sys/writeback.ts";
import { createOnly, syncFile, writePieces } from "../durable.ts";
import { errno } from "../faults.ts";
import { lfOctets } from "../incoming.ts";
import type { NewMessage } from "../mailbox.ts";
import { fileName, uniqueName } from "./filename.ts";
import { completing } from "./folders.ts";
import { roomComing } from "./held-files.ts";

const host = hostname();

/** Maildir: "files in tmp/ not touched for 36 hours" are leftovers. */
const leftover = 36 * 3_600_000;

/** Fsyncs of one APPEND under way at once. */
const overlapping = 32;

/** A whole, fsynced file in tmp/ that is not a message yet. */
export interface Prepared {
  readonly base: string;
  readonly temporary: string;
}

export const newBase = (size: number, virtualSize: number): string => uniqueName(performance.timeOrigin + performance.now(), process.pid, host, size, virtualSize);

/** Writes and fsyncs; leaves nothing behind when it throws. Room that removed messages are about to leave is waited for. */
export async function prepare(folder: string, message: NewMessage): Promise<Prepared> {
  for (;;) {
    try {
      return await write(folder, message);
    } catch (error) {
      const coming = ["ENOSPC", "EDQUOT"].includes(errno(error)) ? roomComing() : undefined;
      if (coming === undefined) throw error;
      await coming;
    }
  }
}

/** Files that are being written, or fsynced. */
let underWay = 0;

async function write(folder: string, message: NewMessage): Promise<Prepared> {
  const octets = lfOctets(message);
  const base = newBase(octets.length, crlfSizeOf(octets));
  const temporary = `${folder}/tmp/${base}`;
  const fd = openSync(temporary, createOnly, 0o600);
  underWay++;
  try {
    writePieces(fd, octets);
    if (message.internalDate !== undefined) futimesSync(fd, message.internalDate / 1000, message.internalDate / 1000);
    // Of several that come together all are on their way before the first is waited for: fewer commits of the journal. For one alone fsync(2) does all of it.
    if (underWay > 1) startWriteback(fd);
    await Promise.resolve();
    await syncFile(fd);
  } catch (error) {
    forget(temporary);
    throw error;
  } finally {
    underWay--;
    closeSync(fd);
  }
  return { base, temporary };
}

export function forget(path: string | Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errno(error) !== "ENOENT") throw error;
  }
}

export interface Shown {
  readonly directory: "cur" | "new";
  readonly file: string;
  /** What follows the base name. */
  readonly suffix: string;
}

/** Where a new message with these flag letters lies: without flags it is new mail. */
export function placeFor(base: string, letters: string): Shown {
  return letters === "" ? { directory: "new", file: base, suffix: "" } : { directory: "cur", file: fileName(base, letters), suffix: fileName("", letters) };
}

/** Makes a prepared file a message. Not durable yet. */
export function show(folder: string, prepared: Prepared, letters: string): Shown {
  const place = placeFor(prepared.base, letters);
  renameSync(prepared.temporary, `${folder}/${place.directory}/${place.file}`);
  return place;
}

/** All or none. */
export const prepareAll = (folder: string, messages: readonly NewMessage[]): Promise<Prepared[]> => completing(folder, () => prepareEach(folder, messages));

async function prepareEach(folder: string, messages: readonly NewMessage[]): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  try {
    for (let at = 0; at < messages.length; at += overlapping) {
      const settled = await Promise.allSettled(messages.slice(at, at + overlapping).map((message) => prepare(folder, message)));
      for (const one of settled) if (one.status === "fulfilled") prepared.push(one.value);
      for (const one of settled) if (one.status === "rejected") throw one.reason;
    }
  } catch (error) {
    for (const one of prepared) forget(one.temporary);
    throw error;
  }
  return prepared;
}

/** Removes what dead deliveries left in tmp/. What can not be removed stays, and keeps nobody from the mail. */
export function sweep(folder: string, now: number): void {
  for (const file of readdirSync(`${folder}/tmp`, "buffer")) {
    const path = Buffer.concat([Buffer.from(`${folder}/tmp/`), file]);
    try {
      const stats = statSync(path);
      if (stats.isFile() && Math.max(stats.mtimeMs, stats.ctimeMs, stats.atimeMs) < now - leftover) unlinkSync(path);
    } catch {
      // Gone meanwhile, or immutable.
    }
  }
}
