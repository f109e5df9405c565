/** One rc file and one mail through both: what is not the same. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { logOf, makeTools, prepare, tree } from "./home.ts";
import type { Message } from "./messages.ts";
import { ours } from "./ours.ts";
import type { Case } from "./read-cases.ts";
import { theirs, type Ended } from "./theirs.ts";

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

/** @param base a directory of its own for this call; it is removed */
export async function compare(base: string, c: Case, m: Message, verbose: boolean): Promise<Difference[]> {
  const tools = join(base, "tools");
  makeTools(tools);
  const results = await Promise.all(
    ([["theirs", theirs], ["ours_.", ours]] as const).map(async ([name, run]): Promise<Result> => {
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
  differ("log", comparable(a.log), comparable(b.log));
  return found;
}

/**
 * A log in an order that does not hang on which process is quicker: what a child says of itself ("Executing") goes behind
 * the rest, and where the mail was cloned all lines are sorted.
 */
function comparable(log: string): string {
  const lines = log.split("\n").map((line) => line.replace(/^(procmail: Forking) .*/, "$1"));
  if (lines.includes("procmail: Forking")) return lines.sort().join("\n");
  const child = (line: string): boolean => /^procmail: Executing/.test(line);
  return [...lines.filter((line) => !child(line)), ...lines.filter(child)].join("\n");
}
