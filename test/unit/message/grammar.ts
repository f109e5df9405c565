/**
 * How far a field value follows its RFC: written from the ABNF alone, with no thought for what a parser does with the rest. Where a
 * value breaks the grammar two readers may differ behind the break, and only there.
 */

/** Where [CFWS] ends. RFC 5322 §3.2.2 */
export function cfws(text: string, from: number): number {
  let at = from;
  let depth = 0;
  let sound = from;
  for (; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === "\\" && depth > 0) at++;
    else if (c === "(") depth++;
    else if (c === ")" && depth > 0) depth--;
    else if (depth === 0 && !/[ \t]/.test(c)) return at;
    if (depth === 0) sound = at + 1;
  }
  return sound;
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  const m = pattern.exec(text);
  return m === null ? -1 : at + m[0].length;
}

const token = /[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+/y;
const quoted = /"(?:[^"\\\r\0]|\\[^\r\0])*"/y;
const word = /[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff]+|"(?:[^"\\\r\0]|\\[^\r\0])*"/y;
const addrSpec = /(?:[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff.]+|"(?:[^"\\\r\0]|\\[^\r\0])*")@(?:[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff]+(?:\.[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff]+)*|\[(?:[^[\]\\\r\0 \t]|\\[^\r\0 \t])*\])/y;
const domain = /(?:[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff]+(?:\.[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff]+)*|\[(?:[^[\]\\\r\0 \t]|\\[^\r\0 \t])*\])/y;

/** obs-route. RFC 5322 §4.4 */
function route(value: string, from: number): number {
  let at = from;
  do {
    if (value.charAt(at) !== "@") return -1;
    at = match(domain, value, cfws(value, at + 1));
    if (at < 0) return -1;
    for (at = cfws(value, at); value.charAt(at) === ","; at = cfws(value, at + 1));
  } while (value.charAt(at) !== ":");
  return at + 1;
}

/** What there is of a Content-Type or Content-Disposition. */
export interface ContentForm {
  /** A type and, for Content-Type, a subtype, with nothing wrong behind them. */
  readonly named: boolean;
  /** Names of the parameters before the first fault. RFC 2045 §5.1, RFC 2183 §2 */
  readonly params: readonly string[];
  readonly sound: boolean;
}

export function contentForm(value: string, subtype: boolean): ContentForm {
  let at = match(token, value, cfws(value, 0));
  if (at >= 0 && subtype) {
    at = cfws(value, at);
    at = value.charAt(at) === "/" ? match(token, value, cfws(value, at + 1)) : -1;
  }
  if (at < 0) return { named: false, params: [], sound: false };
  at = cfws(value, at);
  const params: string[] = [];
  for (;;) {
    if (at >= value.length) return { named: true, params, sound: true };
    const start = at;
    const bad = (): ContentForm => ({ named: params.length > 0 || value.charAt(start) === ";", params, sound: false });
    if (value.charAt(at) !== ";") return bad();
    const name = match(token, value, cfws(value, at + 1));
    if (name < 0) return bad();
    const equals = cfws(value, name);
    if (value.charAt(equals) !== "=") return bad();
    const from = cfws(value, equals + 1);
    const end = Math.max(match(token, value, from), match(quoted, value, from));
    if (end < 0) return bad();
    at = cfws(value, end);
    if (at < value.length && value.charAt(at) !== ";") return bad();
    params.push(value.slice(cfws(value, start + 1), name));
  }
}

/**
 * Entries of an IMAP address list (a group is its start, its members, its end) before the first that breaks RFC 5322 §3.4, or that takes
 * an obsolete form of §4.4 other than a route or a dot in a phrase; and whether there is none such.
 */
export function addressesForm(value: string): { readonly entries: number; readonly sound: boolean } {
  let entries = 0;
  let group = false;
  const broken = (before: number): { entries: number; sound: boolean } => ({ entries: Math.max(0, before), sound: false });
  let at = cfws(value, 0);
  while (at < value.length || group) {
    let end = mailbox(value, at);
    if (end >= 0) entries++;
    else if (!group && (end = phrase(value, at)) >= 0 && value.charAt(end) === ":") {
      group = true;
      entries++;
      at = cfws(value, end + 1);
      if (value.charAt(at) !== ";") continue;
      end = at;
    } else return broken(entries);
    if (group && value.charAt(end) === ";") {
      group = false;
      entries++;
      end = cfws(value, end + 1);
    }
    if (end >= value.length && !group) break;
    if (value.charAt(end) !== ",") return broken(entries - 1);
    at = cfws(value, end + 1);
    if (at >= value.length) return broken(entries);
  }
  return { entries, sound: true };
}

/** phrase / obs-phrase, with the CFWS behind it. */
function phrase(value: string, from: number): number {
  let at = match(word, value, from);
  while (at >= 0) {
    const next = cfws(value, at);
    const end = value.charAt(next) === "." ? next + 1 : match(word, value, next);
    if (end < 0) return next;
    at = end;
  }
  return -1;
}

/** mailbox with the CFWS behind it, or an atom alone; -1 for none. */
function mailbox(value: string, from: number): number {
  const alone = match(addrSpec, value, from);
  if (alone >= 0) return cfws(value, alone);
  const name = phrase(value, from);
  const angle = name < 0 ? from : name;
  if (value.charAt(angle) === "<") {
    const inside = cfws(value, angle + 1);
    const routed = route(value, inside);
    const spec = match(addrSpec, value, routed < 0 ? inside : cfws(value, routed));
    const end = spec < 0 ? spec : cfws(value, spec);
    return end >= 0 && value.charAt(end) === ">" ? cfws(value, end + 1) : -1;
  }
  const user = value.charAt(from) === '"' ? -1 : match(word, value, from);
  return user >= 0 && (user >= value.length || value.charAt(user) === ",") ? user : -1;
}
