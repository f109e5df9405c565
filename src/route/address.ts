/** An address of the envelope in its parts. Pure. */

export interface AddressParts {
  /** Without quotes and backslashes. */
  readonly local: string;
  /** Lower case; "" when there is none. */
  readonly domain: string;
}

/** RFC 5321 §4.1.2 Mailbox, taken as valid already. The last "@" ends the local part. Never throws. */
export function splitAddress(address: string): AddressParts {
  const at = address.startsWith('"') ? address.indexOf("@", closingQuote(address)) : address.lastIndexOf("@");
  const local = at < 0 ? address : address.slice(0, at);
  return { local: unquoteLocal(local), domain: at < 0 ? "" : address.slice(at + 1).toLowerCase() };
}

function closingQuote(text: string): number {
  for (let i = 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return text.length;
}

const unquoteLocal = (local: string): string => (/^".*"$/s.test(local) ? local.slice(1, -1).replaceAll(/\\(.)/gs, "$1") : local);

/**
 * user+ext in its parts, or undefined when there is no extension. The first of the delimiter characters counts; not at the
 * start; not in names that mail systems reserve (Postfix, split_addr(3)).
 */
export function splitExtension(local: string, delimiters: string): { readonly user: string; readonly extension: string } | undefined {
  if (/^(postmaster|mailer-daemon|double-bounce)$/i.test(local)) return undefined;
  if (delimiters.includes("-") && /^owner-|-request$/i.test(local)) return undefined;
  for (let i = 1; i < local.length; i++) {
    if (delimiters.includes(local[i] ?? "")) return { user: local.slice(0, i), extension: local.slice(i + 1) };
  }
  return undefined;
}
