/**
 * rc files: octets to a tree. procmailrc(5). Pure; never throws: what can not be read is a fault with
 * its line, and the rest is read as procmail would.
 */
import { endTrimmed, trimmed } from "../syntax/blanks.ts";
import { parseCondition } from "./condition.ts";
import { readExpansion, type Read } from "./expansion.ts";
import { readExtension } from "./extensions.ts";
import { readUnexpanded } from "./start.ts";
import type { Action, Condition, Fault, Rc, RcFault, Recipe, Statement } from "./tree.ts";

/** Blocks in blocks; nobody writes so many, and the stack has an end. */
const depthLimit = 200;

/** A file with more is something else. */
const faultLimit = 1000;

export function parseRc(octets: Buffer): Rc {
  const parser = new RcParser(octets.toString("latin1"));
  return parser.whole();
}

class RcParser {
  readonly #text: string;
  readonly #faults: RcFault[] = [];
  #at = 0;
  #line = 1;
  #counted = 0;
  #depth = 0;
  #unusable = false;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Rc {
    const text = this.#text;
    const crlf = /^[ \t]*:.*\r\n/m.exec(text);
    if (crlf !== null) {
      this.#fatal(text.slice(0, crlf.index).split("\n").length, "lines end in CRLF; CR is no white space here: convert the file (sed -i 's/\\r$//')");
    }
    if (text.includes("\0")) this.#fatal(1, "holds a NUL octet: not an rc file");
    const statements: Statement[] = [];
    while (this.#at < text.length && !this.#unusable) {
      append(statements, this.#statements());
      if (text[this.#at] === "}") {
        statements.push(this.#skipped("Closing brace unexpected"));
        this.#at++;
      }
    }
    return { statements, faults: this.#faults };
  }

  /** Up to a closing brace or the end. */
  #statements(): Statement[] {
    const statements: Statement[] = [];
    for (;;) {
      this.#blanksAndComments(statements);
      const c = this.#text[this.#at];
      if (c === undefined || c === "}" || this.#unusable) return statements;
      if (c === ":") this.#recipe(statements);
      else if (/[A-Za-z_]/.test(c)) this.#assignment(statements);
      else statements.push(this.#skipped(`Skipped "${this.#restOfLine()}"`));
    }
  }

  #assignment(statements: Statement[]): void {
    const line = this.#line;
    const name = /^[A-Za-z0-9_]+/.exec(this.#text.slice(this.#at, this.#at + 1024))?.[0] ?? "";
    this.#at += name.length;
    let at = this.#at;
    while (this.#text[at] === " " || this.#text[at] === "\t") at++;
    if (this.#text[at] === "=") {
      this.#at = at + 1;
      this.#blanks();
      const { parts, fault } = this.#expansion("word");
      if (fault !== undefined) statements.push(this.#skipped(fault, line));
      statements.push({ kind: "assign", line, name, value: parts });
      return;
    }
    // "name-else" is no name at all, nor is a name that ends the file; what follows is looked at by itself.
    const alone = at > this.#at || this.#text[at] === "\n";
    statements.push(alone ? { kind: "unset", line, name } : this.#skipped(`Skipped "${name}"`));
  }

  /** :0 [flags] [ : [lockfile] ] */
  #recipe(statements: Statement[]): void {
    const line = this.#line;
    this.#at++;
    const count = /^[ \t]*((?:[-+]?\d+)?)/.exec(this.#text.slice(this.#at, this.#at + 64));
    this.#at += count?.[0].length ?? 0;
    const from = this.#at;
    const { parts, fault } = this.#expansion("line");
    if (fault !== undefined) statements.push(this.#skipped(fault, line));
    const written = withoutComment(this.#text.slice(from, this.#at), !/\d$/.test(count?.[0] ?? ""));
    const { flags, lock, skipped } = readUnexpanded(written);
    // Variables may bring in flags and colons: only the expanded line tells.
    const start = /[$`'"\\]/.test(written) ? parts : undefined;
    if (start === undefined && skipped !== undefined) statements.push(this.#skipped(`Skipped "${skipped}"`, line));
    // A bare ":" means one condition that needs no "*", but none where the recipe hangs on another.
    const digits = count?.[1] ?? "";
    const hangs = flags.has("A") || flags.has("a") || flags.has("E") || flags.has("e");
    this.#counted = /\d/.test(digits) && Number(digits) >= 0 ? Number(digits) : hangs ? 0 : 1;
    const { conditions, missing } = this.#conditions();
    const actionLine = this.#line;
    const action = missing ? forgotten : this.#actionWhole();
    statements.push({ kind: "recipe", line, start, flags, lock, conditions, actionLine, ...action });
    if (action.action.kind === "none") statements.push(this.#skipped(missing ? "Missing action" : "Incomplete recipe"));
  }

  #actionWhole(): Pick<Recipe, "action" | "actionText" | "actionFault"> {
    const [from, line] = [this.#at, this.#line];
    const { action, read } = this.#action();
    const actionText = action.kind === "block" ? "{" : trimmed(this.#text.slice(from, this.#at));
    if (read?.fault === undefined) return { action, actionText, actionFault: undefined };
    return { action, actionText, actionFault: { text: this.#skipped(read.fault, line).text, open: read.open } };
  }

  /** missing: an empty line and the next recipe stand where the action should. */
  #conditions(): { readonly conditions: readonly Condition[]; readonly missing: boolean } {
    const conditions: Condition[] = [];
    for (;;) {
      // A counted line is a condition whatever it holds.
      const between = this.#counted > 0 ? this.#nextLine() : this.#blanksAndComments();
      const c = this.#text[this.#at];
      if (c === "*" && between !== "continued") this.#at++;
      else if (this.#counted === 0) return { conditions, missing: between === "empty" && c === ":" };
      // An empty one where the file has ended, once.
      if (this.#counted > 0) this.#counted = c === undefined ? 0 : this.#counted - 1;
      const line = this.#line;
      conditions.push(parseCondition(this.#logicalLine(), line));
    }
  }

  /** To its first character that is no blank. */
  #nextLine(): "lines" {
    if (this.#text[this.#at] === "\n") this.#advance(this.#at + 1);
    this.#blanks();
    return "lines";
  }

  #action(): { readonly action: Action; readonly read?: Read } {
    const text = this.#text;
    const c = text[this.#at];
    if (c === undefined) return { action: { kind: "none" } };
    if (c === "!") {
      this.#at++;
      const read = this.#expansion("line");
      return { action: { kind: "forward", addresses: read.parts }, read };
    }
    if (c === "|") {
      this.#at++;
      return { action: { kind: "pipe", command: this.#program(), capture: undefined } };
    }
    if (c === "{" && /[ \t\n]/.test(text[this.#at + 1] ?? "")) {
      this.#at++;
      return { action: this.#block() };
    }
    const capture = /^([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*\|/.exec(text.slice(this.#at, this.#at + 1024));
    if (capture?.[1] !== undefined) {
      this.#at += capture[0].length;
      return { action: { kind: "pipe", command: this.#program(), capture: capture[1] } };
    }
    const read = this.#expansion("folders");
    return { action: { kind: "folder", folders: read.parts }, read };
  }

  #block(): Action {
    const line = this.#line;
    if (++this.#depth > depthLimit) {
      this.#fatal(line, "blocks are nested too deeply");
      this.#at = this.#text.length;
    }
    const statements = this.#statements();
    this.#depth--;
    if (this.#text[this.#at] === "}") this.#at++;
    // Said once, where the outermost ends.
    else if (this.#depth === 0) statements.push(this.#skipped("Missing closing brace", line));
    return { kind: "block", statements };
  }

  /** The text of a program: continued lines stay as they are for the shell, but a line of nothing than a backslash is an empty line. */
  #program(): string {
    return this.#logicalLine().replace(/(^|\n)[ \t]*\\\n/g, "$1\n");
  }

  /** Up to a newline that has no backslash before it, without it. */
  #logicalLine(): string {
    const from = this.#at;
    let end = from;
    for (;;) {
      end = this.#text.indexOf("\n", end);
      if (end < 0) end = this.#text.length;
      else if (this.#text[end - 1] === "\\" && end - 1 >= from) {
        end++;
        continue;
      }
      break;
    }
    this.#advance(end);
    return this.#text.slice(from, end);
  }

  #expansion(extent: "word" | "line" | "folders"): Read {
    const read = readExpansion(this.#text, this.#at, extent);
    this.#advance(read.end);
    return read;
  }

  #blanks(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  /**
   * @param statements where a comment may be an extension, they take it
   * @returns "empty": a line without anything was among them. "continued": they end with a line of a backslash, and behind it an action begins
   */
  #blanksAndComments(statements?: Statement[]): "lines" | "empty" | "continued" {
    let lineIsEmpty = false;
    let seen: "lines" | "empty" | "continued" = "lines";
    for (;;) {
      const c = this.#text[this.#at];
      if (c === "#") {
        lineIsEmpty = false;
        this.#comment(statements);
      } else if (c === "\\" && this.#text[this.#at + 1] === "\n" && statements === undefined) {
        seen = "continued";
        lineIsEmpty = false;
        this.#advance(this.#at + 2);
      } else if (c === "\n") {
        if (lineIsEmpty && seen === "lines") seen = "empty";
        lineIsEmpty = true;
        this.#advance(this.#at + 1);
      } else if (c === " " || c === "\t") this.#at++;
      else return seen;
    }
  }

  #comment(statements: Statement[] | undefined): void {
    const comment = this.#restOfLine();
    const extension = statements === undefined ? undefined : readExtension(comment, this.#line);
    if (typeof extension === "string") statements?.push({ ...this.#skipped(extension), ours: true });
    else if (extension !== undefined) statements?.push(extension);
  }

  /** Passes over it. */
  #restOfLine(): string {
    const lf = this.#text.indexOf("\n", this.#at);
    const end = lf < 0 ? this.#text.length : lf;
    const rest = this.#text.slice(this.#at, end);
    this.#at = end;
    return rest;
  }

  #advance(to: number): void {
    for (let lf = this.#text.indexOf("\n", this.#at); lf >= 0 && lf < to; lf = this.#text.indexOf("\n", lf + 1)) this.#line++;
    this.#at = to;
  }

  /** The message is due where the statement stands that it becomes. */
  #skipped(text: string, line = this.#line): Fault {
    this.#faults.push({ line, text, severity: "skipped" });
    if (this.#faults.length > faultLimit) this.#fatal(line, "has so many faults that it can be no rc file");
    return { kind: "fault", line, text };
  }

  #fatal(line: number, text: string): void {
    if (!this.#unusable) this.#faults.push({ line, text, severity: "fatal" });
    this.#unusable = true;
  }
}

const forgotten: Pick<Recipe, "action" | "actionText" | "actionFault"> = { action: { kind: "none" }, actionText: "", actionFault: undefined };

/** push(...) has an end. */
function append<T>(to: T[], more: readonly T[]): void {
  for (const one of more) to.push(one);
}

/** Of the first line of a recipe. @param bare a comment may stand right at its beginning: behind a colon, not behind a number */
const withoutComment = (text: string, bare: boolean): string => endTrimmed(text.replace(bare ? /(^|[ \t])#.*$/s : /[ \t]#.*$/s, ""));
