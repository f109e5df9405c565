/** Known traps in an rc file. Pure: what files and folders there are is looked at by cli/lint.ts. */
import { parseRc } from "../parse.ts";
import type { Recipe, Statement } from "../tree.ts";
import { actionFindings } from "./actions.ts";
import { assignFindings, unsetFindings, unsetVariableFindings } from "./assignments.ts";
import { chainFindings } from "./chains.ts";
import { conditionFindings } from "./conditions.ts";
import { finding, type Finding } from "./rules.ts";
import { sourceFindings } from "./source.ts";
import { walk, type Place, type Variables } from "./walk.ts";

/**
 * @param variables what is set before the file is read
 * @param isDirectory of an absolute path, octets as latin1
 * @returns in the order of lines. Never throws.
 */
export function lint(octets: Buffer, variables: Variables, isDirectory: (path: string) => boolean): Finding[] {
  const text = octets.toString("latin1");
  const rc = parseRc(octets);
  const found = sourceFindings(text, rc);
  if (found[0]?.rule === "crlf") return found;
  found.push(...misplacedExtensions(text, rc.statements));
  walk(rc.statements, variables, isDirectory, (place) => found.push(...statementFindings(place)));
  const seen = new Set<string>();
  return found
    .filter((f) => {
      const key = `${String(f.line)} ${f.rule} ${f.text}`;
      return !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => a.line - b.line);
}

function statementFindings(place: Place): Finding[] {
  const { statement } = place;
  const always = unsetVariableFindings(place);
  switch (statement.kind) {
    case "assign":
      return [...always, ...assignFindings({ ...place, statement })];
    case "unset":
      return [...always, ...unsetFindings({ ...place, statement })];
    case "extension":
    case "fault":
      return always;
    case "recipe": {
      const at = { ...place, statement };
      return [...always, ...conditionFindings(statement), ...chainFindings(at), ...actionFindings(at)];
    }
  }
}

/** A "# posthorn:" comment that is no statement. */
function misplacedExtensions(text: string, statements: readonly Statement[]): Finding[] {
  const taken = new Set<number>();
  const note = (list: readonly Statement[]): void => {
    for (const s of list) {
      if (s.kind === "extension") taken.add(s.line);
      else if (s.kind === "recipe" && s.action.kind === "block") note(s.action.statements);
    }
  };
  note(statements);
  const within = new Set<number>();
  for (const r of recipesOf(statements)) for (let line = r.line + 1; line <= r.actionLine; line++) within.add(line);
  return text.split("\n").flatMap((line, i) => {
    const misplaced = within.has(i + 1) && !taken.has(i + 1) && /^[ \t]*#[ \t]*posthorn:/.test(line);
    return misplaced ? [finding("extension-in-recipe", i + 1, "within a recipe this is a comment like any other")] : [];
  });
}

const recipesOf = (statements: readonly Statement[]): Recipe[] =>
  statements.flatMap((s) => (s.kind === "recipe" ? [s, ...(s.action.kind === "block" ? recipesOf(s.action.statements) : [])] : []));
