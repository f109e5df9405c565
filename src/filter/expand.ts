/** Expansion of text with variables and commands into words or one value. */
import type { Expansion } from "../recipe/tree.ts";
import type { Asking } from "./effects.ts";

export interface Scope {
  /** Also "#", "$", "?", "_", "-", "=" and digits. */
  value(name: string): string | undefined;
  readonly arguments: readonly string[];
  /** Standard output of a command with the mail on its input, without trailing newlines. */
  output(command: string): Asking<string>;
}

/** Longest result, octets; longer ones are cut. */
export const longest = 1 << 20;

/** One value: nothing is split. */
export function* expandValue(text: Expansion, scope: Scope): Asking<string> {
  let value = "";
  for (const part of text) {
    switch (part.kind) {
      case "text":
        value += part.text;
        break;
      case "variable":
        value += yield* variable(part, scope);
        break;
      case "disarmed":
        value += disarmed(scope.value(part.name) ?? "");
        break;
      case "output":
        value += yield* scope.output(part.command);
        break;
      case "arguments":
        value += scope.arguments.join(" ");
        break;
    }
    if (value.length > longest) return value.slice(0, longest);
  }
  return value;
}

/** Words: unquoted text and unquoted values are split at blanks, tabs and newlines; "$@" is a word for each argument. */
export function* expandWords(text: Expansion, scope: Scope): Asking<string[]> {
  const words: string[] = [];
  let word = "";
  let open = false;
  let length = 0;
  const split = (value: string): void => {
    for (const [i, piece] of value.split(/[ \t\n]/).entries()) {
      if (i > 0) {
        if (open) words.push(word);
        word = "";
        open = false;
      }
      word += piece;
      if (piece !== "") open = true;
    }
  };
  for (const part of text) {
    if (part.kind === "arguments") {
      for (const [i, argument] of scope.arguments.entries()) {
        if (i > 0) {
          words.push(word);
          word = "";
        }
        word += argument;
        open = true;
      }
      continue;
    }
    const value = yield* expandValue([part], scope);
    length += value.length;
    if (length > longest) break;
    if (part.kind === "disarmed" || part.quoted) {
      word += value;
      open = true;
    } else split(value);
  }
  if (open) words.push(word);
  return words;
}

function* variable(part: Extract<Expansion[number], { readonly kind: "variable" }>, scope: Scope): Asking<string> {
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
