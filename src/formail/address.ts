/** Addresses as formail(1) takes them from header fields: the bare address, without comments, phrases and angle brackets. */

const quote = 0x22;
const openParenthesis = 0x28;
const closeParenthesis = 0x29;
const comma = 0x2c;
const dot = 0x2e;
const colon = 0x3a;
const semicolon = 0x3b;
const openAngle = 0x3c;
const closeAngle = 0x3e;
const at = 0x40;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;

const isSpace = (c: number): boolean => c === 0x20 || c === 0x09 || c === 0x0a;

/**
 * The first address in the value of a field. What is in angle brackets goes before what is outside; outside, an address ends where two
 * words stand beside each other. A group ("a: b, c;") is one address. An address with "," or ";" in angle brackets keeps the brackets.
 * "" when there is none. A NUL ends the value. Never throws.
 *
 * @param inAngle  the value is taken as if it stood in angle brackets: the sender in a `From ` line
 */
export function bareAddress(value: Buffer, inAngle = false): string {
  let out: number[] = [];
  let angle = inAngle;
  let group = false;
  let listed = false;
  /** A blank or a comment stands between what was taken and what comes. */
  let gap = false;
  /** Words behind the first are left out, but an address in angle brackets may still come. */
  let over = false;
  scan: for (let i = 0; i < value.length; i++) {
    const c = value[i] ?? 0;
    switch (c) {
      case 0:
      case closeAngle:
        break scan;
      case openAngle:
        out = [];
        angle = true;
        group = listed = gap = over = false;
        continue;
      case openParenthesis:
        i = commentEnd(value, i);
        gap = true;
        continue;
      case comma:
      case semicolon:
        if (over || (!group && !angle)) break scan;
        if (!group) listed = true;
        if (!over) out.push(c);
        gap = false;
        if (group && c === semicolon) break scan;
        continue;
      case quote:
      case openBracket: {
        const end = quotedEnd(value, i, c === quote ? quote : closeBracket);
        if (!over) for (const octet of value.subarray(i, end)) out.push(octet);
        i = end - 1;
        gap = false;
        continue;
      }
      case dot:
      case colon:
      case at:
        if (c === colon) group = true;
        gap = false;
        if (!over) out.push(c);
        continue;
    }
    if (isSpace(c)) {
      gap = true;
      continue;
    }
    if (gap && !angle && out.length > 0 && !joins(out[out.length - 1])) over = true;
    gap = false;
    if (over) continue;
    out.push(c);
    if (c === backslash && i + 1 < value.length) out.push(value[++i] ?? 0);
  }
  const address = Buffer.from(out).toString("latin1");
  return listed ? `<${address}>` : address;
}

const joins = (c: number | undefined): boolean => c === dot || c === colon || c === at || c === comma;

/** Index of the parenthesis that ends the comment at `i`; the length when none does. */
function commentEnd(value: Buffer, i: number): number {
  let depth = 0;
  for (; i < value.length; i++) {
    const c = value[i];
    if (c === backslash) i++;
    else if (c === openParenthesis) depth++;
    else if (c === closeParenthesis && --depth === 0) return i;
  }
  return value.length;
}

/** Index behind the quoted string or domain literal at `i`. */
function quotedEnd(value: Buffer, i: number, close: number): number {
  for (i++; i < value.length && value[i] !== 0; i++) {
    if (value[i] === backslash) i++;
    else if (value[i] === close) return i + 1;
  }
  return Math.min(i, value.length);
}
