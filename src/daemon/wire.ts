/**
 * The wire between our own programs: a line of JSON, then as many raw octets as its `octets`
 * member says. Both ends are ours, but a peer may be compromised or dead, so sizes are bounded
 * and anything malformed closes the connection.
 */
import type { Socket } from "node:net";

/** Longest JSON line, octets. */
const lineLimit = 1 << 20;

/** Bodies up to here are copied behind their line: cheaper than a writev(2) of several pieces, octets. */
const copyLimit = 16 << 10;

/** Bodies from here on are collected in a buffer of their own: joined from pieces they would be in memory twice, octets. */
const ownLimit = 64 << 10;

export class WireFault extends Error {}

export interface WireFrame {
  readonly value: unknown;
  /** The receiver's own: nobody else looks at it. */
  readonly body: Buffer;
  /** Octets in front of the body, in the same memory, that are free. */
  readonly room: number;
}

/** The chunks that are pushed are the framer's: of a large body they are freed as they are copied. They must be no parts of a pool. */
export interface Handed {
  /** In front of a large body, octets. */
  readonly room: number;
}

/** Splits a byte stream into (JSON value, body) pairs. Pure: push chunks in, take frames out. Throws WireFault. */
export class WireFramer {
  readonly #bodyLimit: number;
  readonly #lineLimit: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #head: { value: unknown; octets: number } | undefined;
  /** Octets of #chunks known to hold no LF while a head is awaited. */
  #scanned = 0;
  readonly #handed: Handed | undefined;
  /** A large body that is not whole, with the room in front of it. */
  #own: { readonly memory: Buffer; filled: number } | undefined;

  /** `longest`: of a JSON line, octets. */
  constructor(bodyLimit: number, longest = lineLimit, handed?: Handed) {
    this.#bodyLimit = bodyLimit;
    this.#lineLimit = longest;
    this.#handed = handed;
  }

  push(chunk: Buffer): WireFrame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: WireFrame[] = [];
    for (;;) {
      if (this.#head === undefined) {
        const line = this.#takeLine();
        if (line === undefined) return frames;
        this.#head = parseHead(line, this.#bodyLimit);
      }
      const { value, octets } = this.#head;
      const body = octets < ownLimit ? this.#takeWhole(octets) : this.#collect(octets);
      if (body === undefined) return frames;
      frames.push({ value, body, room: octets < ownLimit ? 0 : this.#room() });
      this.#head = undefined;
    }
  }

  /** Octets received behind the last complete frame. */
  rest(): Buffer {
    return this.#take(this.#length);
  }

  #takeLine(): Buffer | undefined {
    let before = 0;
    for (const c of this.#chunks) {
      const from = Math.max(0, this.#scanned - before);
      const lf = from >= c.length ? -1 : c.indexOf(10, from);
      if (lf >= 0) {
        this.#scanned = 0;
        const line = this.#take(before + lf + 1);
        return line.subarray(0, line.length - 1);
      }
      before += c.length;
    }
    this.#scanned = this.#length;
    if (this.#length > this.#lineLimit) throw new WireFault("line too long");
    return undefined;
  }

  #takeWhole(octets: number): Buffer | undefined {
    return this.#length < octets ? undefined : this.#take(octets);
  }

  #room(): number {
    return this.#handed?.room ?? 0;
  }

  /** Pieces are let go as they come. Memory that no octet has come for yet is address space only. */
  #collect(octets: number): Buffer | undefined {
    const own = (this.#own ??= { memory: Buffer.allocUnsafeSlow(this.#room() + octets), filled: this.#room() });
    for (const [i, chunk] of this.#chunks.entries()) {
      const copied = chunk.copy(own.memory, own.filled);
      own.filled += copied;
      this.#length -= copied;
      if (copied === chunk.length) {
        if (this.#handed !== undefined) free(chunk);
        continue;
      }
      this.#chunks = [chunk.subarray(copied), ...this.#chunks.slice(i + 1)];
      break;
    }
    if (this.#length === 0) this.#chunks = [];
    if (own.filled < own.memory.length) return undefined;
    this.#own = undefined;
    return own.memory.subarray(this.#room());
  }

  #take(n: number): Buffer {
    if (n === 0) return Buffer.alloc(0);
    const whole = this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#length);
    const rest = whole.subarray(n);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return whole.subarray(0, n);
  }
}

/** At once: the collector would let many of them gather. What is part of a larger memory stays. */
function free({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

function parseHead(line: Buffer, bodyLimit: number): { value: unknown; octets: number } {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch {
    throw new WireFault("not JSON");
  }
  const octets = typeof value === "object" && value !== null && "octets" in value ? value.octets : 0;
  if (typeof octets !== "number" || !Number.isInteger(octets) || octets < 0) throw new WireFault("bad octets");
  if (octets > bodyLimit) throw new WireFault("body too large");
  return { value, octets };
}

/** Writes one frame. `value.octets` is set from the body. Returns false when the peer is slow (await "drain"). */
export function sendFrame(socket: Socket, value: object, body?: Buffer | readonly Buffer[]): boolean {
  if (body === undefined) return socket.write(`${JSON.stringify(value)}\n`);
  const chunks: readonly Buffer[] = Buffer.isBuffer(body) ? [body] : body;
  let octets = 0;
  for (const c of chunks) octets += c.length;
  const line = `${JSON.stringify({ ...value, octets })}\n`;
  if (octets <= copyLimit) return socket.write(Buffer.concat([Buffer.from(line), ...chunks]));
  socket.cork();
  socket.write(line);
  let ok = true;
  for (const c of chunks) ok = socket.write(c);
  process.nextTick(() => socket.uncork());
  return ok;
}
