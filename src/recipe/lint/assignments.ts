/** Assignments, and variables in every text. Pure. */
import type { Expansion, Recipe, Statement } from "../tree.ts";
import { finding, type Finding } from "./rules.ts";
import { constant, type Place } from "./walk.ts";

type Assign = Extract<Statement, { readonly kind: "assign" }>;
type Unset = Extract<Statement, { readonly kind: "unset" }>;

const shellWords = new Set(["export", "set", "unset", "if", "then", "else", "elif", "fi", "for", "do", "done", "while", "case", "esac", "local", "readonly", "setenv", "source", "echo", "include", "return"]);

export function assignFindings({ statement, variables }: Place<Assign>): Finding[] {
  const { name, value, line } = statement;
  const text = constant(value, variables);
  const found: Finding[] = [];
  const [head] = value;
  if (head?.kind === "text" && !head.quoted && head.text.startsWith("~")) found.push(finding("tilde-is-literal", line, `"~" is not expanded: the value begins with it`));
  if (value.some((part) => part.kind === "text" && !part.quoted && part.text.includes("$("))) found.push(finding("shell-expansion", line, `"$(" is no command substitution: it stays as it is, and the value ends at the first blank`));
  if (name === "HOST") found.push(finding("host-discards", line, "where the host's name is another one, this rc file ends here, and the mail disappears without a trace when it is the last"));
  if (name === "DELIVERED" && text !== undefined && /^\s*(?:[1-9yYtT]|on|e)/i.test(text)) found.push(finding("delivered-discards", line, "from here on the mail counts as delivered: when it can not be delivered after all it is lost"));
  return found;
}

export function unsetFindings({ statement, level, index }: Place<Unset>): Finding[] {
  const { name, line } = statement;
  const last = level[index - 1];
  if (shellWords.has(name)) return [finding("shell-statement", line, `"${name}" is no statement here: words alone unset the variables of that name, those behind it too`)];
  if (last?.kind === "unset" && last.line === line) return [];
  if (last?.kind === "assign" && last.line === line) return [finding("second-word", line, `the value of ${last.name} ends at the blank; "${name}" is a statement of its own, which unsets a variable`)];
  return [];
}

/** Set by procmail, or known without being set. procmailrc(5), "Environment variable defaults". */
const known = new Set([
  ..."LOGNAME HOME SHELL PATH SHELLMETAS SHELLFLAGS ORGMAIL MAILDIR DEFAULT MSGPREFIX SENDMAIL SENDMAILFLAGS HOST COMSAT PROCMAIL_VERSION LOCKEXT".split(" "),
  ..."LOGFILE LOG LOGABSTRACT VERBOSE LOCKFILE LOCKSLEEP LOCKTIMEOUT TIMEOUT SUSPEND NORESRETRY LINEBUF UMASK TRAP EXITCODE DELIVERED DROPPRIVS".split(" "),
  ..."LASTFOLDER MATCH SHIFT INCLUDERC SWITCHRC PROCMAIL_OVERFLOW PROCMAIL_MODE USER TZ TMPDIR LANG".split(" "),
]);

/** Variables that nothing has set before. Files that are included may set any. */
export function unsetVariableFindings({ statement, variables, included }: Place): Finding[] {
  if (included) return [];
  const found: Finding[] = [];
  for (const { text, line } of texts(statement)) {
    for (const part of text) {
      if ((part.kind !== "variable" && part.kind !== "disarmed") || !/^[A-Za-z_]/.test(part.name) || part.name === "_") continue;
      if (part.kind === "variable" && part.otherwise !== undefined) continue;
      if (known.has(part.name) || variables.has(part.name)) continue;
      // A variable that takes on its own old value: A="$A more".
      if (statement.kind === "assign" && statement.name === part.name) continue;
      found.push(finding("unset-variable", line, `$${part.name} is set nowhere before: it is empty`));
    }
  }
  return found;
}

function texts(statement: Statement): { readonly text: Expansion; readonly line: number }[] {
  switch (statement.kind) {
    case "assign":
    case "extension":
      return [{ text: statement.value, line: statement.line }];
    case "unset":
    case "fault":
      return [];
    case "recipe":
      return recipeTexts(statement);
  }
}

function recipeTexts({ conditions, action, actionLine, lock, line }: Recipe): { readonly text: Expansion; readonly line: number }[] {
  const list = conditions.flatMap((c) => (c.test.kind === "expanded" ? [{ text: c.test.text, line: c.line }] : []));
  if (lock?.name !== undefined) list.push({ text: lock.name, line });
  if (action.kind === "folder") list.push({ text: action.folders, line: actionLine });
  if (action.kind === "forward") list.push({ text: action.addresses, line: actionLine });
  return list;
}
