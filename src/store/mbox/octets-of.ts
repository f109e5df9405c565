/** The octets of messages, as sessions get them and as they are copied. */
import { readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { toCrlf } from "../../message/line-ends.ts";
import { metadataFields } from "./metadata.ts";
import type { Place } from "./parse.ts";

const newline = Buffer.from("\n");

/** Octets read at once, of more than one message. */
const together = 1 << 20;

/** With CRLF and without metadata; undefined when the header is not as it was: another program was there. */
export function octetsOf(fd: number, place: Place): Buffer | undefined {
  const octets = storedOctets(fd, place);
  return octets === undefined ? undefined : toCrlf(octets);
}

/** Up to the end of the header, with line ends as they are stored. */
export const headOf = (fd: number, place: Place): Buffer | undefined => storedOctets(fd, { ...place, end: place.body });

/**
 * Messages with line ends as they are stored and without metadata; neighbours are read together. Undefined when a header is not as it was.
 *
 * @param places ascending
 */
export function storedMessages(fd: number, places: readonly Place[]): Buffer[] | undefined {
  const messages: Buffer[] = [];
  for (let first = 0; first < places.length; ) {
    const start = places[first]?.start ?? 0;
    let last = first;
    while (places[last + 1]?.start === places[last]?.next && (places[last + 1]?.end ?? 0) - start <= together) last++;
    const octets = readRange(fd, start, places[last]?.end ?? 0);
    if (octets === undefined) return undefined;
    for (; first <= last; first++) {
      const place = places[first];
      const message = place === undefined ? undefined : shownOf(octets.subarray(place.start - start, place.end - start), place);
      if (message === undefined) return undefined;
      messages.push(message);
    }
  }
  return messages;
}

/** With line ends as they are stored, and without metadata; undefined when the header is not as it was. */
export function storedOctets(fd: number, place: Place): Buffer | undefined {
  const octets = readRange(fd, place.start, place.end);
  return octets === undefined ? undefined : shownOf(octets, place);
}

function readRange(fd: number, start: number, end: number): Buffer | undefined {
  const octets = Buffer.allocUnsafe(end - start);
  for (let got = 0, n = -1; got < octets.length; got += n) {
    n = readSync(fd, octets, got, octets.length - got, start + got);
    if (n === 0) return undefined;
  }
  return octets;
}

/** Takes the From line and metadata out of a message, in the same memory. Undefined when its header is not as it was. */
function shownOf(octets: Buffer, { start, header, body, end, crc }: Place): Buffer | undefined {
  if (crc32(octets.subarray(0, body - start)) !== crc) return undefined;
  const begin = header - start;
  const fields = metadataFields(octets.toString("latin1", begin, body - start));
  let hidden = 0;
  // What stands before a field moves up to what stands behind it.
  for (let i = fields.length - 1; i >= 0; i--) {
    const [from, to] = [begin + (fields[i - 1]?.end ?? 0), begin + (fields[i]?.start ?? 0)];
    hidden += begin + (fields[i]?.end ?? 0) - to;
    octets.copyWithin(from + hidden, from, to);
  }
  const shown = octets.subarray(begin + hidden);
  // A header that ends with the file, in the middle of a line, gets its end with the first change.
  const cut = body === end && begin + (fields.at(-1)?.end ?? 0) < octets.length && octets[octets.length - 1] !== 0x0a;
  return cut ? Buffer.concat([shown, newline]) : shown;
}
