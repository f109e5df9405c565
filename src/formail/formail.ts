/** formail(1): reads mail, changes its header, splits it. Decisions only; what it reads from and writes to comes in. */
import { firstBabyl, passBabyl } from "./babyl.ts";
import { copy, passBody, type Sink } from "./body.ts";
import { edit, type Made } from "./edit.ts";
import { content, type Field, isBlank, matches, named } from "./field.ts";
import { readHeader } from "./header.ts";
import type { Options } from "./options.ts";
import type { Source } from "./source.ts";
import { summary } from "./summary.ts";

export interface Io extends Made {
  readonly source: Source;
  /** Where the next message goes; undefined when it can not go anywhere. */
  open(): Sink | undefined;
  close(sink: Sink): void;
  readonly out: Sink;
  complain(text: string): void;
  /** -D: true when the key is known; else it is known from now on. */
  seen(key: Buffer): boolean;
}

/** What a run ends with: sysexits.h, and 1 for a message that is not a duplicate. */
export type Exit = number;

/** Counts what passes, and ends a message with an empty line. */
class Tail implements Sink {
  length = 0;
  readonly #sink: Sink;
  #feeds = 1;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  write(octets: Buffer): void {
    if (octets.length === 0) return;
    this.length += octets.length;
    if (octets[octets.length - 1] !== 0x0a) this.#feeds = 0;
    else if (octets.length === 1) this.#feeds++;
    else this.#feeds = octets[octets.length - 2] === 0x0a ? 2 : 1;
    this.#sink.write(octets);
  }

  /** Writes line feeds until there are two, `most` at most. */
  end(most: number): void {
    for (let i = 0; i < most && this.#feeds < 2; i++) this.write(newline);
  }
}

/** sysexits.h: -0 asks for no message, and is answered as if none could be written. */
const exIoError = 74;
/** sysexits.h: nobody to reply to. */
const exNoUser = 67;
const newline = Buffer.from("\n");
const nowhere: Sink = { write: () => undefined };

export function formail(options: Options, io: Io): Exit {
  const { source } = io;
  const { split } = options;
  let left = options.total;
  let exit = split !== undefined && left === 0 ? exIoError : 0;
  if (options.babyl && !firstBabyl(source)) return exit;
  for (let number = 0; ; number++) {
    while (source.at(0) === 0x0a && number === 0) source.take(1);
    if (split !== undefined && source.at(0) === undefined) break;
    const skipped = split !== undefined && number < options.skip;
    if (!skipped && split !== undefined && left === 0) break;
    const ended = message(options, io, number);
    if (split === undefined) return ended;
    if (ended === exNoUser) exit = ended;
    if (!skipped && left > 0) left--;
  }
  return exit;
}

function message(options: Options, io: Io, number: number): Exit {
  const { source } = io;
  const { split, keepBody, reply, fields } = options;
  const skipped = split !== undefined && number < options.skip;
  const { fields: header, ended } = readHeader(source, options.digest && number > 0);
  const edited = edit(header, options, io);
  let duplicate: boolean | undefined;
  if (options.cache !== undefined) duplicate = isDuplicate(header, edited.sender, options, io);
  const extracts = fields.extract.length + fields.extractWhole.length > 0;
  const silent = skipped || (duplicate !== undefined && (split === undefined || duplicate));
  const sink = silent || options.summary !== undefined ? nowhere : (io.open() ?? nowhere);
  const tail = new Tail(sink);
  if (extracts) extract(edited.header, options, tail);
  else for (const f of edited.header) tail.write(f.text);
  const withBody = keepBody || !(extracts || reply);
  if (withBody || !extracts) tail.write(newline);
  const body = withBody ? tail : nowhere;
  let lines = 2;
  if (split !== undefined || withBody) {
    const length = extracts || reply ? 0 : contentLength(edited.header, options);
    const { missing, before } = copy(source, body, length);
    if (missing > 1 && !options.quiet) io.complain(`Content-Length: field exceeds actual length by ${missing - 1} bytes`);
    if (length > 0 && source.at(0) === undefined) lines = 1;
    if (options.babyl) lines = passBabyl(source, body, ended, options.minFields) ? 0 : 2;
    else passBody(source, body, options, length > 0 ? before : ended ? "blank" : split === undefined || options.force || reply || (header[0] !== undefined && named(header[0], "from ") && !(header.length === 1 && header[0].text.includes("\n>"))) ? "settled" : "header");
  }
  if (withBody) tail.end(lines);
  if (options.summary !== undefined && !silent) io.out.write(summary(edited, options.summary, tail.length));
  if (sink !== nowhere) io.close(sink);
  if (duplicate !== undefined && split === undefined) return duplicate ? 0 : 1;
  return reply && edited.sender === undefined ? exNoUser : 0;
}

function isDuplicate(header: readonly Field[], sender: string | undefined, options: Options, io: Io): boolean {
  const id = header.findLast((f) => named(f, "message-id:"));
  const key = options.reply ? Buffer.from(sender ?? "", "latin1") : id === undefined ? undefined : trimmed(id);
  if (key === undefined || key.length === 0) return false;
  const found = io.seen(key);
  if (found && !options.quiet) io.complain(`Duplicate key found:${key.toString("latin1")}`);
  return found;
}

function trimmed(f: Field): Buffer {
  const octets = content(f);
  let start = 0;
  while (isBlank(octets[start])) start++;
  return octets.subarray(start);
}

function contentLength(header: readonly Field[], { berkeley, digest }: Options): number {
  if (berkeley || digest) return 0;
  const f = header.find((one) => named(one, "content-length:"));
  const digits = f === undefined ? null : /^[ \t\n]*\+?(\d+)/.exec(content(f).toString("latin1"));
  return digits === null ? 0 : Number(digits[1]);
}

/** -x and -X */
function extract(header: readonly Field[], { fields, zap }: Options, sink: Sink): void {
  for (const f of header) {
    if (fields.extract.some((a) => matches(f, a))) {
      let value = content(f);
      if (zap) {
        let start = 0;
        let end = value.length;
        while (start < end && isBlank(value[start])) start++;
        while (end > start && isBlank(value[end - 1])) end--;
        value = value.subarray(start, end);
      }
      sink.write(value);
      sink.write(newline);
    } else if (fields.extractWhole.some((a) => matches(f, a))) sink.write(f.text);
  }
}
