/** Flags that mean nothing where they stand, in the words of procmail's messages. Pure. */
import type { Recipe } from "./tree.ts";

/** "Extraneous ... ignored": told whether the conditions match or not. */
export function extraneous({ flags, lock, action }: Pick<Recipe, "flags" | "lock" | "action">): string[] {
  const found: string[] = [];
  const block = action.kind === "block";
  if (flags.has("f") && (block || action.kind === "folder" || (action.kind === "pipe" && action.capture !== undefined))) found.push("filter-flag");
  if (!block) return found;
  if (lock !== undefined && !flags.has("c")) found.push("locallockfile");
  if (flags.has("b")) found.push("deliver-body flag");
  if (flags.has("h")) found.push("deliver-head flag");
  if (flags.has("i")) found.push("ignore-write-error flag");
  if (flags.has("r")) found.push("raw-mode flag");
  return found;
}
