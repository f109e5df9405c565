/** Files and folders that an rc file names, where their names can be known. Pure; whoever asks looks at them. */
import type { Extension, ExtensionName } from "../extensions.ts";
import { parseRc } from "../parse.ts";
import { constant, folderKind, folderWords, located, walk, type Place, type Variables } from "./walk.ts";

export interface Named {
  readonly line: number;
  /** "include": another rc file; "message": the text of a vacation; "directory": MAILDIR; "lock" and "log": files that are made; the rest are folders. */
  readonly kind: "include" | "message" | "directory" | "lock" | "log" | "Maildir" | "MH" | "mbox" | "plain directory";
  /** Absolute. */
  readonly path: string;
  /** As known there: an included file is read with them. */
  readonly variables: Variables;
}

export function filesNamed(octets: Buffer, variables: Variables, isDirectory: (path: string) => boolean): Named[] {
  const found: Named[] = [];
  walk(parseRc(octets).statements, variables, isDirectory, (place) => {
    for (const { line, kind, name } of names(place)) {
      const path = name === undefined || name === "" ? undefined : located(name, place.variables.get("MAILDIR"));
      if (path !== undefined) found.push({ line, kind, path, variables: new Map(place.variables) });
    }
  });
  return found;
}

/** An extension with a value that can be known. */
export interface Given {
  readonly line: number;
  readonly name: ExtensionName;
  readonly how: Extension["how"];
  readonly value: string;
}

export function extensionsGiven(octets: Buffer, variables: Variables): Given[] {
  const found: Given[] = [];
  walk(parseRc(octets).statements, variables, () => false, ({ statement, variables: known }) => {
    const value = statement.kind === "extension" ? constant(statement.value, known) : undefined;
    if (statement.kind === "extension" && value !== undefined) found.push({ line: statement.line, name: statement.name, how: statement.how, value });
  });
  return found;
}

interface Name {
  readonly line: number;
  readonly kind: Named["kind"];
  readonly name: string | undefined;
}

const assigned: Readonly<Record<string, Named["kind"]>> = { INCLUDERC: "include", SWITCHRC: "include", MAILDIR: "directory", LOCKFILE: "lock", LOGFILE: "log" };

function names({ statement, variables, isDirectory }: Place): Name[] {
  if (statement.kind === "assign") {
    const kind = assigned[statement.name];
    return kind === undefined ? [] : [{ line: statement.line, kind, name: constant(statement.value, variables) }];
  }
  if (statement.kind === "extension") return statement.name === "vacation" ? [{ line: statement.line, kind: "message", name: constant(statement.value, variables) }] : [];
  if (statement.kind !== "recipe") return [];
  const { lock, action, line, actionLine } = statement;
  const list: Name[] = [];
  if (lock?.name !== undefined) list.push({ line, kind: "lock", name: constant(lock.name, variables) });
  if (action.kind !== "folder") return list;
  for (const [i, name] of folderWords(action.folders, variables).entries()) {
    const kind = folderKind(name);
    if (kind === "Maildir" || kind === "MH") list.push({ line: actionLine, kind, name });
    else if (isDirectory(name)) list.push({ line: actionLine, kind: "plain directory", name });
    else if (kind === "file" && i === 0) list.push({ line: actionLine, kind: "mbox", name });
  }
  return list;
}
