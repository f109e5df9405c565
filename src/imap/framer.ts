/**
 * Cuts the octets of an IMAP client into whole commands: lines and the literals that belong to them
 * (RFC 3501 §4.3, RFC 7888). Every size limit of the protocol lives here. What a literal holds is never looked at, so
 * it can not become a command; a command that breaks a limit is dropped whole and the next one is read as if
 * nothing had been.
 */

/** A complete command. */
export interface CommandFrame {
  readonly kind: "command";
  /** All lines, without the last line end. A literal is left as its header `{n}` CRLF, and its octets are in `literals`. */
  readonly text: Buffer;
  readonly literals: readonly Buffer[];
}

export type Frame =
  | CommandFrame
  /** The client waits for "+ ..." before it sends a literal (RFC 3501 §7.5). */
  | { readonly kind: "continue" }
  /** A command was dropped; answer it and go on. `tag` is undefined when it had none that can be repeated. */
  | { readonly kind: "refused"; readonly tag: string | undefined; readonly why: "line" | "literal" }
  /** What comes next can not be told apart from a literal: close. */
  | { readonly kind: "lost" };

export interface FramerLimits {
  /** Octets of all lines of a command together. */
  readonly line: number;
  /** Octets of all literals of a command together, given its text so far. */
  literal(text: Buffer): number;
  /** Literals of one command. */
  readonly literals: number;
  /** Octets of a too large non-synchronising literal that are read and thrown away; above it the connection is lost. */
  readonly skip: number;
}

type State =
  | { readonly at: "line" }
  | { readonly at: "literal"; buffer: Buffer; filled: number; readonly size: number }
  /** In a dropped command, looking for the end of its line. `tail` holds the last octets seen, for a literal's header. */
  | { readonly at: "dropped line"; tail: Buffer }
  | { readonly at: "dropped literal"; left: number }
  | { readonly at: "lost" };

const LF = 10;
const CR = 13;
const empty: Buffer = Buffer.alloc(0);
const crlf = Buffer.from("\r\n");
/** "{4294967295+}" and some. */
const longestHeader = 16;

/** Push chunks, take frames until there is none. Octets behind a frame stay here until they are asked for. */
export class Framer {
  readonly #limits: FramerLimits;
  #pending = empty;
  /** #pending is ours to append to, not a chunk of the caller's. */
  #own = false;
  #start = 0;
  #end = 0;
  /** Up to here #pending is known to hold no LF. */
  #scanned = 0;
  #text: Buffer[] = [];
  #textLength = 0;
  #literals: Buffer[] = [];
  #literalLength = 0;
  #state: State = { at: "line" };

  constructor(limits: FramerLimits) {
    this.#limits = limits;
  }

  push(chunk: Buffer): void {
    const kept = this.#end - this.#start;
    if (kept === 0) {
      this.#pending = chunk;
      this.#own = false;
      this.#start = 0;
      this.#end = chunk.length;
      this.#scanned = 0;
      return;
    }
    if (!this.#own || this.#end + chunk.length > this.#pending.length) {
      // Frames handed out may be views of the old buffer, so it is left alone.
      const grown = Buffer.allocUnsafe(Math.max(kept + chunk.length, 2 * kept, 1024));
      this.#pending.copy(grown, 0, this.#start, this.#end);
      this.#pending = grown;
      this.#own = true;
      this.#scanned -= this.#start;
      this.#start = 0;
      this.#end = kept;
    }
    chunk.copy(this.#pending, this.#end);
    this.#end += chunk.length;
  }

  /** No octet is left of what was pushed. */
  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  /** The next frame, or undefined when more octets are needed. Never throws. */
  next(): Frame | undefined {
    for (;;) {
      switch (this.#state.at) {
        case "line": {
          const frame = this.#line();
          if (frame === "more") return undefined;
          if (frame !== undefined) return frame;
          break;
        }
        case "literal":
          if (!this.#literal(this.#state)) return undefined;
          break;
        case "dropped line": {
          const went = this.#droppedLine(this.#state);
          if (went === "more") return undefined;
          if (went !== undefined) return went;
          break;
        }
        case "dropped literal": {
          const n = Math.min(this.#state.left, this.#end - this.#start);
          this.#start += n;
          this.#state.left -= n;
          if (this.#state.left > 0) return undefined;
          this.#scanned = this.#start;
          this.#state = { at: "dropped line", tail: empty };
          break;
        }
        case "lost":
          this.#start = this.#end;
          return { kind: "lost" };
      }
    }
  }

  /** Takes away every octet not yet part of a frame: what a client sent behind STARTTLS or LOGIN. */
  rest(): Buffer {
    const rest = this.#pending.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#reset();
    return rest;
  }

  /** True in the middle of a command. */
  get partial(): boolean {
    return this.#start < this.#end || this.#textLength > 0 || this.#state.at !== "line";
  }

  #reset(): void {
    this.#text = [];
    this.#textLength = 0;
    this.#literals = [];
    this.#literalLength = 0;
    this.#scanned = this.#start;
    this.#state = { at: "line" };
  }

  #line(): Frame | "more" | undefined {
    const lf = this.#pending.subarray(0, this.#end).indexOf(LF, Math.max(this.#scanned, this.#start));
    const length = (lf < 0 ? this.#end : lf) - this.#start;
    if (this.#textLength + length > this.#limits.line) {
      const tag = this.#tag();
      this.#drop({ at: "dropped line", tail: empty });
      return { kind: "refused", tag, why: "line" };
    }
    if (lf < 0) {
      this.#scanned = this.#end;
      return "more";
    }
    const lineEnd = lf > this.#start && this.#pending[lf - 1] === CR ? lf - 1 : lf;
    const line = this.#pending.subarray(this.#start, lineEnd);
    const header = literalHeader(line);
    if (header === undefined) {
      const text = this.#text.length === 0 ? line : Buffer.concat([...this.#text, line]);
      const literals = this.#literals;
      this.#start = lf + 1;
      this.#reset();
      return { kind: "command", text, literals };
    }
    this.#text.push(line, crlf);
    this.#textLength += line.length + 2;
    const text = this.#text.length === 2 ? line : Buffer.concat(this.#text);
    const room = this.#limits.literal(text) - this.#literalLength;
    if (header.size > room || this.#literals.length >= this.#limits.literals) {
      const tag = this.#tag();
      this.#start = lf + 1;
      this.#dropLiteral(header);
      return { kind: "refused", tag, why: "literal" };
    }
    this.#start = lf + 1;
    this.#state = { at: "literal", buffer: empty, filled: 0, size: header.size };
    return header.waits ? { kind: "continue" } : undefined;
  }

  /** @returns false when more octets are needed */
  #literal(state: Extract<State, { at: "literal" }>): boolean {
    const n = Math.min(state.size - state.filled, this.#end - this.#start);
    if (n > 0) {
      if (state.filled + n > state.buffer.length) {
        // Grows with what has come, not with what was announced.
        const capacity = Math.min(state.size, Math.max(state.filled + n, 2 * state.buffer.length, 4096));
        const grown = Buffer.allocUnsafe(capacity);
        state.buffer.copy(grown, 0, 0, state.filled);
        state.buffer = grown;
      }
      this.#pending.copy(state.buffer, state.filled, this.#start, this.#start + n);
      state.filled += n;
      this.#start += n;
    }
    if (state.filled < state.size) return false;
    this.#literals.push(state.buffer);
    this.#literalLength += state.size;
    this.#scanned = this.#start;
    this.#state = { at: "line" };
    return true;
  }

  #drop(state: State): void {
    this.#text = [];
    this.#textLength = 0;
    this.#literals = [];
    this.#literalLength = 0;
    this.#scanned = this.#start;
    this.#state = state;
  }

  #droppedLine(state: Extract<State, { at: "dropped line" }>): Frame | "more" | undefined {
    const lf = this.#pending.subarray(0, this.#end).indexOf(LF, this.#start);
    const end = lf < 0 ? this.#end : lf;
    const seen = this.#pending.subarray(Math.max(this.#start, end - longestHeader), end);
    state.tail = Buffer.concat([state.tail, seen]).subarray(-longestHeader);
    this.#start = lf < 0 ? this.#end : lf + 1;
    if (lf < 0) return "more";
    const line = state.tail.at(-1) === CR ? state.tail.subarray(0, -1) : state.tail;
    const header = literalHeader(line);
    if (header === undefined) this.#reset();
    else this.#dropLiteral(header);
    return undefined;
  }

  /** A client that waits has been refused already and sends nothing more; one that does not wait sends the literal. */
  #dropLiteral(header: { size: number; waits: boolean }): void {
    if (header.waits) this.#reset();
    else if (header.size > this.#limits.skip) this.#drop({ at: "lost" });
    else this.#drop({ at: "dropped literal", left: header.size });
  }

  #tag(): string | undefined {
    const first = this.#text[0] ?? this.#pending.subarray(this.#start, this.#end);
    return tagOf(first);
  }
}

/** "{" number ["+"] "}" at the end of a line: literal, RFC 3501 §9; literal-non-sync, RFC 7888 §8. */
function literalHeader(line: Buffer): { size: number; waits: boolean } | undefined {
  if (line.at(-1) !== 0x7d) return undefined;
  const m = /\{(\d{1,20})(\+?)\}$/.exec(line.toString("latin1", Math.max(0, line.length - 32)));
  return m === null ? undefined : { size: Number(m[1]), waits: m[2] === "" };
}

/** The tag of a command that could not be parsed, or undefined. RFC 3501 §9 `tag`. */
export function tagOf(text: Buffer): string | undefined {
  return /^([!#$&',-.\/0-9:;<=>?@A-Z[\]^_`a-z|}~]{1,200})(?: |$)/.exec(text.toString("latin1", 0, 201))?.[1];
}
