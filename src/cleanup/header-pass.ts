/**
 * The header on its way through: fields that must not travel are taken out, what is missing is put at its end, Received:
 * fields are counted. The message is never held; the body passes as it is. Pure but for its own state.
 *
 * RFC 5322 §2.2, as Postfix's cleanup(8) understands a header: it ends at the empty line, or before the first line that is
 * neither a field nor the continuation of one, and then gets its empty line.
 */
import { ftext } from "../syntax/octets.ts";
import type { Present } from "./missing.ts";

/** Removed from every message, as Postfix's message_drop_headers: they belong to the envelope, the last hop or a mailbox. */
export const droppedFields: ReadonlySet<string> = new Set(["bcc", "content-length", "resent-bcc", "return-path"]);

/** Longest start of a line looked at for a field name. */
const nameLimit = 1024;
/** Octets of Message-ID kept for the log. */
const idLimit = 512;

const lf = 10;
const colon = 58;
const isWsp = (octet: number | undefined): boolean => octet === 32 || octet === 9;

export class HeaderPass {
  /** Received: fields so far. */
  hops = 0;
  /** The first Message-ID without folding, "" while there is none. */
  messageId = "";
  #messageIds = 0;
  #date = false;
  #from = false;
  readonly #atEnd: (present: Present) => string;
  #inBody = false;
  #first = true;
  /** Between the start of a line whose fate is known and its LF. */
  #midLine = false;
  /** Of the field the current line belongs to. */
  #drop = false;
  #capture = false;
  #held: Buffer | undefined;

  /** `atEnd` says once what to put at the end of the header, with LF. */
  constructor(atEnd: (present: Present) => string) {
    this.#atEnd = atEnd;
  }

  /** Takes message octets with LF line ends, in any pieces; returns what to write. */
  push(chunk: Buffer): readonly Buffer[] {
    if (this.#inBody) return [chunk];
    const octets = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = undefined;
    return this.#header(octets, false);
  }

  /** The message ends here; returns what is left to write. */
  end(): readonly Buffer[] {
    if (this.#inBody) return [];
    const held = this.#held ?? Buffer.alloc(0);
    this.#held = undefined;
    const out = [...this.#header(held, true)];
    if (this.#inBody) return out;
    this.#inBody = true;
    const fields = this.#atEnd(this.#present());
    const open = this.#midLine && !this.#drop;
    if (fields !== "") out.push(Buffer.from(open ? `\n${fields}` : fields, "utf8"));
    return out;
  }

  #header(octets: Buffer, last: boolean): readonly Buffer[] {
    const out: Buffer[] = [];
    /** Start of octets that are kept and not yet in `out`. */
    let kept = 0;
    let at = 0;
    const flush = (to: number): void => {
      if (to > kept) out.push(octets.subarray(kept, to));
    };
    while (at < octets.length) {
      if (this.#midLine) {
        const next = octets.indexOf(lf, at);
        const to = next < 0 ? octets.length : next + 1;
        if (this.#capture) this.#take(octets, at, to);
        if (this.#drop) kept = to;
        this.#midLine = next < 0;
        at = to;
        continue;
      }
      if (octets[at] === lf) return this.#bodyFrom(octets, at, flush, out, false);
      if (isWsp(octets[at]) && !this.#first) {
        this.#midLine = true;
        continue;
      }
      const name = fieldName(octets, at);
      if (name === "more" && !last) {
        flush(at);
        this.#held = Buffer.from(octets.subarray(at));
        return out;
      }
      if (typeof name !== "number") {
        if (!this.#first || !fromLine(octets, at)) return this.#bodyFrom(octets, at, flush, out, true);
        // A From_ line that some program left on top is no field; it must not end the header either.
        out.push(Buffer.from("X-Mailbox-Line: "));
        this.#field("x-mailbox-line");
      } else this.#field(octets.toString("latin1", at, name).toLowerCase());
      if (this.#drop) {
        flush(at);
        kept = at;
      }
      this.#first = false;
      this.#midLine = true;
    }
    flush(octets.length);
    return out;
  }

  /** The header ends before `at`. */
  #bodyFrom(octets: Buffer, at: number, flush: (to: number) => void, out: Buffer[], emptyLine: boolean): readonly Buffer[] {
    this.#inBody = true;
    const fields = this.#atEnd(this.#present()) + (emptyLine ? "\n" : "");
    if (fields === "") flush(octets.length);
    else {
      flush(at);
      out.push(Buffer.from(fields, "utf8"), octets.subarray(at));
    }
    return out;
  }

  #field(name: string): void {
    this.#drop = droppedFields.has(name);
    this.#capture = false;
    switch (name) {
      case "received":
        this.hops++;
        break;
      case "date":
        this.#date = true;
        break;
      case "from":
        this.#from = true;
        break;
      case "message-id":
        this.#capture = this.#messageIds++ === 0;
        break;
    }
  }

  #take(octets: Buffer, from: number, to: number): void {
    this.messageId += octets.toString("latin1", from, Math.min(to, from + idLimit));
    if (this.#midLine && this.messageId.length > 4 * idLimit) this.#capture = false;
  }

  #present(): Present {
    this.messageId = this.messageId.replace(/^[^:]*:/, "").replaceAll(/\s+/g, " ").trim().slice(0, idLimit);
    return { messageId: this.#messageIds > 0, date: this.#date, from: this.#from };
  }
}

/** Where the field name of a line ends; "none" when the line is no field; "more" when that can not be said yet. */
function fieldName(octets: Buffer, start: number): number | "none" | "more" {
  const stop = Math.min(octets.length, start + nameLimit);
  let at = start;
  while (at < stop && ftext[octets[at] ?? 0] === 1) at++;
  const end = at;
  while (at < stop && isWsp(octets[at])) at++;
  if (at >= stop) return stop === octets.length && stop < start + nameLimit ? "more" : "none";
  return octets[at] === colon && end > start ? end : "none";
}

/** "From " or ">From ". */
const fromLine = (octets: Buffer, at: number): boolean => /^>*From /.test(octets.toString("latin1", at, at + 16));
