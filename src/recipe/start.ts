/** The first line of a recipe behind its number: flags, then perhaps a colon and a lock file. Pure. */
import { readExpansion } from "./expansion.ts";
import type { Flag, Recipe } from "./tree.ts";

const flags = new Set<string>(["H", "B", "D", "A", "a", "E", "e", "h", "b", "f", "c", "w", "W", "i", "r"]);

export interface Start {
  readonly flags: ReadonlySet<Flag>;
  readonly lock: Recipe["lock"];
  /** What is passed over, as messages say it. */
  readonly skipped: string | undefined;
}

/** `Xq c` is no list of flags from the first one that is unknown on. @param words of the line, without comment */
export function readStart(words: readonly string[]): Start {
  const found = new Set<Flag>();
  for (const [i, word] of words.entries()) {
    const more = words.slice(i + 1);
    for (let at = 0; at < word.length; at++) {
      const c = word[at] ?? "";
      if (c === ":") return { flags: found, ...readLock(at + 1 < word.length ? [word.slice(at + 1), ...more] : more) };
      // In quotes.
      if (c === " " || c === "\t") continue;
      if (!flags.has(c)) return { flags: found, lock: undefined, skipped: [word.slice(at), ...more].join(" ") };
      found.add(c as Flag);
    }
  }
  return { flags: found, lock: undefined, skipped: undefined };
}

function readLock([name, ...more]: readonly string[]): Omit<Start, "flags"> {
  if (name === undefined) return { lock: { name: undefined }, skipped: undefined };
  return { lock: { name: [{ kind: "text", text: name, quoted: true }] }, skipped: more.length === 0 ? undefined : more.join(" ") };
}

/** For a line that is not expanded yet: what can be seen of it. */
export function readUnexpanded(text: string): Start {
  const start = readStart(text.split(/[ \t]+/).filter((word) => word !== ""));
  const [name] = start.lock?.name ?? [];
  return name?.kind === "text" ? { ...start, lock: { name: readExpansion(name.text, 0, "word").parts } } : start;
}
