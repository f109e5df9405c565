/** The message as rules see it: a `From ` line, a header up to and with the empty line, a body. LF line ends. */

export class Mail {
  /** With LF; "" when there is none. */
  readonly fromLine: string;
  /** Without the `From ` line, with the empty line. */
  readonly header: Buffer;
  readonly body: Buffer;
  #unfolded: Buffer | undefined;

  constructor(fromLine: string, octets: Buffer) {
    this.fromLine = fromLine;
    const end = octets[0] === 10 ? 1 : behindHeader(octets);
    this.header = octets.subarray(0, end);
    this.body = octets.subarray(end);
  }

  /** What a filter or a file gave: its own `From ` line counts. */
  static fromText(octets: Buffer): Mail {
    if (!octets.subarray(0, 5).equals(fromWord)) return new Mail("", octets);
    const lf = octets.indexOf(10);
    const end = lf < 0 ? octets.length : lf + 1;
    return new Mail(octets.subarray(0, end).toString("latin1"), octets.subarray(end));
  }

  /** Octets in all. */
  get size(): number {
    return this.fromLine.length + this.header.length + this.body.length;
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

  /** Message parts as flags h and b choose. */
  parts(header: boolean, body: boolean): { readonly fromLine: string; readonly octets: Buffer } {
    if (header && body) return { fromLine: this.fromLine, octets: this.body.length === 0 ? this.header : Buffer.concat([this.header, this.body]) };
    return { fromLine: header ? this.fromLine : "", octets: header ? this.header : this.body };
  }
}

/** procmail sees to it that mail for anything but a Maildir ends with an empty line, unless flag r is set. */
export function withEmptyLine(octets: Buffer): Buffer {
  const { length } = octets;
  return length >= 2 && octets[length - 1] === 10 && octets[length - 2] === 10 ? octets : Buffer.concat([octets, newline]);
}

const newline = Buffer.from("\n");
const fromWord = Buffer.from("From ");

function behindHeader(octets: Buffer): number {
  const at = octets.indexOf("\n\n");
  return at < 0 ? octets.length : at + 2;
}
