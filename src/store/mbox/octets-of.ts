/** The octets of one message, as sessions get them. */
import { readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { toCrlf } from "../../message/line-ends.ts";
import { metadataFields } from "./metadata.ts";
import type { Place } from "./parse.ts";

/** With CRLF and without metadata; undefined when the header is not as it was: another program was there. */
export function octetsOf(fd: number, place: Place): Buffer | undefined {
  const octets = storedOctets(fd, place);
  return octets === undefined ? undefined : toCrlf(octets);
}

/** Up to the end of the header, with line ends as they are stored. */
export const headOf = (fd: number, place: Place): Buffer | undefined => storedOctets(fd, { ...place, end: place.body });

function storedOctets(fd: number, { start, header, body, end, crc }: Place): Buffer | undefined {
  const octets = Buffer.allocUnsafe(end - start);
  for (let got = 0, n = -1; got < octets.length; got += n) {
    n = readSync(fd, octets, got, octets.length - got, start + got);
    if (n === 0) return undefined;
  }
  if (crc32(octets.subarray(0, body - start)) !== crc) return undefined;
  const begin = header - start;
  const parts: Buffer[] = [];
  let from = begin;
  for (const field of metadataFields(octets.toString("latin1", begin, body - start))) {
    if (begin + field.start > from) parts.push(octets.subarray(from, begin + field.start));
    from = begin + field.end;
  }
  parts.push(octets.subarray(from));
  // A header that ends with the file, in the middle of a line, gets its end with the first change.
  if (body === end && from < octets.length && octets[octets.length - 1] !== 0x0a) parts.push(Buffer.from("\n"));
  return parts.length === 1 ? (parts[0] ?? octets) : Buffer.concat(parts);
}
