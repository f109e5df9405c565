/**
 * A connection whose octets are read without a buffer of its own for each read: all sources of a process are read into one, and what must
 * stay longer than the reading is copied into buffers that go round. Pages that are written for the first time, and collecting them,
 * cost more than the octets do. A connection with nothing to say holds no memory.
 */
import type { OnReadOpts } from "node:net";

/** The most that one read takes: what a Unix socket holds as a rule, octets. */
const roomSize = 131_072;
const room = Buffer.allocUnsafeSlow(roomSize);

/** Up to here a copy is made as any other: Node has a pool for these. */
const shortSize = 4096;
/** Buffers kept for the next copies. */
const keptLimit = 16;
const kept: Buffer[] = [];

/** Octets for as long as they are needed; call `release` once, behind which they may change. */
export interface Lent {
  readonly octets: Buffer;
  readonly release: () => void;
}

/** A copy of octets which `OctetSource` gave. */
export function lend(octets: Buffer): Lent {
  if (octets.length <= shortSize) return { octets: Buffer.from(octets), release: () => {} };
  const whole = kept.pop() ?? Buffer.allocUnsafeSlow(roomSize);
  octets.copy(whole);
  return {
    octets: whole.subarray(0, octets.length),
    release: () => {
      if (kept.length < keptLimit) kept.push(whole);
    },
  };
}

/**
 * Takes a read: the octets are good until it returns (see `lend`). False pauses the socket; its `resume` goes on.
 */
export type Hear = (octets: Buffer) => boolean;

/** What is said on a connection and who hears it. Made before its socket, which wants `onread` when it is made. */
export class OctetSource {
  #hear: Hear;

  constructor(hear: Hear) {
    this.#hear = hear;
  }

  readonly onread: OnReadOpts = {
    buffer: room,
    callback: (count) => this.#hear(room.subarray(0, count)),
  };

  /** Somebody else hears from here on. */
  heardBy(hear: Hear): void {
    this.#hear = hear;
  }
}
