/** A literal can not hold NUL (RFC 3501 §9 CHAR8): 0x80 stands for it, as Dovecot has it, so that sizes stay. The same buffer when there is none. */
export function withoutNul(octets: Buffer): Buffer {
  let at = octets.indexOf(0);
  if (at < 0) return octets;
  const clean = Buffer.from(octets);
  for (; at >= 0; at = clean.indexOf(0, at + 1)) clean[at] = 0x80;
  return clean;
}

/** The same for octets that are characters. */
export const withoutNulText = ({ latin1 }: { readonly latin1: string }): { readonly latin1: string } => ({ latin1: latin1.includes("\0") ? latin1.replaceAll("\0", "\x80") : latin1 });
