/**
 * Babyl files (formail -B): messages stand between lines that start with ^_; the first line behind is flags. A message is its header, the line
 * "*** EOOH ***" with the header as it was shown, an empty line, and its text.
 */
import { fieldsAhead, passLine, type Sink } from "./body.ts";
import type { Source } from "./source.ts";

const separator = 0x1f;

/** Goes to the header of the first message; false when there is none. */
export function firstBabyl(source: Source): boolean {
  while (source.at(0) !== undefined) {
    const start = source.at(0) === separator && source.at(1) === 0x0c;
    skipLine(source);
    if (!start) continue;
    skipLine(source);
    return true;
  }
  return false;
}

/** Passes the text of a message and goes to the header of the next. `ended`: an empty line stood behind the header. True when it ended in the separator. */
export function passBabyl(source: Source, sink: Sink, ended: boolean, minFields: number): boolean {
  if (!ended) passLine(source, sink);
  do skipLine(source);
  while (source.at(0) !== undefined && source.at(0) !== 0x0a);
  while (source.at(0) !== undefined && source.at(0) !== separator) passLine(source, sink);
  if (source.at(0) === undefined) return false;
  do skipLine(source);
  while (source.at(0) !== undefined && fieldsAhead(source, minFields).count < minFields);
  return true;
}

function skipLine(source: Source): void {
  passLine(source, { write: () => undefined });
}
