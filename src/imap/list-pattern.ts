/**
 * Whether a folder name fits a pattern of LIST or LSUB: "*" is any text, "%" any text without the separator (RFC 3501 §6.3.8). The first
 * level has no case where it is INBOX. Time is at most the square of the name's length, however long the pattern.
 */
export function matchesPattern(pattern: string, name: string, separator: string): boolean {
  // A run of wildcards is one; and what is not a wildcard needs a place in the name.
  const short = pattern.replace(/[*%]{2,}/g, (run) => (run.includes("*") ? "*" : "%"));
  if (short.length > 2 * name.length + 1) return false;
  const inboxLength = name === "INBOX" || name.startsWith(`INBOX${separator}`) ? 5 : 0;
  /** reached[i]: the pattern so far fits the first i characters of the name. */
  let reached = new Uint8Array(name.length + 1);
  reached[0] = 1;
  for (const p of short) {
    const next = new Uint8Array(name.length + 1);
    if (p === "*" || p === "%") {
      for (let i = 0; i <= name.length; i++) {
        if (reached[i] === 1 || (i > 0 && next[i - 1] === 1 && (p === "*" || name[i - 1] !== separator))) next[i] = 1;
      }
    } else {
      const folded = p.toUpperCase();
      for (let i = 0; i + p.length <= name.length; i++) {
        if (reached[i] === 1 && (name.startsWith(p, i) || (i < inboxLength && name[i] === folded))) next[i + p.length] = 1;
      }
    }
    reached = next;
  }
  return reached[name.length] === 1;
}

/** The names above a name: "a/b/c" has "a" and "a/b". */
export function parents(name: string, separator: string): string[] {
  const found: string[] = [];
  for (let at = name.indexOf(separator); at > 0; at = name.indexOf(separator, at + 1)) found.push(name.slice(0, at));
  return found;
}
