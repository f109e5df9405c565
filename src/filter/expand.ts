/** Expansion of text with variables and commands into words or one value. */
import type { Expansion } from "../recipe/tree.ts";
import type { Asking } from "./effects.ts";

export interface Scope {
  /** Also "#", "$", "?", "_", "-", "=" and digits. */
  value(name: string): string | undefined;
  readonly arguments: readonly string[];
  /** Longest result, octets: LINEBUF. */
  readonly lineBuffer: number;
  /** Standard output of a command with the mail on its input, without trailing newlines. */
  output(command: string): Asking<string>;
}

/** One value: nothing is split, and "$@" is nothing. undefined: longer than LINEBUF. */
export function* expandValue(text: Expansion, scope: Scope): Asking<string | undefined> {
  let value = "";
  for (const part of text) {
    switch (part.kind) {
      case "text":
        value += part.text;
        break;
      case "variable": {
        const expanded = yield* variable(part, scope);
        if (expanded === undefined) return undefined;
        value += expanded;
        break;
      }
      case "disarmed":
        value += disarmed(scope.value(part.name) ?? "");
        break;
      case "output":
        value += yield* scope.output(part.command);
        break;
      case "arguments":
        break;
    }
    if (value.length > scope.lineBuffer) return undefined;
  }
  return value;
}

export interface Words {
  readonly words: readonly string[];
  /** As LASTFOLDER has them: without the arguments that "$@" brought in. */
  readonly shown: string;
}

/**
 * Words: unquoted text and unquoted values are split at blanks, tabs and newlines. undefined: longer than LINEBUF.
 *
 * @param program "$@", once, is a word for each argument; elsewhere it is nothing
 */
export function* expandWords(text: Expansion, scope: Scope, program: boolean): Asking<Words | undefined> {
  const splitter = new Splitter();
  let length = 0;
  for (const part of text) {
    if (part.kind === "arguments") {
      if (program) splitter.place();
      continue;
    }
    const value = yield* expandValue([part], scope);
    length += value?.length ?? 0;
    if (value === undefined || length > scope.lineBuffer) return undefined;
    if (part.kind === "disarmed" || ("quoted" in part && part.quoted)) splitter.add(value);
    else splitter.split(value);
  }
  return splitter.with(scope.arguments);
}

class Splitter {
  readonly #words: string[] = [];
  #word = "";
  #open = false;
  /** Where the arguments go. */
  #placed: number | undefined;

  split(value: string): void {
    for (const [i, piece] of value.split(/[ \t\n]/).entries()) {
      if (i > 0) this.#close();
      this.#word += piece;
      if (piece !== "") this.#open = true;
    }
  }

  add(value: string): void {
    this.#word += value;
    this.#open = true;
  }

  /** Of more than one place only the first is filled. */
  place(): void {
    if (this.#placed !== undefined) return;
    this.#placed = this.#words.length;
    this.#open = true;
  }

  with(given: readonly string[]): Words {
    this.#close();
    const [words, at] = [this.#words, this.#placed];
    return { words: at === undefined ? words : [...words.slice(0, at), ...given, ...words.slice(at + 1)], shown: words.join(" ") };
  }

  #close(): void {
    // "$@" is a word of its own, or nothing.
    if (this.#placed === this.#words.length && this.#word !== "") this.#placed = undefined;
    if (this.#open) this.#words.push(this.#word);
    this.#word = "";
    this.#open = false;
  }
}

function* variable(part: Extract<Expansion[number], { readonly kind: "variable" }>, scope: Scope): Asking<string | undefined> {
  const value = scope.value(part.name);
  if (part.otherwise === undefined) return value ?? "";
  const { operator, word } = part.otherwise;
  const counts = operator.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
  if (operator.endsWith("+")) return counts ? yield* expandValue(word, scope) : "";
  return counts ? (value ?? "") : yield* expandValue(word, scope);
}

/** $\name: "()" in front so that no leading character counts, a backslash before every operator. */
function disarmed(value: string): string {
  return `()${value.replace(/[()|*+?.[^$\\]/g, "\\$&")}`;
}
