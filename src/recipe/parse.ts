/**
 * rc files: octets to a tree. procmailrc(5). Pure; never throws: what can not be read is a fault with
 * its line, and the rest is read as procmail would.
 */
import { parseCondition } from "./condition.ts";
import { readExpansion } from "./expansion.ts";
import { readExtension } from "./extensions.ts";
import type { Action, Condition, Expansion, Flag, Rc, RcFault, Recipe, Statement } from "./tree.ts";

const flags = new Set<string>(["H", "B", "D", "A", "a", "E", "e", "h", "b", "f", "c", "w", "W", "i", "r"]);

/** Blocks in blocks; nobody writes so many, and the stack has an end. */
const depthLimit = 200;

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

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Rc {
    const text = this.#text;
    const crlf = text.indexOf("\r\n");
    if (crlf >= 0) {
      const line = text.slice(0, crlf).split("\n").length;
      this.#fatal(line, "lines end in CRLF; procmail does not take CR for white space: convert the file (sed -i 's/\\r$//')");
    }
    if (text.includes("\0")) this.#fatal(1, "holds a NUL octet: not an rc file");
    const statements: Statement[] = [];
    while (this.#at < text.length) {
      statements.push(...this.#statements());
      if (text[this.#at] === "}") {
        this.#skipped("Closing brace unexpected");
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
      if (c === undefined || c === "}") return statements;
      if (c === ":") statements.push(this.#recipe());
      else if (/[A-Za-z_]/.test(c)) statements.push(this.#assignment());
      else this.#skipped(`Skipped "${this.#restOfLine()}"`);
    }
  }

  #assignment(): Statement {
    const line = this.#line;
    const name = /^[A-Za-z0-9_]+/.exec(this.#text.slice(this.#at, this.#at + 1024))?.[0] ?? "";
    this.#at += name.length;
    let at = this.#at;
    while (this.#text[at] === " " || this.#text[at] === "\t") at++;
    if (this.#text[at] !== "=") {
      // "name-else" is no name at all.
      if (at === this.#at && /[^\s}]/.test(this.#text[at] ?? " ")) this.#skipped(`Skipped "${this.#restOfLine()}"`);
      return { kind: "unset", line, name };
    }
    this.#at = at + 1;
    this.#blanks();
    return { kind: "assign", line, name, value: this.#expansion("word") };
  }

  /** :0 [flags] [ : [lockfile] ] */
  #recipe(): Recipe {
    const line = this.#line;
    this.#at++;
    const count = /^[ \t]*(\d*)/.exec(this.#text.slice(this.#at, this.#at + 64));
    this.#at += count?.[0].length ?? 0;
    // A bare ":" means one condition that needs no "*".
    this.#counted = count?.[1] === "" || count === null ? 1 : Number(count[1]);
    const found = new Set<Flag>();
    let lock: Recipe["lock"];
    for (;;) {
      this.#blanks();
      const c = this.#text[this.#at];
      if (c === undefined || c === "\n") break;
      if (c === "#") {
        this.#restOfLine();
        break;
      }
      if (c === ":") {
        this.#at++;
        this.#blanks();
        const name = this.#text[this.#at] === "#" ? [] : this.#expansion("word");
        lock = { name: name.length === 0 ? undefined : name };
        const rest = this.#restOfLine().trim();
        if (rest !== "" && !rest.startsWith("#")) this.#skipped(`Skipped "${rest}"`);
        break;
      }
      if (flags.has(c)) {
        found.add(c as Flag);
        this.#at++;
      } else {
        const word = /^[^\s:]+/.exec(this.#text.slice(this.#at, this.#at + 256))?.[0] ?? c;
        this.#skipped(`Skipped "${word}"`);
        this.#at += word.length;
      }
    }
    const conditions = this.#conditions();
    const actionLine = this.#line;
    const from = this.#at;
    const action = this.#action();
    const actionText = action.kind === "block" ? "{" : this.#text.slice(from, this.#at).trim();
    return { kind: "recipe", line, flags: found, lock, conditions, action, actionLine, actionText };
  }

  #conditions(): Condition[] {
    const conditions: Condition[] = [];
    for (;;) {
      this.#blanksAndComments();
      const c = this.#text[this.#at];
      if (c === "*") this.#at++;
      else if (this.#counted === 0 || c === undefined) return conditions;
      if (this.#counted > 0) this.#counted--;
      const line = this.#line;
      conditions.push(parseCondition(this.#logicalLine(), line));
    }
  }

  #action(): Action {
    const text = this.#text;
    const c = text[this.#at];
    if (c === undefined) {
      this.#skipped("Incomplete recipe");
      return { kind: "none" };
    }
    if (c === "!") {
      this.#at++;
      return { kind: "forward", addresses: this.#expansion("line") };
    }
    if (c === "|") {
      this.#at++;
      return { kind: "pipe", command: this.#program(), capture: undefined };
    }
    if (c === "{" && /^[\s]?$/.test(text[this.#at + 1] ?? "")) {
      this.#at++;
      return this.#block();
    }
    const capture = /^([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*\|/.exec(text.slice(this.#at, this.#at + 1024));
    if (capture?.[1] !== undefined) {
      this.#at += capture[0].length;
      return { kind: "pipe", command: this.#program(), capture: capture[1] };
    }
    return { kind: "folder", folders: this.#expansion("line") };
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
    else this.#faults.push({ line, text: "Missing closing brace", severity: "skipped" });
    return { kind: "block", statements };
  }

  /** The text of a program: continued lines stay as they are for the shell, but a line of nothing than a backslash is an empty line. */
  #program(): string {
    return this.#logicalLine()
      .replace(/(^|\n)[ \t]*\\\n/g, "$1\n")
      .trimEnd();
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

  #expansion(extent: "word" | "line"): Expansion {
    const line = this.#line;
    const read = readExpansion(this.#text, this.#at, extent);
    this.#advance(read.end);
    if (read.fault !== undefined) this.#fatal(line, read.fault);
    return read.parts;
  }

  #blanks(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  /** @param statements where a comment may be an extension, they take it */
  #blanksAndComments(statements?: Statement[]): void {
    for (;;) {
      const c = this.#text[this.#at];
      if (c === "#") {
        const comment = this.#restOfLine();
        const extension = statements === undefined ? undefined : readExtension(comment, this.#line);
        if (typeof extension === "string") this.#skipped(extension);
        else if (extension !== undefined) statements?.push(extension);
      }
      else if (c === "\\" && this.#text[this.#at + 1] === "\n") this.#advance(this.#at + 2);
      else if (c === " " || c === "\t" || c === "\n") this.#advance(this.#at + 1);
      else return;
    }
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

  #skipped(text: string): void {
    this.#faults.push({ line: this.#line, text, severity: "skipped" });
  }

  #fatal(line: number, text: string): void {
    this.#faults.push({ line, text, severity: "fatal" });
  }
}
