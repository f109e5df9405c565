/**
 * What a run of rules tells on its way, for whoever explains it. Effects say what is done; these say why. A run without a listener
 * makes none of them: every place is `this.trace?.({ ... })`, which looks at nothing else.
 */
import type { Octets } from "../message/octets.ts";
import type { Condition, Recipe, Weight } from "../recipe/tree.ts";

export type TraceEvent =
  /** An rc file begins, or ends by itself, by SWITCHRC or by HOST. */
  | { readonly kind: "rc"; readonly name: string; readonly entered: boolean }
  | { readonly kind: "assign"; readonly line: number; readonly name: string; readonly value: string | undefined }
  | { readonly kind: "extension"; readonly line: number; readonly name: string; readonly how: string; readonly value: string; /** What is wrong with it, or what it has done. */ readonly said: string | undefined }
  /** A recipe is reached; `chained` is the flag that keeps its conditions from being looked at. */
  | { readonly kind: "recipe"; readonly recipe: Recipe; readonly chained: "A" | "a" | "E" | "e" | undefined }
  | {
      readonly kind: "condition";
      /** As looked at: what a "$" condition has become. */
      readonly condition: Condition;
      readonly area: Octets;
      readonly exact: boolean;
      /** With the negation reckoned in. For a weighted one: it has added something. */
      readonly holds: boolean;
      readonly weighted: { readonly weight: Weight; readonly added: number; readonly score: number } | undefined;
    }
  /** All conditions are done; `score` when one had a weight. */
  | { readonly kind: "matched"; readonly recipe: Recipe; readonly matched: boolean; readonly score: number | undefined }
  /** What became of the action of a matched recipe; `folder` as in LASTFOLDER when it delivered. A block has none. */
  | { readonly kind: "action"; readonly recipe: Recipe; readonly ok: boolean; readonly folder: string | undefined }
  /** The statements of a block are done; the recipe behind it sees what came before the block. */
  | { readonly kind: "block-end" }
  /** No statement is left, or the rc file is given up: DEFAULT and ORGMAIL are tried. */
  | { readonly kind: "fall-back" }
  /** A copy of the run goes on in a block with flag c, up to its own end. */
  | { readonly kind: "clone"; readonly recipe: Recipe; readonly began: boolean };

export type Trace = (event: TraceEvent) => void;
