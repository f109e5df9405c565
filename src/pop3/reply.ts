/** POP3 replies as values, and their octets. RFC 1939 §3, RFC 2449 §8, RFC 3206. Pure. */

/** RFC 2449 §8.1 (IN-USE, LOGIN-DELAY), RFC 3206 §4 (SYS/TEMP, SYS/PERM, AUTH). */
export type ResponseCode = "IN-USE" | "SYS/TEMP" | "SYS/PERM" | "AUTH";

export type Reply =
  | { readonly kind: "ok"; readonly text: string }
  | { readonly kind: "err"; readonly code: ResponseCode | undefined; readonly text: string }
  /** A challenge of AUTH, base64. RFC 5034 §4. */
  | { readonly kind: "challenge"; readonly base64: string }
  /** Multi-line; no line begins with ".". */
  | { readonly kind: "list"; readonly text: string; readonly lines: readonly string[] };

export const ok = (text = ""): Reply => ({ kind: "ok", text });
export const err = (text: string, code?: ResponseCode): Reply => ({ kind: "err", code, text });
export const list = (text: string, lines: readonly string[]): Reply => ({ kind: "list", text, lines });

const crlf = "\r\n";

/** The reply as it is sent. */
export function replyOctets(reply: Reply): Buffer {
  switch (reply.kind) {
    case "ok":
      return Buffer.from(`+OK${reply.text === "" ? "" : ` ${reply.text}`}${crlf}`);
    case "err":
      return Buffer.from(`-ERR ${reply.code === undefined ? "" : `[${reply.code}] `}${reply.text}${crlf}`);
    case "challenge":
      return Buffer.from(`+ ${reply.base64}${crlf}`);
    case "list":
      return Buffer.from(`+OK${reply.text === "" ? "" : ` ${reply.text}`}${crlf}${reply.lines.map((l) => l + crlf).join("")}.${crlf}`);
  }
}

/** "+OK", one line of it, before a message. */
export const messageIntro = (octets: number): string => `+OK ${octets} octets${crlf}`;

const dot = 0x2e;
const end = Buffer.from(`.${crlf}`);
const crlfEnd = Buffer.from(`${crlf}.${crlf}`);

/**
 * A message as the body of a multi-line reply: dots doubled at line starts, CRLF at its end where it has none, and the terminating
 * line. RFC 1939 §3.
 *
 * @param octets  with CRLF line ends
 */
export function messageBody(octets: Buffer): Buffer[] {
  const tail = octets.length === 0 || (octets.at(-1) === 0x0a && octets.at(-2) === 0x0d) ? end : crlfEnd;
  return [stuffed(octets), tail];
}

/** As `messageBody`, of octets that are characters. */
export function messageText(latin1: string): readonly string[] {
  const dotted = latin1.includes("\n.") ? latin1.replaceAll("\n.", "\n..") : latin1;
  return [...(latin1.startsWith(".") ? ["."] : []), dotted, latin1 === "" || latin1.endsWith(crlf) ? `.${crlf}` : `${crlf}.${crlf}`];
}

function stuffed(octets: Buffer): Buffer {
  let dots = octets[0] === dot ? 1 : 0;
  for (let at = octets.indexOf("\n.", 0, "latin1"); at >= 0; at = octets.indexOf("\n.", at + 2, "latin1")) dots++;
  if (dots === 0) return octets;
  const out = Buffer.allocUnsafe(octets.length + dots);
  let from = 0;
  let to = 0;
  if (octets[0] === dot) out[to++] = dot;
  for (let at = octets.indexOf("\n.", 0, "latin1"); at >= 0; at = octets.indexOf("\n.", at + 2, "latin1")) {
    to += octets.copy(out, to, from, at + 1);
    out[to++] = dot;
    from = at + 1;
  }
  octets.copy(out, to, from);
  return out;
}

/**
 * The header, the empty line and the first `lines` lines of the body: TOP. RFC 1939 §7. A view.
 *
 * @param octets  with CRLF line ends
 */
export function topOf(octets: Buffer, lines: number): Buffer {
  const empty = octets.indexOf("\r\n\r\n", 0, "latin1");
  let at = octets[0] === 0x0d && octets[1] === 0x0a ? 2 : empty < 0 ? octets.length : empty + 4;
  for (let n = 0; n < lines && at < octets.length; n++) {
    const next = octets.indexOf(0x0a, at);
    at = next < 0 ? octets.length : next + 1;
  }
  return octets.subarray(0, at);
}
