/** Message identifiers, and the references that threads are made of. RFC 5322 §3.6.4; RFC 5256 §3 THREAD. Pure, linear. */
import { valueOf, type Header } from "./header.ts";
import { Text } from "./text-scanner.ts";

/** What makes a msg-id more than one that stands as it is: something quoted, a comment, a domain literal, white space. */
const special = /[<>"()[\]\\\s]/;

/** No line is longer (RFC 5322 §2.1.1). */
const longestPlain = 998;

/** The msg-id between "<" and the next ">", where it is as nearly all are; undefined where it must be looked at. */
function plainId(value: string, from: number, to: number): string | undefined {
  if (to - from > longestPlain) return undefined;
  const id = value.slice(from, to).trim();
  const at = id.indexOf("@");
  return at > 0 && at < id.length - 1 && !id.includes("@", at + 1) && !special.test(id) ? id : undefined;
}

/**
 * The identifiers in a Message-ID, References or In-Reply-To value, without "<" and ">", quoting, comments and white space, so that two ways of
 * writing one are the same text (RFC 5256 §3). What is no msg-id is passed over.
 */
export function messageIds(value: string, limit = Infinity): string[] {
  const found: string[] = [];
  let end = 0;
  for (let at = value.indexOf("<"); at >= 0 && found.length < limit; at = value.indexOf("<", at)) {
    if (end <= at) end = value.indexOf(">", at);
    if (end < 0) break;
    const simple = plainId(value, at + 1, end);
    if (simple !== undefined) {
      found.push(simple);
      at = end + 1;
      continue;
    }
    const s = new Text(value);
    s.position = at + 1;
    const id = quotedId(s);
    if (id !== undefined) found.push(id);
    at = Math.max(at + 1, s.position);
  }
  return found;
}

/** The rest of a msg-id behind its "<"; undefined, at the octet that does not fit, when it is none. */
function quotedId(s: Text): string | undefined {
  let id = "";
  let at = 0;
  for (;;) {
    s.comments();
    const c = s.peek();
    switch (c) {
      case "":
      case "<":
        return undefined;
      case ">":
        s.skip();
        return at > 0 && at < id.length ? id : undefined;
      case '"':
        id += s.quotedString();
        break;
      case "@":
        s.skip();
        if (id === "") return undefined;
        id += c;
        if (at === 0) at = id.length;
        break;
      default:
        s.skip();
        id += c;
    }
  }
}

/** The message's own identifier. */
export const ownId = (header: Header): string | undefined => messageIds(valueOf(header, "message-id") ?? "", 1)[0];

/** What it answers, oldest first: References, or the first of In-Reply-To where that names none (RFC 5256 §3). */
export function references(header: Header): string[] {
  const found = messageIds(valueOf(header, "references") ?? "");
  return found.length > 0 ? found : messageIds(valueOf(header, "in-reply-to") ?? "", 1);
}
