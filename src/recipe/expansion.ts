/** Reads text with the substitutions of sh(1) that procmail knows: quotes, backslashes, $variables, `commands`. Pure. */
import type { Expansion, Part } from "./tree.ts";

/** Where expansion text ends: a word at an unquoted blank, a line at a newline, quoted text at its end. A comment ends a line; among folders it may begin within a word. */
export type Extent = "word" | "line" | "folders" | "quoted";

export interface Read {
  readonly parts: Expansion;
  /** Index behind what was read. */
  readonly end: number;
  /** What is wrong: `unclosed`, or a substitution that procmail does not know. */
  readonly fault: string | undefined;
  /** A quote is never closed: the text goes on to the end of the file. */
  readonly open: boolean;
}

/** A quote that is never closed, in procmail's words. */
export const unclosed = "Unexpected EOL";

/** Words in words; the stack has an end. */
const depthLimit = 100;

const isBlank = (c: string | undefined): boolean => c === " " || c === "\t";
const nameStart = /[A-Za-z_]/;
const nameRest = /[A-Za-z0-9_]/;

/** @param at where to begin  @param extent how far to read. Never throws. */
export function readExpansion(text: string, at: number, extent: Extent): Read {
  const reader = new ExpansionReader(text, at);
  reader.read(extent);
  return { parts: reader.parts, end: reader.at, fault: reader.fault, open: reader.open };
}

class ExpansionReader {
  readonly #text: string;
  readonly parts: Part[] = [];
  at: number;
  fault: string | undefined;
  open = false;
  /** The blank or newline that ends all of it stood within ${name:-word}. */
  #ended = false;
  #literal = "";
  #literalQuoted = false;

  readonly #depth: number;

  constructor(text: string, at: number, depth = 0) {
    this.#text = text;
    this.at = at;
    this.#depth = depth;
  }

  read(extent: Extent): void {
    if (extent === "quoted") this.#doubleQuoted(undefined);
    else this.#unquoted(extent, false);
    this.#flush();
  }

  /** @param brace up to "}" of ${name:-word} too */
  #unquoted(extent: Exclude<Extent, "quoted">, brace: boolean): void {
    const text = this.#text;
    let wordStart = true;
    while (!this.#ended) {
      const c = text[this.at];
      if (c === undefined || (c === "}" && brace)) break;
      if (c === "\n" || (extent === "word" && isBlank(c))) {
        this.#ended = brace;
        break;
      }
      if (c === "#" && !brace && extent === "word" && wordStart) break;
      if (c === "#" && !brace && extent !== "word" && (extent === "folders" || wordStart)) {
        while (this.at < text.length && text[this.at] !== "\n") this.at++;
        break;
      }
      wordStart = isBlank(c);
      this.#one(c, extent);
    }
  }

  #one(c: string, extent: Exclude<Extent, "quoted">): void {
    switch (c) {
      case "\\": {
        const next = this.#text[this.at + 1];
        this.at += 2;
        if (next === undefined) {
          this.fault ??= unclosed;
          this.at--;
        } else if (next !== "\n") this.#add(next, true);
        break;
      }
      case "'":
        this.#singleQuoted();
        break;
      case '"':
        this.at++;
        this.#add("", true);
        this.#doubleQuoted('"');
        break;
      case "`":
        this.#command(false);
        break;
      case "$":
        this.#dollar(extent);
        break;
      default:
        this.at++;
        this.#add(c, false);
    }
  }

  #singleQuoted(): void {
    const end = this.#text.indexOf("'", this.at + 1);
    if (end < 0) this.#neverClosed();
    const stop = end < 0 ? this.#text.length : end;
    this.#add(this.#text.slice(this.at + 1, stop), true);
    this.at = end < 0 ? stop : stop + 1;
  }

  /** Up to the closing quote; where there is none, to the end, and quotes on the way are passed over. */
  #doubleQuoted(close: string | undefined): void {
    const text = this.#text;
    for (;;) {
      const c = text[this.at];
      if (c === undefined) {
        if (close !== undefined) this.#neverClosed();
        return;
      }
      if (c === close) {
        this.at++;
        return;
      }
      if (c === "\\") {
        const next = text[this.at + 1];
        if (next === "\n") {
          this.at += 2;
        } else if (next === undefined && close !== undefined) this.at++;
        else if (next === "$" || next === "`" || next === '"' || next === "\\" || (next !== undefined && next === close)) {
          this.at += 2;
          this.#add(next, true);
        } else {
          this.at++;
          this.#add("\\", true);
        }
      } else if (c === '"' && close === undefined) this.at++;
      else if (c === "`") this.#command(true);
      else if (c === "$") this.#dollar("quoted");
      else {
        this.at++;
        this.#add(c, true);
      }
    }
  }

  #neverClosed(): void {
    this.fault = unclosed;
    this.open = true;
  }

  #command(quoted: boolean): void {
    const text = this.#text;
    let command = "";
    for (this.at++; ; this.at++) {
      const c = text[this.at];
      if (c === undefined) {
        this.#neverClosed();
        break;
      }
      if (c === "`") {
        this.at++;
        break;
      }
      const next = text[this.at + 1];
      if (c === "\\" && (next === "`" || next === "\\" || next === "$" || (next === '"' && quoted))) {
        command += next;
        this.at++;
      } else command += c;
    }
    this.#push({ kind: "output", command, quoted });
  }

  #dollar(extent: Extent): void {
    const text = this.#text;
    const quoted = extent === "quoted";
    const c = text[this.at + 1];
    if (c === undefined) {
      this.at++;
      this.#add("$", quoted);
    } else if (c === "\\" && nameStart.test(text[this.at + 2] ?? "")) {
      const name = this.#nameAt(this.at + 2);
      this.at += 2 + name.length;
      this.#push({ kind: "disarmed", name });
    } else if (c === "{") {
      this.#braced(extent);
    } else if (c === "@") {
      this.at += quoted ? 2 : 1;
      if (quoted) this.#push({ kind: "arguments" });
    } else if (/[0-9#$?_=-]/.test(c) && !(c === "_" && nameRest.test(text[this.at + 2] ?? ""))) {
      this.at += 2;
      this.#push({ kind: "variable", name: c, quoted });
    } else {
      const name = this.#nameAt(this.at + 1);
      this.at += 1 + name.length;
      if (name === "") this.#add("$", quoted);
      else this.#push({ kind: "variable", name, quoted });
    }
  }

  #braced(extent: Extent): void {
    const text = this.#text;
    const quoted = extent === "quoted";
    const digit = /[0-9]/.test(text[this.at + 2] ?? "") ? (text[this.at + 2] ?? "") : "";
    const name = digit === "" ? this.#nameAt(this.at + 2) : digit;
    const at = this.at + 2 + name.length;
    const operator = /^(:-|-|:\+|\+)/.exec(text.slice(at, at + 2))?.[0] as ":-" | "-" | ":+" | "+" | undefined;
    if (text[at] === "}") {
      this.at = at + 1;
      if (name !== "") this.#push({ kind: "variable", name, quoted });
    } else if (name !== "" && operator !== undefined && this.#depth < depthLimit) {
      const inner = new ExpansionReader(text, at + operator.length, this.#depth + 1);
      // Within double quotes the word is quoted as it stands.
      if (extent === "quoted") inner.#doubleQuoted("}");
      else inner.#unquoted(extent, true);
      inner.#flush();
      this.at = inner.at;
      if (extent !== "quoted" && text[this.at] === "}" && !inner.#ended) this.at++;
      this.#ended ||= inner.#ended;
      this.fault ??= inner.fault;
      this.open ||= inner.open;
      this.#push({ kind: "variable", name, quoted, otherwise: { operator, word: inner.parts } });
    } else {
      // The character that does not fit is passed over with what stands before it.
      this.fault ??= `Bad substitution of "${name}"`;
      this.at = Math.min(at + (text[at] === ":" ? 2 : 1), text.length);
    }
  }

  #nameAt(at: number): string {
    const text = this.#text;
    if (!nameStart.test(text[at] ?? "")) return "";
    let end = at + 1;
    while (nameRest.test(text[end] ?? "")) end++;
    return text.slice(at, end);
  }

  #add(text: string, quoted: boolean): void {
    if (quoted !== this.#literalQuoted) this.#flush();
    this.#literalQuoted = quoted;
    this.#literal += text;
    // An empty quoted text still makes a word.
    if (text === "" && quoted) this.parts.push({ kind: "text", text: "", quoted: true });
  }

  #flush(): void {
    if (this.#literal !== "") this.parts.push({ kind: "text", text: this.#literal, quoted: this.#literalQuoted });
    this.#literal = "";
  }

  #push(part: Part): void {
    this.#flush();
    this.parts.push(part);
  }
}
