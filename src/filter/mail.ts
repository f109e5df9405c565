/**
 * The message as rules see it: a `From ` line, a header up to and with the empty line, a body. LF line ends. Octets are shared, never
 * copied; a filter's output makes a new message.
 */

export interface Chosen {
  readonly fromLine: string;
  /** Without the `From ` line. */
  readonly octets: Buffer;
}

export class Mail {
  /** With LF; "" when there is none. */
  readonly fromLine: string;
  /** Header and body in one. */
  readonly octets: Buffer;
  /** Without the `From ` line, with the empty line. */
  readonly header: Buffer;
  readonly body: Buffer;
  #unfolded: Buffer | undefined;
  #searched: WeakRef<Buffer> | undefined;

  constructor(fromLine: string, octets: Buffer) {
    this.fromLine = fromLine;
    this.octets = octets;
    const end = octets[0] === 10 ? 1 : behindHeader(octets);
    this.header = octets.subarray(0, end);
    this.body = octets.subarray(end);
  }

  /** What a filter or a file gave: its own `From ` line counts, with the ">From " lines of earlier hosts behind it. */
  static fromText(octets: Buffer): Mail {
    if (!octets.subarray(0, 5).equals(fromWord)) return new Mail("", octets);
    let end = 0;
    do {
      const lf = octets.indexOf(10, end);
      end = lf < 0 ? octets.length : lf + 1;
    } while (octets.subarray(end, end + 6).equals(earlierWord));
    return new Mail(octets.subarray(0, end).toString("latin1"), octets.subarray(end));
  }

  /** Octets in all. */
  get size(): number {
    return this.fromLine.length + this.octets.length;
  }

  /** The whole of it, for a program: it ends with an empty line. */
  get ended(): readonly Buffer[] {
    return [Buffer.from(this.fromLine, "latin1"), ...endedByEmptyLine(this.octets)];
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

  /** Header and body for conditions: a copy, for as long as somebody looks at it. */
  get searched(): Buffer {
    const known = this.#searched?.deref();
    if (known !== undefined) return known;
    const made = Buffer.concat([this.unfolded, this.body]);
    this.#searched = new WeakRef(made);
    return made;
  }

  get whole(): Chosen {
    return { fromLine: this.fromLine, octets: this.octets };
  }

  /** What flags h and b choose; neither is both. */
  chosen(flags: ReadonlySet<string>): Chosen {
    const header = flags.has("h");
    if (header === flags.has("b")) return this.whole;
    return { fromLine: header ? this.fromLine : "", octets: header ? this.header : this.body };
  }

  /** What came out of a filter takes the place of what the flags chose. */
  filtered(flags: ReadonlySet<string>, output: Buffer): Mail {
    const header = flags.has("h");
    if (header === flags.has("b")) return this.#keepingFromLine(Mail.fromText(output));
    return header ? this.#keepingFromLine(Mail.fromText(Buffer.concat([output, this.body]))) : new Mail(this.fromLine, Buffer.concat([this.header, output]));
  }

  /** A program that drops the `From ` line does not mean it: an mbox would not be one any more. */
  #keepingFromLine(mail: Mail): Mail {
    return mail.fromLine === "" && this.fromLine !== "" ? new Mail(this.fromLine, mail.octets) : mail;
  }
}

/** What is to be written where a message must end with an empty line: procmail sees to it for all but a Maildir, unless flag r is set. */
export function endedByEmptyLine(octets: Buffer): readonly Buffer[] {
  const { length } = octets;
  return length >= 2 && octets[length - 1] === 10 && octets[length - 2] === 10 ? [octets] : [octets, newline];
}

export const withEmptyLine = (octets: Buffer): Buffer => {
  const [only, more] = endedByEmptyLine(octets);
  return more === undefined ? (only ?? octets) : Buffer.concat([octets, more]);
};

const newline = Buffer.from("\n");
const fromWord = Buffer.from("From ");
const earlierWord = Buffer.from(">From ");

function behindHeader(octets: Buffer): number {
  const at = octets.indexOf("\n\n");
  return at < 0 ? octets.length : at + 2;
}
