/** Lines that begin with "From " in text that goes into an mbox, where such a line begins a message. Pure. */
import type { Octets } from "./octets.ts";

const word = Buffer.from("From ");
const wordBehindLine = Buffer.from("\nFrom ");
const quote = Buffer.from(">");

/** Where they begin, ascending. */
export function* fromLines(octets: Octets): Generator<number, undefined> {
  if (octets.startsWith(word)) yield 0;
  for (let at = octets.indexOf(wordBehindLine); at >= 0; at = octets.indexOf(wordBehindLine, at + 1)) yield at + 1;
}

export const hasFromLine = (octets: Octets): boolean => fromLines(octets).next().done !== true;

/** The octets in pieces, with a ">" put in at these places, which ascend. A piece is good until the next, and until the octets are looked at. */
export function* quoted(octets: Octets, places: Iterable<number>): Generator<Buffer, undefined> {
  let from = 0;
  for (const at of places) {
    // Lines that all begin so are not read one by one.
    const line = octets.inWindow(from, at);
    if (line === undefined) yield* octets.subarray(from, at).pieces();
    else if (line.length > 0) yield line;
    yield quote;
    from = at;
  }
  yield* (from === 0 ? octets : octets.subarray(from)).pieces();
}
