/**
 * Message identifiers in facts: 64 bits that stand for the text. Two that differ and have the same bits would join two threads, which anybody
 * can do who writes a References field; by chance it happens once in some 10^7 mailboxes of a million identifiers.
 */

export const idOctets = 8;

/** Two multiplicative hashes over the octets, mixed at the end. Never all zeros. */
export function hashId(id: string, into: Buffer, at: number): void {
  let a = 0x9e3779b9 | 0;
  let b = 0x85ebca6b | 0;
  for (let i = 0; i < id.length; i++) {
    const c = id.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul((b ^ c) + ((b << 13) | (b >>> 19)), 0x5bd1e995);
  }
  a = mix(a ^ id.length);
  b = mix(b + a);
  into.writeInt32LE(a === 0 && b === 0 ? 1 : a, at);
  into.writeInt32LE(b, at + 4);
}

function mix(h: number): number {
  let x = h ^ (h >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return x ^ (x >>> 16);
}
