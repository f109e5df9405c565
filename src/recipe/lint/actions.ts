/** What a recipe does with the mail, and its flags and lock. Pure. */
import type { Condition, Recipe } from "../tree.ts";
import { finding, type Finding } from "./rules.ts";
import { after, folderKind, folderWords, outline, unknown, type Place, type Variables } from "./walk.ts";

export function actionFindings(place: Place<Recipe>): Finding[] {
  const { statement: recipe, variables } = place;
  const { action } = recipe;
  switch (action.kind) {
    case "none":
      return [finding("no-action", recipe.line, "a recipe without an action is passed over")];
    case "block":
      return blockFindings(recipe);
    case "folder":
      return starless(recipe) ?? [...folderFindings(place, folderWords(action.folders, variables)), ...half(recipe)];
    case "forward":
      return starless(recipe) ?? [...forwardFindings(place), ...half(recipe)];
    case "pipe":
      return pipeFindings(place, action.command, action.capture);
  }
}

/** An action that is a condition. */
function starless({ actionText, actionLine, action }: Recipe): Finding[] | undefined {
  const text = actionText.replace(/^!\s*/, "");
  if (!/^(?:\^|\(\^|[<>]\s*\d|\?\s|[A-Za-z_]\w*\s*\?\?)/.test(text)) return undefined;
  const done = action.kind === "forward" ? "forwarded to addresses of that name" : "delivered to a file of that name";
  return [finding("condition-without-star", actionLine, `without * this line is the action: the mail is ${done}, and the next line is passed over`)];
}

function blockFindings({ flags, lock, line }: Recipe): Finding[] {
  const found: Finding[] = [];
  const ignored = [...flags].filter((f) => "hbfirwW".includes(f) && !(flags.has("c") && "wW".includes(f)));
  if (ignored.length > 0) found.push(finding("ignored-flag", line, `the flags ${ignored.join("")} mean nothing on a block`));
  if (lock !== undefined && !flags.has("c")) found.push(finding("lock-on-block", line, "a lock on a block is ignored: Extraneous locallockfile ignored"));
  return found;
}

function folderFindings({ statement: recipe, variables, isDirectory }: Place<Recipe>, words: readonly string[]): Finding[] {
  const { actionLine, flags, lock, line } = recipe;
  const found: Finding[] = [];
  const [first = ""] = words;
  const kind = isDirectory(first) && !first.endsWith("/") && !first.endsWith("/.") ? "directory" : folderKind(first);
  if (flags.has("f")) found.push(finding("ignored-flag", line, "f means nothing for a folder: Extraneous filter-flag ignored, and the mail is delivered"));
  for (const word of words) {
    if (word.startsWith("~")) found.push(finding("tilde-is-literal", actionLine, `"~" is not expanded: the folder's name begins with it`));
    if (/\/(?:new|cur|tmp)\/?$/.test(word)) found.push(finding("maildir-part", actionLine, `"${shown(word)}" is a part of a Maildir: what is put there has no Maildir name, or fails`));
  }
  if (kind === "file" && words.length > 1) found.push(finding("several-files", actionLine, `only "${shown(first)}" is delivered to; "${shown(words.slice(1).join(" "))}" is skipped, as only directories can have a mail together`));
  if (kind === "file" && lock === undefined) found.push(finding("mbox-without-lock", line, `the mail is appended to "${shown(first)}" without a lock file: two deliveries at once, or a mail reader, can mix it up`));
  if (kind === "Maildir" && lock !== undefined && lock.name === undefined) found.push(finding("lock-on-maildir", line, "a Maildir needs no lock file, and none can be made before the directory is there"));
  return [...found, ...lockFindings(recipe, variables)];
}

const shown = (name: string): string => name.replaceAll(unknown, "...");

/** ":0: c" */
function lockFindings({ lock, line }: Recipe, variables: Variables): Finding[] {
  const name = lock?.name === undefined ? "" : outline(lock.name, variables);
  return /^[HBDAaEehbfcwWir]{1,3}$/.test(name) ? [finding("flags-as-lock", line, `"${name}" behind the second colon is the name of the lock file, not a flag`)] : [];
}

/** Half of the mail is gone when a recipe delivers it for good. */
function half({ flags, line, action }: Recipe): Finding[] {
  if (flags.has("h") === flags.has("b") || flags.has("c") || flags.has("f")) return [];
  const [kept, lost] = flags.has("h") ? ["header", "body"] : ["body", "header"];
  // A program may well want no more.
  if (action.kind === "pipe") return [finding("half-to-program", line, `the program gets only the ${kept}, and the ${lost} goes nowhere else`)];
  return [finding("half-message", line, `only the ${kept} is ${action.kind === "forward" ? "forwarded" : "delivered"}; the ${lost} is lost`)];
}

/** Recipes of a chain that are looked at. */
const chainLimit = 100;

/** Conditions that must have matched: its own, those of the blocks around it, and of the recipes it is chained to. */
function all({ statement, inside, level, index }: Place<Recipe>): readonly Condition[] {
  const recipes = [...inside, statement];
  const chained = (r: Recipe): boolean => r.flags.has("A") || r.flags.has("a") || r.flags.has("e");
  if (chained(statement)) {
    for (let i = index - 1; i >= Math.max(0, index - chainLimit); i--) {
      const s = level[i];
      if (s?.kind !== "recipe") continue;
      recipes.push(s);
      if (!chained(s)) break;
    }
  }
  return recipes.flatMap((r) => r.conditions);
}

const guards = (place: Place<Recipe>, pattern: RegExp): boolean => all(place).some((c) => pattern.test(c.text));

function forwardFindings(place: Place<Recipe>): Finding[] {
  const { statement: recipe, variables } = place;
  const found: Finding[] = [];
  if (recipe.flags.has("f")) found.push(finding("ignored-flag", recipe.line, "with f the output of sendmail takes the place of the mail"));
  if (recipe.lock !== undefined && recipe.lock.name === undefined) found.push(finding("lock-without-name", recipe.line, "no name of a lock file can be made from a forward: Couldn't determine implicit lockfile"));
  if (!guards(place, /X-Loop|Delivered-To|Resent-|FROM_DAEMON|FROM_MAILER/i)) found.push(finding("forward-loop", recipe.line, "where the other side forwards back, the mail goes round until a mail server stops it"));
  return [...found, ...lockFindings(recipe, variables)];
}

const sends = /\$\{?SENDMAIL|\bsendmail\b|\bmailx?\b\s/;

function pipeFindings(place: Place<Recipe>, command: string, capture: string | undefined): Finding[] {
  const { statement: recipe, variables } = place;
  const { flags, lock, line } = recipe;
  const found: Finding[] = [];
  const filter = flags.has("f") && capture === undefined;
  const waits = flags.has("w") || flags.has("W") || lock !== undefined;
  const replies = /\bformail\b[^|;]*\s-\w*r/.test(command) && sends.test(command);
  if (filter && !waits) found.push(finding("filter-without-wait", line, "when the program fails, what it has printed by then takes the place of the mail, and be it nothing"));
  if (!filter && capture === undefined && !waits && !flags.has("c") && command.trim() !== "") found.push(finding("pipe-without-wait", line, "the mail counts as delivered whatever the program's exit status is: when it fails the mail is lost"));
  if (capture !== undefined && flags.has("f")) found.push(finding("ignored-flag", line, "f means nothing for VAR=|: Extraneous filter-flag ignored"));
  if (/>>/.test(command) && lock === undefined) found.push(finding("append-without-lock", line, "two deliveries at once append to one file"));
  const cache = /\bformail\b[^|;]*\s-\w*D/.test(command);
  if (cache && lock === undefined) found.push(finding("cache-without-lock", line, "two deliveries at once write the cache of formail -D"));
  if (lock !== undefined && lock.name === undefined && !/>>\s*[^\s;|&<>"']/.test(command)) found.push(finding("lock-without-name", line, "no name of a lock file can be made, as there is no >> in the command: Couldn't determine implicit lockfile, and nothing is locked"));
  if (replies && !(guards(place, /FROM_DAEMON/) && guards(place, /X-Loop/i))) found.push(finding("reply-loop", line, "two programs that answer by themselves answer each other without end, or a mailing list"));
  const next = after(place);
  const other = next?.kind === "recipe" && (next.flags.has("a") || next.flags.has("A"));
  if (!filter && capture === undefined && !cache && !replies && !sends.test(command) && !other) found.push(...half(recipe));
  return [...found, ...lockFindings(recipe, variables)];
}
