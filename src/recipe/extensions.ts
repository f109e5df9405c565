/**
 * Extensions: assignments in comments, which other procmails pass over. Pure.
 *
 *     extension = "#" *blank "posthorn:" *blank name *blank ["+" / "-"] "=" *blank text
 *
 * They stand where a statement may: a comment within a recipe stays one. The text is one line, expanded as words of an action are.
 * Manual: posthorn-rc(5).
 */
import { endTrimmed } from "../syntax/blanks.ts";
import { readExpansion } from "./expansion.ts";
import type { Expansion } from "./tree.ts";

/** Every name, and whether "+=" and "-=" mean something. */
export const extensionNames = {
  decode: "value",
  flags: "list",
  vacation: "value",
  vacation_addresses: "list",
  vacation_days: "value",
  vacation_from: "value",
  vacation_subject: "value",
} as const;

export type ExtensionName = keyof typeof extensionNames;

export interface Extension {
  readonly kind: "extension";
  readonly line: number;
  readonly name: ExtensionName;
  readonly how: "=" | "+=" | "-=";
  readonly value: Expansion;
}

const opening = /^#[ \t]*posthorn:/;
const form = /^#[ \t]*posthorn:[ \t]*([A-Za-z_]+)[ \t]*(=|\+=|-=)[ \t]*(.*)$/s;

const isName = (name: string): name is ExtensionName => Object.hasOwn(extensionNames, name);

/**
 * @param comment from "#" to the end of the line
 * @returns undefined for a comment that is none of ours; a text says what is wrong with one that is. Never throws.
 */
export function readExtension(comment: string, line: number): Extension | string | undefined {
  if (!opening.test(comment)) return undefined;
  const [, name = "", how = "=", text = ""] = form.exec(comment) ?? [];
  if (name === "") return `not of the form "# posthorn: name = value"`;
  if (!isName(name)) return `unknown extension "${name}"`;
  if (how !== "=" && extensionNames[name] !== "list") return `"${name}" is no list: "${how}" means nothing`;
  const { parts, fault } = readExpansion(endTrimmed(text), 0, "line");
  return fault ?? { kind: "extension", line, name, how: how === "+=" || how === "-=" ? how : "=", value: parts };
}
