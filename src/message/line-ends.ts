/**
 * Line ends: files carry LF, protocols CRLF. A bare LF is a line end; a bare CR is text and stays (RFC 5322 §2.2 has neither, but
 * stored mail has both).
 */

const lf = 0x0a;
const cr = 0x0d;

/** How many LFs have no CR before them: octets that `toCrlf` adds. */
function bareLineFeeds(octets: Buffer): number {
  let bare = 0;
  for (let at = octets.indexOf(lf); at >= 0; at = octets.indexOf(lf, at + 1)) if (at === 0 || octets[at - 1] !== cr) bare++;
  return bare;
}

/** The length of `toCrlf(octets)`, without making it: RFC822.SIZE and POP3 sizes. */
export const crlfSize = (octets: Buffer): number => octets.length + bareLineFeeds(octets);

/** Every LF with a CR before it. The same buffer when there is nothing to do, else a new one. */
export function toCrlf(octets: Buffer): Buffer {
  const bare = bareLineFeeds(octets);
  if (bare === 0) return octets;
  const out = Buffer.allocUnsafe(octets.length + bare);
  let from = 0;
  let to = 0;
  for (let at = octets.indexOf(lf); at >= 0; at = octets.indexOf(lf, at + 1)) {
    if (at > 0 && octets[at - 1] === cr) continue;
    to += octets.copy(out, to, from, at);
    out[to++] = cr;
    from = at;
  }
  octets.copy(out, to, from);
  return out;
}

/** Every CRLF as LF; other CRs stay. The same buffer when there is nothing to do, else a new one. */
export function toLf(octets: Buffer): Buffer {
  let at = octets.indexOf("\r\n", 0, "latin1");
  if (at < 0) return octets;
  const out = Buffer.allocUnsafe(octets.length - 1);
  let from = 0;
  let to = 0;
  for (; at >= 0; at = octets.indexOf("\r\n", at + 2, "latin1")) {
    to += octets.copy(out, to, from, at);
    from = at + 1;
  }
  to += octets.copy(out, to, from);
  return out.subarray(0, to);
}
