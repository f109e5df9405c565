/** What a flag change makes of each message: letters in its name, and keywords that have no letter. */
import { StoreFault, type FlagChange, type Flags } from "../mailbox.ts";
import type { KeywordLine } from "./extra-keywords.ts";
import { lettersIn, sortLetters } from "./filename.ts";
import type { Folder } from "./folder.ts";
import { keywordsLimit } from "./other-keywords.ts";
import { baseOf } from "./row.ts";

/** Letters of flags, sorted, and the keywords that have none, in the spelling of this folder. @param make new keywords get letters while there are some */
export async function lettersFor(folder: Folder, flags: Flags, make: boolean): Promise<{ readonly letters: string; readonly others: readonly string[] }> {
  const { letters, others } = await folder.keywords.lettersOf(flags, make ? () => lettersInUse(folder) : undefined);
  const spelled = others.map((keyword) => folder.others.spelling(keyword));
  if (make && spelled.some((keyword) => keyword === undefined) && folder.others.all.length + spelled.length > keywordsLimit)
    throw new StoreFault("limit", `a mailbox can hold ${keywordsLimit} keywords`);
  return { letters: sortLetters(letters), others: others.map((keyword, i) => spelled[i] ?? keyword) };
}

/** Letters in names, whether they stand for anything or not: `dovecot-keywords` may be gone, and another meaning would flag other messages too. */
function lettersInUse({ table }: Folder): ReadonlySet<string> {
  const letters = new Set<string>();
  for (let set = 0; set < table.setCount; set++) for (const letter of lettersIn(table.setAt(set))) letters.add(letter);
  return letters;
}

/** What to do to the flags of messages. */
export interface Planned {
  readonly how: FlagChange["how"];
  readonly letters: string;
  readonly others: readonly string[];
}

export class FlagPlan {
  readonly #folder: Folder;
  readonly #planned: Planned | undefined;
  /** Thousands of messages have the same few letters. */
  readonly #known = new Map<number, string | undefined>();

  /** @param planned undefined changes nothing */
  constructor(folder: Folder, planned: Planned | undefined) {
    this.#folder = folder;
    this.#planned = planned;
  }

  /** What follows the base name afterwards, by the number of what does now; undefined when the letters stay. */
  next(set: number): string | undefined {
    if (this.#known.has(set)) return this.#known.get(set);
    const now = lettersIn(this.#folder.table.setAt(set));
    const letters = this.#letters(now);
    const next = letters === now ? undefined : `:2,${letters}`;
    this.#known.set(set, next);
    return next;
  }

  #letters(now: string): string {
    if (this.#planned === undefined) return now;
    const { how, letters } = this.#planned;
    switch (how) {
      case "add":
        return [...letters].every((letter) => now.includes(letter)) ? now : sortLetters(now + letters);
      case "remove":
        return [...letters].some((letter) => now.includes(letter)) ? sortLetters([...now].filter((letter) => !letters.includes(letter))) : now;
      case "replace":
        return sortLetters([...letters, ...[...now].filter((letter) => !this.#folder.keywords.means(letter))]);
    }
  }

  /** Changes keywords without a letter. Durable when it resolves. */
  async others(rows: readonly number[]): Promise<void> {
    const folder = this.#folder;
    if (this.#planned === undefined || (this.#planned.others.length === 0 && this.#planned.how !== "replace" && !folder.others.any)) return;
    const lines: KeywordLine[] = [];
    const changed: number[] = [];
    for (const row of rows) {
      const now = folder.table.setAt(folder.table.at.more[row]);
      const next = this.#others(now === "" ? [] : now.split(" ")).join(" ");
      if (next === now) continue;
      lines.push({ keywords: next, base: baseOf(folder.table, row) });
      changed.push(folder.table.at.uid[row]);
    }
    if (lines.length > 0 || this.#planned.others.length > 0) await folder.others.keep(lines);
    lines.forEach(({ keywords }, i) => folder.others.set(changed[i], keywords));
  }

  #others(now: readonly string[]): readonly string[] {
    if (this.#planned === undefined) return now;
    const { how, others } = this.#planned;
    switch (how) {
      case "add":
        return [...now, ...others.filter((keyword) => !now.includes(keyword))];
      case "remove":
        return now.filter((keyword) => !others.includes(keyword));
      case "replace":
        return others;
    }
  }
}
