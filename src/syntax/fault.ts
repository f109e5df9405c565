/** Octets do not fit a grammar. The session answers BAD, 501 or -ERR. */
export class SyntaxFault extends Error {
  /** Where, counted from the start of the buffer. */
  readonly offset: number;
  constructor(text: string, offset: number) {
    super(text);
    this.name = "SyntaxFault";
    this.offset = offset;
  }
}
