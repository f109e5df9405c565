/** Reads text with the substitutions of sh(1) that procmail knows: quotes, backslashes, $variables, `commands`. Pure. */
import type { Expansion, Part } from "./tree.ts";

/** Where expansion text ends: a word at an unquoted blank, a line at a newline, quoted text at its end; "}" of ${x:-word} too. */
export type Extent = "word" | "line" | "quoted" | "brace";

export interface Read {
  readonly parts: Expansion;
  /** Index behind what was read. */
  readonly end: number;
  /** What is wrong: `unclosed`, or a substitution that procmail does not know. */
  readonly fault: string | undefined;
}

/** A quote that is never closed, in procmail's words. */
export const unclosed = "Unexpected EOL";

const isBlank = (c: string | undefined): boolean => c === " " || c === "\t";
const nameStart = /[A-Za-z_]/;
const nameRest = /[A-Za-z0-9_]/;

/** @param at where to begin  @param extent how far to read. Never throws. */
export function readExpansion(text: string, at: number, extent: Extent): Read {
  const reader = new ExpansionReader(text, at);
  reader.read(extent);
  return { parts: reader.parts, end: reader.at, fault: reader.fault };
}

class ExpansionReader {
  readonly #text: string;
  readonly parts: Part[] = [];
  at: number;
  fault: string | undefined;
  #literal = "";
  #literalQuoted = false;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  read(extent: Extent): void {
    if (extent === "quoted") {
      this.#doubleQuoted(undefined);
      this.#flush();
      return;
    }
    const text = this.#text;
    let wordStart = true;
    for (;;) {
      const c = text[this.at];
      if (c === undefined || (c === "\n" && extent !== "brace") || (c === "}" && extent === "brace")) break;
      if (extent === "word" && isBlank(c)) break;
      if (extent === "line" && c === "#" && wordStart) {
        while (this.at < text.length && text[this.at] !== "\n") this.at++;
        break;
      }
      wordStart = isBlank(c);
      switch (c) {
        case "\\":
          this.at += 2;
          if (text[this.at - 1] !== "\n") this.#add(text[this.at - 1] ?? "\\", true);
          break;
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
          this.#dollar(false);
          break;
        default:
          this.at++;
          this.#add(c, false);
      }
    }
    this.#flush();
  }

  #singleQuoted(): void {
    const end = this.#text.indexOf("'", this.at + 1);
    if (end < 0) this.fault = unclosed;
    const stop = end < 0 ? this.#text.length : end;
    this.#add(this.#text.slice(this.at + 1, stop), true);
    this.at = end < 0 ? stop : stop + 1;
  }

  /** Up to the closing quote, or to the end when there is none to come. */
  #doubleQuoted(close: string | undefined): void {
    const text = this.#text;
    for (;;) {
      const c = text[this.at];
      if (c === undefined) {
        if (close !== undefined) this.fault = unclosed;
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
        } else if (next === "$" || next === "`" || next === '"' || next === "\\") {
          this.at += 2;
          this.#add(next, true);
        } else {
          this.at++;
          this.#add("\\", true);
        }
      } else if (c === "`") this.#command(true);
      else if (c === "$") this.#dollar(true);
      else {
        this.at++;
        this.#add(c, true);
      }
    }
  }

  #command(quoted: boolean): void {
    const text = this.#text;
    let command = "";
    for (this.at++; ; this.at++) {
      const c = text[this.at];
      if (c === undefined) {
        this.fault = unclosed;
        break;
      }
      if (c === "`") {
        this.at++;
        break;
      }
      const next = text[this.at + 1];
      if (c === "\\" && (next === "`" || next === "\\" || (next === '"' && quoted))) {
        command += next;
        this.at++;
      } else command += c;
    }
    this.#push({ kind: "output", command, quoted });
  }

  #dollar(quoted: boolean): void {
    const text = this.#text;
    const c = text[this.at + 1];
    if (c === undefined) {
      this.at++;
      this.#add("$", quoted);
    } else if (c === "\\" && nameStart.test(text[this.at + 2] ?? "")) {
      const name = this.#nameAt(this.at + 2);
      this.at += 2 + name.length;
      this.#push({ kind: "disarmed", name });
    } else if (c === "{") {
      this.#braced(quoted);
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

  #braced(quoted: boolean): void {
    const text = this.#text;
    const digit = /[0-9]/.test(text[this.at + 2] ?? "") ? (text[this.at + 2] ?? "") : "";
    const name = digit === "" ? this.#nameAt(this.at + 2) : digit;
    let at = this.at + 2 + name.length;
    const m = /^(:-|-|:\+|\+)/.exec(text.slice(at, at + 2));
    if (text[at] === "}") {
      this.at = at + 1;
      if (name !== "") this.#push({ kind: "variable", name, quoted });
    } else if (name !== "" && m !== null) {
      const operator = m[1] as ":-" | "-" | ":+" | "+";
      at += operator.length;
      const read = readExpansion(text, at, "brace");
      this.fault ??= read.fault;
      if (text[read.end] !== "}") this.fault ??= unclosed;
      this.at = Math.min(read.end + 1, text.length);
      const word = quoted ? read.parts.map(asQuoted) : read.parts;
      this.#push({ kind: "variable", name, quoted, otherwise: { operator, word } });
    } else {
      // The character that does not fit is passed over with what stands before it.
      this.fault ??= `Bad substitution of "${name}"`;
      this.at = Math.min(at + 1, text.length);
      if (text[at] === ":") this.at = Math.min(at + 2, text.length);
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

const asQuoted = (part: Part): Part => ("quoted" in part ? { ...part, quoted: true } : part);
