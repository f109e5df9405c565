/** Counting LFs: of every octet of a message, so four octets at a time. */

const lf = 0x0a;

/** Less is looked at octet by octet. */
const worthWords = 64;
/** So many words may be added up before a sum of one of the four columns could pass 255. */
const mostWords = 255;

/** How many of the octets in [from, to) are LF. */
export function lineFeeds(octets: Buffer, from: number, to: number): number {
  if (to - from < worthWords) return oneByOne(octets, from, to);
  const part = octets.subarray(from, to);
  const first = -part.byteOffset & 3;
  const count = (part.length - first) >> 2;
  const words = new Int32Array(part.buffer, part.byteOffset + first, count);
  let found = oneByOne(part, 0, first) + oneByOne(part, first + 4 * count, part.length);
  for (let at = 0; at < count; ) {
    const end = Math.min(count, at + mostWords);
    let columns = 0;
    for (; at < end; at++) {
      // An octet that is 0 where there was an LF; then its highest bit is 1 where it is not 0.
      const other = (words[at] ?? 0) ^ 0x0a0a0a0a;
      columns = (columns + ((~(((other & 0x7f7f7f7f) + 0x7f7f7f7f) | other) >>> 7) & 0x01010101)) | 0;
    }
    found += (columns & 0xff) + ((columns >>> 8) & 0xff) + ((columns >>> 16) & 0xff) + (columns >>> 24);
  }
  return found;
}

function oneByOne(octets: Buffer, from: number, to: number): number {
  let found = 0;
  for (let at = from; at < to; at++) if (octets[at] === lf) found++;
  return found;
}
