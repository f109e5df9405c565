/** shadow(5), read as root. Pure except for the file. */
import { LinesFile, type ReadLines, type TableFault } from "./lines.ts";

export interface ShadowEntry {
  readonly hash: string;
  /** Days since 1970 when the password was changed; 0 asks for a new one at the next login; undefined is no aging. */
  readonly changed: number | undefined;
  /** Days a password lasts. */
  readonly maximum: number | undefined;
  /** Day since 1970 from which on the account is closed. */
  readonly expires: number | undefined;
}

/** A line that is wrong counts for nothing: the C library passes over it too, and other users must still get in. */
export const readShadow: ReadLines<ReadonlyMap<string, ShadowEntry>> = (lines) => {
  const entries = new Map<string, ShadowEntry>();
  for (const line of lines) {
    const [name = "", hash, changed = "", , maximum = "", , , expires = ""] = line.split(":");
    if (name === "" || hash === undefined || entries.has(name)) continue;
    entries.set(name, { hash, changed: day(changed), maximum: day(maximum), expires: day(expires) });
  }
  return entries;
};

const day = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);

const dayLength = 86_400_000;

/**
 * Why this account may not log in although the password is right, or undefined: pam_unix(8)'s account rules, which
 * shadow(5) describes. A password whose time is over can not be renewed over IMAP, so it is refused.
 *
 * @param now  ms since the epoch
 */
export function shadowExpired(entry: ShadowEntry, now: number): string | undefined {
  const today = Math.floor(now / dayLength);
  if (entry.expires !== undefined && today >= entry.expires) return "account has expired";
  if (entry.changed === 0) return "password must be changed";
  if (entry.changed !== undefined && entry.maximum !== undefined && today - entry.changed > entry.maximum) return "password has expired";
  return undefined;
}

/** The shadow file; `hear` is told when a changed file can not be read. */
export const shadowFile = (path: string, hear: (fault: TableFault) => void): LinesFile<ReadonlyMap<string, ShadowEntry>> => new LinesFile(path, readShadow, hear);
