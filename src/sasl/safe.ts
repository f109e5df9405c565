/** Longest name or password taken, octets. RFC 4616 §2 asks for 255 at least; no hash or passwd field needs more than this. */
export const partLimit = 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * 1*SAFE
 *
 * RFC 4616 §2: UTF-8 without NUL, at least one octet.
 *
 * @returns the text, or undefined when it is anything else or longer than `partLimit`. Never throws.
 */
export function safe(octets: Buffer): string | undefined {
  if (octets.length === 0 || octets.length > partLimit || octets.includes(0)) return undefined;
  try {
    return utf8.decode(octets);
  } catch {
    return undefined;
  }
}
