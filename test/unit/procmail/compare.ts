/** One rc file and one mail through both: what is not the same. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { logOf, makeTools, prepare, tree } from "./home.ts";
import type { Message } from "./messages.ts";
import { ours } from "./ours.ts";
import type { Case } from "./read-cases.ts";
import { theirs, type Ended, type Run } from "./theirs.ts";

export interface Difference {
  readonly case: string;
  readonly message: string;
  /** "exit", "output", "log", or the path of a file. */
  readonly what: string;
  /** undefined: there is no such file. */
  readonly ours: string | undefined;
  readonly theirs: string | undefined;
}

interface Result extends Ended {
  readonly files: ReadonlyMap<string, string>;
  readonly log: string;
}

/** Arguments of procmail -m: $1, $2. */
const args = ["first", "second word"];

/** @param base a directory of its own for this call; it is removed  @param other what is compared with procmail */
export async function compare(base: string, c: Case, m: Message, verbose: boolean, other: Run = ours): Promise<Difference[]> {
  const tools = join(base, "tools");
  makeTools(tools);
  const results = await Promise.all(
    ([["theirs", theirs], ["ours_.", other]] as const).map(async ([name, run]): Promise<Result> => {
      const directory = join(base, name);
      mkdirSync(directory, { mode: 0o755 });
      const rc = prepare(directory, tools, c, verbose);
      const ended = await run(directory, rc, m.octets, args);
      return { ...ended, files: tree(directory, c), log: logOf(directory) };
    }),
  );
  rmSync(base, { recursive: true });
  const [b, a] = results;
  if (a === undefined || b === undefined) throw new Error("no results");
  const found: Difference[] = [];
  const differ = (what: string, o: string | undefined, t: string | undefined): void => {
    if (o !== t) found.push({ case: c.name, message: m.name, what, ours: o, theirs: t });
  };
  differ("exit", String(a.exit), String(b.exit));
  differ("output", a.output, b.output);
  for (const path of new Set([...a.files.keys(), ...b.files.keys()])) differ(path, a.files.get(path), b.files.get(path));
  differ("log", comparable(a.log, c), comparable(b.log, c));
  return found;
}

/** Two processes of procmail go on after a block with flag c, each as quick as it is. */
const clones = (c: Case): boolean => c.extras.concat({ name: "", mode: 0, text: c.rc }).some(({ text }) => /^[ \t]*:\d*[^:\n]*c[^\n]*\n([ \t]*[*#].*\n)*[ \t]*\{/m.test(text));

/** Lines that procmail writes at each of eight tries to make a lock where it can not. */
const tries = /^procmail: (Locking ".*"|Error while writing to ".*\/_.*")\n(?=procmail: (Locking|Error while writing to ".*\/_|Lock failure))/gm;

/**
 * A log in an order that does not hang on which process is quicker: what a child says of itself ("Executing") goes behind
 * the rest, and where the mail was cloned all lines are sorted. Why a folder can not be written is said by us only.
 */
function comparable(log: string, c: Case): string {
  const text = log.replace(tries, "").replace(/(procmail: Error while writing to ".*"): [^"\n]*$/gm, "$1");
  if (clones(c)) return text.split("\n").filter((line) => !line.startsWith("procmail: Forking")).sort().join("\n");
  const executing = /(?:^procmail: |(?<=[^\n])procmail: )Executing "(?:.*\\\n)*.*"\n/gm;
  return text.replace(executing, "") + (text.match(executing) ?? []).join("");
}
