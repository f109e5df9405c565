/**
 * Base64 as SASL profiles carry it: RFC 4648 §4, and §3.1-3.3 taken strictly. No line breaks, no other
 * alphabet, padding where it belongs, unused bits zero, so each value has exactly one spelling.
 */

const shape = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * @param text   what the client sent, without CRLF
 * @param limit  most octets of text; a longer one is refused before it is looked at
 * @returns the octets, or undefined when it is not base64 or too long. Never throws.
 */
export function decodeBase64(text: string, limit: number): Buffer | undefined {
  if (text.length > limit || text.length % 4 !== 0 || !shape.test(text)) return undefined;
  const octets = Buffer.from(text, "base64");
  // RFC 4648 §3.5: pad bits that are not zero would make a second spelling.
  return octets.toString("base64") === text ? octets : undefined;
}
