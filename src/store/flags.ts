/** Flags as sets: comparing, changing, spelling. Pure. */
import { systemFlags, type FlagChange, type Flags } from "./mailbox.ts";

export const noFlags: Flags = new Set();

const systemByLower: ReadonlyMap<string, string> = new Map(systemFlags.map((flag) => [flag.toLowerCase(), flag]));

/** A system flag in its canonical spelling; undefined for a keyword, \Recent and backslash names RFC 3501 does not know. */
export const systemFlag = (flag: string): string | undefined => systemByLower.get(flag.toLowerCase());

/** True for what may be stored as a keyword. */
export const isKeyword = (flag: string): boolean => flag !== "" && !flag.startsWith("\\");

export function sameFlags(a: Flags, b: Flags): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const flag of a) if (!b.has(flag)) return false;
  return true;
}

/** `change.flags` must already have this mailbox's spelling. */
export function changeFlags(old: Flags, change: FlagChange): Flags {
  switch (change.how) {
    case "add":
      return new Set([...old, ...change.flags]);
    case "remove":
      return new Set([...old].filter((flag) => !change.flags.has(flag)));
    case "replace":
      return change.flags;
  }
}
