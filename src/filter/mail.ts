/**
 * The message as rules see it: a `From ` line, a header up to and with the empty line, a body. LF line ends. The header is in memory, the
 * body where it lies. Octets are shared, never copied; a filter's output makes a new message.
 */
import { Octets } from "../message/octets.ts";

export interface Chosen {
  readonly fromLine: string;
  /** See Mail. */
  readonly postmark: string;
  /** Without the `From ` line. */
  readonly octets: Octets;
}

export class Mail {
  /** With LF; "" when there is none. */
  readonly fromLine: string;
  /** The last `From ` line it had: a filter that drops the line does not mean that an mbox should take the mail for the end of the one before. */
  readonly postmark: string;
  /** Header and body in one. */
  readonly octets: Octets;
  /** Without the `From ` line, with the empty line. */
  readonly header: Buffer;
  readonly body: Octets;
  #unfolded: Buffer | undefined;
  #areas: { readonly header: Octets; readonly both: Octets } | undefined;

  constructor(fromLine: string, octets: Buffer | Octets, before = "") {
    this.fromLine = fromLine;
    this.postmark = fromLine === "" ? before : fromLine;
    this.octets = Octets.of(octets);
    const end = behindHeader(this.octets);
    this.header = this.octets.subarray(0, end).toBuffer();
    this.body = this.octets.subarray(end);
  }

  /** What a filter or a file gave: its own `From ` line counts, with the ">From " lines of earlier hosts behind it. */
  static fromText(text: Buffer | Octets, before = ""): Mail {
    const octets = Octets.of(text);
    if (!octets.startsWith(fromWord)) return new Mail("", octets, before);
    let end = 0;
    do {
      const lf = octets.indexOf(newline, end);
      end = lf < 0 ? octets.length : lf + 1;
    } while (octets.startsWith(earlierWord, end));
    return new Mail(octets.subarray(0, end).toBuffer().toString("latin1"), octets.subarray(end));
  }

  /** Octets in all. */
  get size(): number {
    return this.fromLine.length + this.octets.length;
  }

  /** The whole of it, for a program: it ends with an empty line. */
  get ended(): Octets {
    return Octets.join(Buffer.from(this.fromLine, "latin1"), endedByEmptyLine(this.octets));
  }

  /** Header for conditions: `From ` line first, each newline before a blank made a space, so that a folded field is one line. */
  get unfolded(): Buffer {
    if (this.#unfolded === undefined) {
      const header = Buffer.concat([Buffer.from(this.fromLine, "latin1"), this.header]);
      for (let at = header.indexOf(10); at >= 0; at = header.indexOf(10, at + 1)) {
        const next = header[at + 1];
        if (next === 32 || next === 9) header[at] = 32;
      }
      this.#unfolded = header;
    }
    return this.#unfolded;
  }

  /** What conditions search: the unfolded header, and that with the body. */
  get areas(): { readonly header: Octets; readonly both: Octets } {
    return (this.#areas ??= { header: Octets.of(this.unfolded), both: Octets.join(this.unfolded, this.body) });
  }

  get whole(): Chosen {
    return { fromLine: this.fromLine, postmark: this.postmark, octets: this.octets };
  }

  /** What flags h and b choose; neither is both. */
  chosen(flags: ReadonlySet<string>): Chosen {
    const header = flags.has("h");
    if (header === flags.has("b")) return this.whole;
    return header ? { fromLine: this.fromLine, postmark: this.postmark, octets: Octets.of(this.header) } : { fromLine: "", postmark: "", octets: this.body };
  }

  /** What came out of a filter takes the place of what the flags chose. */
  filtered(flags: ReadonlySet<string>, output: Octets): Mail {
    const header = flags.has("h");
    if (header === flags.has("b")) return Mail.fromText(output, this.postmark);
    return header ? Mail.fromText(Octets.join(output, this.body), this.postmark) : new Mail(this.fromLine, Octets.join(this.header, output), this.postmark);
  }
}

/** Does a message end with an empty line? */
export const endsEmpty = (octets: Octets): boolean => octets.at(octets.length - 2) === 10 && octets.at(octets.length - 1) === 10;

/** What is to be written where a message must end with an empty line: procmail sees to it for all but a Maildir, unless flag r is set. */
export const endedByEmptyLine = (octets: Octets): Octets => (endsEmpty(octets) ? octets : Octets.join(octets, newline));

const newline = Buffer.from("\n");
const emptyLine = Buffer.from("\n\n");
const fromWord = Buffer.from("From ");
const earlierWord = Buffer.from(">From ");

/** Where the body begins: behind the empty line. */
export function behindHeader(octets: Octets): number {
  if (octets.at(0) === 10) return 1;
  const at = octets.indexOf(emptyLine);
  return at < 0 ? octets.length : at + 2;
}
