/** Goes through an rc file in order and knows, for each statement, what stands around it and which variables have what value. Pure. */
import type { Condition, Expansion, Recipe, Statement } from "../tree.ts";

/** Values as far as the text alone tells them; undefined: set, but to something that depends on the mail. */
export type Variables = ReadonlyMap<string, string | undefined>;

export interface Place<S extends Statement = Statement> {
  readonly statement: S;
  /** The statements of its block, and its place among them. */
  readonly level: readonly Statement[];
  readonly index: number;
  /** Blocks around it, outermost first. */
  readonly inside: readonly Recipe[];
  readonly variables: Variables;
  /** Of INCLUDERC and SWITCHRC: variables may come from there. */
  readonly included: boolean;
  /** Is this folder, named as the rc file names it, a directory? */
  isDirectory(folder: string): boolean;
}

/**
 * @param variables known before the file: those of the environment and procmail's own
 * @param isDirectory of an absolute path
 */
export function walk(statements: readonly Statement[], variables: Variables, isDirectory: (path: string) => boolean, visit: (place: Place) => void): void {
  const known = new Map(variables);
  const directory = (folder: string): boolean => {
    const path = located(folder, known.get("MAILDIR"));
    return path !== undefined && isDirectory(path);
  };
  const state = { included: false };
  const level = (list: readonly Statement[], inside: readonly Recipe[]): void => {
    for (const [i, statement] of list.entries()) {
      visit({ statement, level: list, index: i, inside, variables: known, included: state.included, isDirectory: directory });
      if (statement.kind === "assign") {
        // Set to this or not set: behind a block either may be true, and the value of the block is the best guess.
        const value = constant(statement.value, known);
        known.set(statement.name, statement.name === "MAILDIR" && value !== undefined ? located(value, known.get("MAILDIR")) : value);
        if (statement.name === "INCLUDERC" || statement.name === "SWITCHRC") state.included = true;
      } else if (statement.kind === "unset") known.delete(statement.name);
      else if (statement.kind === "recipe") {
        if (statement.conditions.some(marks)) known.set("MATCH", undefined);
        if (statement.action.kind === "block") level(statement.action.statements, [...inside, statement]);
        if (statement.action.kind === "pipe" && statement.action.capture !== undefined) known.set(statement.action.capture, undefined);
      }
    }
  };
  level(statements, []);
}

const marks = ({ test }: Condition): boolean => (test.kind === "regex" && test.pattern.includes("\\/")) || test.kind === "expanded";

export const after = ({ level, index }: Place): Statement | undefined => level[index + 1];

/** The recipe before it in its block. */
export function recipeBefore({ level, index }: Place): Recipe | undefined {
  for (let i = index - 1; i >= 0; i--) {
    const statement = level[i];
    if (statement?.kind === "recipe") return statement;
  }
  return undefined;
}

/** Stands in `outline` for what can not be known. */
export const unknown = "\0";

/** The value with `unknown` for what depends on the mail. */
export function outline(text: Expansion, variables: Variables): string {
  return text
    .map((part) => {
      if (part.kind === "text") return part.text;
      if (part.kind !== "variable") return unknown;
      const value = variables.get(part.name);
      if (part.otherwise === undefined) return variables.has(part.name) ? (value ?? unknown) : unknown;
      return unknown;
    })
    .join("");
}

/** undefined when it depends on the mail. */
export function constant(text: Expansion, variables: Variables): string | undefined {
  const value = outline(text, variables);
  return value.includes(unknown) ? undefined : value;
}

/** Words of a folder action: what is unquoted is split at blanks. */
export function folderWords(text: Expansion, variables: Variables): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (const part of text) {
    const value = outline([part], variables);
    const quoted = part.kind === "text" || part.kind === "variable" ? part.quoted : false;
    if (quoted) {
      word = (word ?? "") + value;
      continue;
    }
    for (const [i, piece] of value.split(/[ \t\n]/).entries()) {
      if (i > 0) {
        if (word !== undefined) words.push(word);
        word = undefined;
      }
      if (piece !== "") word = (word ?? "") + piece;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Absolute, where that can be known. */
export function located(path: string, maildir: string | undefined): string | undefined {
  if (path.includes(unknown)) return undefined;
  if (path.startsWith("/")) return path;
  return maildir === undefined ? undefined : `${maildir.replace(/\/+$/, "")}/${path.replace(/^(?:\.\/+)+/, "")}`;
}

export type FolderKind = "Maildir" | "MH" | "file" | "/dev/null" | "unknown";

export function folderKind(name: string): FolderKind {
  if (name === "/dev/null") return "/dev/null";
  if (name.endsWith("/.")) return "MH";
  if (name.endsWith("/")) return "Maildir";
  return name.endsWith(unknown) ? "unknown" : "file";
}
