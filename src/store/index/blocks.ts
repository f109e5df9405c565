/**
 * Blocks of an append-only file: octets that are believed when their checksum is right, and otherwise not there. Pure.
 *
 *     u32 magic, u32 length of the content, u32 CRC-32 of magic, length and content, u32 that of the block before, the content; all multiples of 8 octets
 *
 * Since each block names the one before it, by 0 the first, one that was added to another file than its writer had read (somebody wrote over it)
 * does not fit.
 */
import { crc32 } from "node:zlib";

const magic = 0x32_49_48_50; // "PHI2"
export const blockHead = 16;

/** The head of a block with this content, whose pieces are multiples of 8 octets together. @param before checksum of the block before, 0 for none */
export function headOf(pieces: readonly Buffer[], before: number): Buffer {
  const head = Buffer.alloc(blockHead);
  head.writeUInt32LE(magic, 0);
  head.writeUInt32LE(
    pieces.reduce((sum, piece) => sum + piece.length, 0),
    4,
  );
  head.writeUInt32LE(
    pieces.reduce((sum, piece) => crc32(piece, sum), crc32(head.subarray(0, 8))),
    8,
  );
  head.writeUInt32LE(before, 12);
  return head;
}

/** The checksum that a head has. */
export const sumOf = (head: Buffer): number => head.readUInt32LE(8);

/** What lies at `at`: a block and where it ends, the end of the file, a block that was not finished, or something else. */
export type Next = { readonly kind: "block"; readonly content: Buffer; readonly end: number; readonly sum: number } | { readonly kind: "end" | "torn" | "corrupt" };

/** @param before checksum of the block before, 0 for none */
export function blockAt(octets: Buffer, at: number, before: number): Next {
  if (at === octets.length) return { kind: "end" };
  if (at + blockHead > octets.length) return { kind: "torn" };
  const end = at + blockHead + octets.readUInt32LE(at + 4);
  if (octets.readUInt32LE(at) !== magic || end % 8 !== 0) return { kind: octets.subarray(at).every((octet) => octet === 0) ? "torn" : "corrupt" };
  if (end > octets.length) return { kind: "torn" };
  const content = octets.subarray(at + blockHead, end);
  const sum = octets.readUInt32LE(at + 8);
  if (crc32(content, crc32(octets.subarray(at, at + 8))) === sum) return octets.readUInt32LE(at + 12) === before ? { kind: "block", content, end, sum } : { kind: "corrupt" };
  return { kind: end === octets.length ? "torn" : "corrupt" };
}
