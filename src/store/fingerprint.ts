/** FNV-1a, 32 bits: of the name that a message has for life, where that is to be told from another in few octets. */

const start = 0x811c9dc5;
const factor = 0x01000193;

/** @param text of characters below 256 */
export function hashOfText(text: string): number {
  let hash = start;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), factor);
  return hash >>> 0;
}

/** The same of octets that are the characters. */
export function hashOfOctets(octets: Uint8Array, from: number, to: number): number {
  let hash = start;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (octets[at] ?? 0), factor);
  return hash >>> 0;
}
