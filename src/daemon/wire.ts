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

const nothing = Buffer.alloc(0);

export interface WireFrame<S = never> {
  readonly value: unknown;
  /** Empty where a sink that was asked for has it. */
  readonly body: Buffer;
  readonly sink: S | undefined;
}

/** Takes a large body as it comes. */
export interface BodySink {
  /** The octets are the sink's own from here on, and may be freed when it returns. */
  take(octets: Buffer): void;
}

/**
 * Where bodies of `from` octets or more go. The chunks that are pushed are then the framer's: they are freed when a sink has had them. They must
 * be no parts of a pool.
 */
export interface LargeBodies<S extends BodySink> {
  readonly from: number;
  open(octets: number): S;
}

/** A large body where no sink was asked for. Memory that no octet has come for yet is address space only. */
class OwnBody implements BodySink {
  readonly memory: Buffer;
  #filled = 0;

  constructor(octets: number) {
    this.memory = Buffer.allocUnsafeSlow(octets);
  }

  take(octets: Buffer): void {
    this.#filled += octets.copy(this.memory, this.#filled);
  }
}

/** Splits a byte stream into (JSON value, body) pairs. Pure: push chunks in, take frames out. Throws WireFault. */
export class WireFramer<S extends BodySink = never> {
  readonly #bodyLimit: number;
  readonly #lineLimit: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #head: { value: unknown; octets: number } | undefined;
  /** Octets of #chunks known to hold no LF while a head is awaited. */
  #scanned = 0;
  readonly #large: LargeBodies<S> | undefined;
  /** A large body that is not whole, and the octets that are missing. */
  #filling: { readonly sink: S | OwnBody; missing: number } | undefined;

  /** `longest`: of a JSON line, octets. */
  constructor(bodyLimit: number, longest = lineLimit, large?: LargeBodies<S>) {
    this.#bodyLimit = bodyLimit;
    this.#lineLimit = longest;
    this.#large = large;
  }

  push(chunk: Buffer): WireFrame<S>[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: WireFrame<S>[] = [];
    for (;;) {
      if (this.#head === undefined) {
        const line = this.#takeLine();
        if (line === undefined) return frames;
        this.#head = parseHead(line, this.#bodyLimit);
      }
      const { value, octets } = this.#head;
      const filled = octets >= (this.#large?.from ?? ownLimit) ? this.#fill(octets) : this.#takeWhole(octets);
      if (filled === undefined) return frames;
      if (Buffer.isBuffer(filled)) frames.push({ value, body: filled, sink: undefined });
      else if (filled instanceof OwnBody) frames.push({ value, body: filled.memory, sink: undefined });
      else frames.push({ value, body: nothing, sink: filled });
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

  /** The sink, when it has all. */
  #fill(octets: number): S | OwnBody | undefined {
    const filling = (this.#filling ??= { sink: this.#large?.open(octets) ?? new OwnBody(octets), missing: octets });
    const { sink } = filling;
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      const taken = chunk.subarray(0, filling.missing);
      const rest = chunk.subarray(taken.length);
      filling.missing -= taken.length;
      this.#length -= taken.length;
      sink.take(rest.length === 0 ? taken : Buffer.from(taken));
      if (rest.length > 0) this.#chunks.unshift(rest);
      else if (this.#large !== undefined) free(chunk);
      if (filling.missing > 0) continue;
      this.#filling = undefined;
      return sink;
    }
    return undefined;
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
