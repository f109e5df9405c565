/** The file of `formail -D`. It is not locked, as with the original: recipes use a lock file (:0 Wh: msgid.lock). */
import { closeSync, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { entry, lookup } from "../formail/id-cache.ts";

/**
 * Opens the cache, or makes it. The function says whether a key is known, and writes it down when not: one write, so that a kill loses the
 * last key at worst. undefined when it can not be opened.
 */
export function openCache(path: string, maxlen: number): ((key: Buffer) => boolean) | undefined {
  const name = Buffer.from(path, "latin1");
  try {
    closeSync(openSync(name, "a+", 0o666));
    const fd = openSync(name, "r+");
    if (!fstatSync(fd).isFile()) return undefined;
    return (key) => {
      const { found, at } = lookup(readFileSync(name), key, maxlen);
      if (!found) writeSync(fd, entry(key), 0, undefined, at);
      return found;
    };
  } catch {
    return undefined;
  }
}
