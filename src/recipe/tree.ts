/**
 * An rc file as values: what procmailrc(5) describes, before anything of it is done. Text is octets as
 * latin1 strings throughout.
 */

import type { Extension } from "./extensions.ts";

/** A piece of text that is expanded when it is reached. */
export type Part =
  | { readonly kind: "text"; readonly text: string; readonly quoted: boolean }
  /** $name ${name} ${name:-word} and so on; also $# $$ $? $_ $- $= $1. */
  | { readonly kind: "variable"; readonly name: string; readonly quoted: boolean; readonly otherwise?: { readonly operator: ":-" | "-" | ":+" | "+"; readonly word: Expansion } }
  /** $\name: the value with every character that a regular expression could take amiss escaped. */
  | { readonly kind: "disarmed"; readonly name: string }
  /** `command`: its standard output. */
  | { readonly kind: "output"; readonly command: string; readonly quoted: boolean }
  /** "$@" */
  | { readonly kind: "arguments" };

export type Expansion = readonly Part[];

export interface Weight {
  readonly w: number;
  readonly x: number;
}

export type Test =
  | { readonly kind: "regex"; readonly pattern: string }
  | { readonly kind: "program"; readonly command: string }
  | { readonly kind: "size"; readonly than: "<" | ">"; readonly octets: number; /** Not part of the number. */ readonly rest: string }
  /** A size with something to expand in it. */
  | { readonly kind: "limit"; readonly than: "<" | ">"; readonly text: Expansion }
  /** "$": expand as in double quotes, then read the result as a condition. */
  | { readonly kind: "expanded"; readonly text: Expansion };

export interface Condition {
  readonly line: number;
  /** As written, for explanations. */
  readonly text: string;
  readonly weight: Weight | undefined;
  readonly negated: boolean;
  /** "VAR ??", "B ??": what is searched instead of what the flags say. */
  readonly area: string | undefined;
  /** What stands behind weight, negation and area, as logs show it. */
  readonly shown: string;
  readonly test: Test;
}

export type Action =
  | { readonly kind: "folder"; readonly folders: Expansion }
  /** Text behind "|", as written; empty: standard output. */
  | { readonly kind: "pipe"; readonly command: string; /** VAR=| */ readonly capture: string | undefined }
  | { readonly kind: "forward"; readonly addresses: Expansion }
  | { readonly kind: "block"; readonly statements: readonly Statement[] }
  /** The file ended before the action, or it was forgotten: the recipe does not match. */
  | { readonly kind: "none" };

export type Flag = "H" | "B" | "D" | "A" | "a" | "E" | "e" | "h" | "b" | "f" | "c" | "w" | "W" | "i" | "r";

export interface Recipe {
  readonly kind: "recipe";
  readonly line: number;
  /** The first line behind its number, where it holds something to expand: flags and lock are then those of the expanded text. */
  readonly start: Expansion | undefined;
  readonly flags: ReadonlySet<Flag>;
  /** Second colon: a local lock file, named or made from the destination (undefined name). */
  readonly lock: { readonly name: Expansion | undefined } | undefined;
  readonly conditions: readonly Condition[];
  readonly action: Action;
  /** Of the action line, as written. */
  readonly actionLine: number;
  readonly actionText: string;
  /** What is wrong with its text. Where a quote is never closed it can not be done. */
  readonly actionFault: { readonly text: string; readonly open: boolean } | undefined;
}

export type Statement =
  | { readonly kind: "assign"; readonly line: number; readonly name: string; readonly value: Expansion }
  | { readonly kind: "unset"; readonly line: number; readonly name: string }
  | Extension
  | Recipe
  | Fault;

/** A message that is due when the file has been obeyed up to here. */
export interface Fault {
  readonly kind: "fault";
  readonly line: number;
  readonly text: string;
  /** Not in procmail's words: it is told with file and line. */
  readonly ours?: true;
}

/** Something procmail would skip with a message (`skipped`), or that makes the file unusable (`fatal`). */
export interface RcFault {
  readonly line: number;
  readonly text: string;
  readonly severity: "skipped" | "fatal";
}

export interface Rc {
  readonly statements: readonly Statement[];
  readonly faults: readonly RcFault[];
}
