/** Flags that mean nothing where they stand, in the words of procmail's messages. Pure. */
import type { Recipe } from "../recipe/tree.ts";

export function extraneousOnBlock({ flags, lock }: Recipe): string[] {
  const found: string[] = [];
  if (lock !== undefined && !flags.has("c")) found.push("locallockfile");
  if (flags.has("f")) found.push("filter-flag");
  if (flags.has("h")) found.push("deliver-head flag");
  if (flags.has("b")) found.push("deliver-body flag");
  if (flags.has("i")) found.push("ignore-write-error flag");
  if (flags.has("r")) found.push("raw-mode flag");
  return found;
}
