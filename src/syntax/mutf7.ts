/**
 * Modified UTF-7, RFC 3501 §5.1.3: how IMAP and Maildir++ spell folder names. Pure.
 *
 * Printable US-ASCII stands for itself, "&" is "&-", everything else is the base64 of its UTF-16BE
 * between "&" and "-", with "," for "/" and no padding.
 */

/** Never throws. A lone surrogate is encoded as it stands. */
export function encodeMutf7(name: string): string {
  return name.replace(/&|[^\x20-\x7e]+/g, (run) => {
    if (run === "&") return "&-";
    const utf16 = Buffer.from(run, "utf16le").swap16();
    return `&${utf16.toString("base64").replace(/=+$/, "").replaceAll("/", ",")}-`;
  });
}

/**
 * The name, or undefined when the text is not modified UTF-7 as `encodeMutf7` writes it: an octet outside
 * printable US-ASCII, an open shift, printable characters inside a shift, two shifts in a row. So each name has
 * exactly one spelling, which RFC 3501 asks for.
 */
export function decodeMutf7(text: string): string | undefined {
  if (/[^\x20-\x7e]/.test(text)) return undefined;
  if (!text.includes("&")) return text;
  let valid = true;
  const name = text.replace(/&([^-]*)(-?)/g, (_, shifted: string, end: string) => {
    if (end === "" || !/^[A-Za-z0-9+,]*$/.test(shifted)) valid = false;
    if (shifted === "") return "&";
    const octets = Buffer.from(shifted.replaceAll(",", "/"), "base64");
    if (octets.length === 0 || octets.length % 2 !== 0) {
      valid = false;
      return "";
    }
    return octets.swap16().toString("utf16le");
  });
  return valid && encodeMutf7(name) === text ? name : undefined;
}
