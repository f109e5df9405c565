/** A stored message (LF line ends) as SMTP carries it: CRLF line ends, dots doubled. RFC 5321 §4.5.2. Pure. */

const lf = 10;
const cr = 13;
const dot = 46;

/**
 * Made for one message: push its pieces in order, then `end`. What comes out never holds a bare CR or LF (RFC 5321 §2.3.8):
 * a stored CR that is not before LF becomes a space, because another server might take it for a line end.
 */
export class DataWriter {
  #lineStart = true;
  /** The last octet was CR, and it is not out yet. */
  #heldCr = false;

  push(piece: Buffer): Buffer {
    const out = Buffer.allocUnsafe(piece.length * 2 + 2);
    let n = 0;
    let at = 0;
    if (this.#heldCr && piece.length > 0) {
      this.#heldCr = false;
      if (piece[0] !== lf) {
        out[n++] = 32;
        this.#lineStart = false;
      }
    }
    while (at < piece.length) {
      if (this.#lineStart && piece[at] === dot) out[n++] = dot;
      let end = piece.indexOf(lf, at);
      const whole = end >= 0;
      if (!whole) end = piece.length;
      let stop = end;
      // CR before LF is part of the line end; at the very end of a piece we can not know yet.
      if (stop > at && piece[stop - 1] === cr) {
        stop--;
        if (!whole) this.#heldCr = true;
      }
      for (let bare = piece.subarray(at, stop).indexOf(cr); bare >= 0; ) {
        const before = piece.subarray(at, at + bare);
        before.copy(out, n);
        n += before.length;
        out[n++] = 32;
        at += bare + 1;
        bare = piece.subarray(at, stop).indexOf(cr);
      }
      n += piece.copy(out, n, at, stop);
      if (whole) {
        out[n++] = cr;
        out[n++] = lf;
      }
      this.#lineStart = whole;
      at = end + 1;
    }
    return out.subarray(0, n);
  }

  /** The end of the message and the line with the dot. */
  end(): Buffer {
    return Buffer.from(this.#lineStart && !this.#heldCr ? ".\r\n" : "\r\n.\r\n");
  }
}
