/** Reading a queue file, and telling complete from half-written from corrupt. */
import { closeSync, constants, fstatSync } from "node:fs";
import { readAt, systemCalls } from "./calls.ts";
import { checksum, endLength, foldRecords, parseEnd, parseEnvelope, parsePrefix, prefixLength, type History, type StoredEnvelope } from "./format.ts";

/** Where things are in a complete file. */
export interface QueueFile {
  readonly envelope: StoredEnvelope;
  readonly octets: number;
  readonly bodyOffset: number;
  /** Behind the last good record: where the next goes. */
  readonly end: number;
}

export type Found =
  | { readonly kind: "complete"; readonly file: QueueFile; readonly history: History }
  | { readonly kind: "half-written" }
  | { readonly kind: "corrupt"; readonly why: string };

/** Longest records we read back, octets; what is behind them is not known, and done again at worst. */
const recordsLimit = 64 << 20;

export async function readQueueFile(path: string, verify: boolean): Promise<Found> {
  const fd = await systemCalls.open(path, constants.O_RDONLY | constants.O_NOFOLLOW, 0);
  try {
    return await examine(fd, verify);
  } finally {
    closeSync(fd);
  }
}

const corrupt = (why: string): Found => ({ kind: "corrupt", why });

async function examine(fd: number, verify: boolean): Promise<Found> {
  const stat = fstatSync(fd);
  if (!stat.isFile()) return corrupt("not a regular file");
  if (stat.size === 0) return { kind: "half-written" };
  // One read gets all of most files.
  const first = await exactly(fd, Math.min(stat.size, 16384), 0);
  const prefix = parsePrefix(first.subarray(0, prefixLength));
  if (prefix.kind === "not-a-queue-file") {
    // Blocks that never reached the disk read as NUL, or the file ends within its first line.
    const head = first.subarray(0, prefixLength);
    const started = head.every((c) => c === 0) || (stat.size < prefixLength && "PHQ1 ".startsWith(head.toString("latin1", 0, 5)));
    return started ? { kind: "half-written" } : corrupt("not a queue file");
  }
  if (prefix.octets === undefined) return { kind: "half-written" };
  const bodyOffset = prefixLength + prefix.envelopeLength;
  const endOffset = bodyOffset + prefix.octets;
  const recordsOffset = endOffset + endLength;
  if (stat.size < recordsOffset) return { kind: "half-written" };

  const part = async (from: number, length: number): Promise<Buffer> => (from + length <= first.length ? first.subarray(from, from + length) : exactly(fd, length, from));
  const line = await part(prefixLength, prefix.envelopeLength);
  const crc = parseEnd(await part(endOffset, endLength), prefix.octets);
  if (crc === undefined) return corrupt("no end record where it should be");
  const envelope = parseEnvelope(line);
  if (envelope === undefined) return corrupt("bad envelope");
  if (verify) {
    let actual = checksum(line);
    for (let at = 0; at < prefix.octets; ) {
      const piece = await part(bodyOffset + at, Math.min(1 << 18, prefix.octets - at));
      actual = checksum(piece, actual);
      at += piece.length;
    }
    if (actual !== crc) return corrupt("wrong checksum");
  }
  const { history, length } = foldRecords(await part(recordsOffset, Math.min(recordsLimit, stat.size - recordsOffset)));
  return { kind: "complete", file: { envelope, octets: prefix.octets, bodyOffset, end: recordsOffset + length }, history };
}

/** Throws when the file is shorter; the caller looked at its size. */
async function exactly(fd: number, length: number, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const n = await readAt(fd, buffer.subarray(at), length - at, position + at);
    if (n === 0) throw new Error("queue file became shorter");
    at += n;
  }
  return buffer;
}
