/**
 * What a text that is searched for asks of the words of a message. One without white space is in a message exactly when it is in one of its words.
 * One with white space is there only when its pieces are: what stands before the first white space as the end of a word, what stands behind the
 * last as a beginning, and those between as words; whether they stand together must then be seen in the message.
 */
import { trigramQuery } from "./trigrams.ts";

export interface Piece {
  /** Looked for in blocks of words (blocks.ts): with a line feed where a word must begin or end. */
  readonly octets: Buffer;
  /** FTS5 query that every block with such a word fits; undefined: look at all. */
  readonly query: string | undefined;
}

export interface Needle {
  /** At least one. */
  readonly pieces: readonly Piece[];
  /** A message that fits holds the text. */
  readonly exact: boolean;
}

const space = /[\t\n\r ]+/;

/** Pieces asked for of one needle. More make a look-up dearer and hardly any rarer. */
const most = 8;

/** Undefined where words can not tell: nothing but white space, or half of a surrogate pair. @param text as `searchable` of message/text.ts makes it */
export function needleOf(text: string): Needle | undefined {
  if (!text.isWellFormed()) return undefined;
  const words = text.split(space);
  const last = words.length - 1;
  const pieces = words.flatMap((word, n): Piece[] =>
    word === "" ? [] : [{ octets: Buffer.from(`${n > 0 ? "\n" : ""}${word}${n < last ? "\n" : ""}`), query: trigramQuery(word) }],
  );
  return pieces.length === 0 ? undefined : { pieces: telling(pieces), exact: last === 0 };
}

/** Those that rule out most for the least work: the longest ones, and none for which all blocks must be looked at if there is another. */
function telling(pieces: readonly Piece[]): readonly Piece[] {
  const quick = pieces.filter(({ query }) => query !== undefined);
  const some = quick.length > 0 ? quick : pieces;
  return some.length <= 1 ? some : some.toSorted((a, b) => b.octets.length - a.octets.length).slice(0, most);
}
