/**
 * Names of message files: `base:2,FLAGS`, where base is `time.unique.host,S=octets,W=octets` (Maildir and Maildir++).
 * Pure. The base stays with a message for life; all that changes is what follows ":2,".
 */

export interface FileName {
  /** Up to the colon. */
  readonly base: string;
  /** Flag letters and keyword letters, as found; "" without ":2,". */
  readonly letters: string;
}

export function parseFileName(file: string): FileName {
  const colon = file.indexOf(":");
  if (colon < 0) return { base: file, letters: "" };
  const letters = file.startsWith("2,", colon + 1) ? file.slice(colon + 3) : "";
  // Other programs may add ",x=y" after the flags; those are no flags.
  const comma = letters.indexOf(",");
  return { base: file.slice(0, colon), letters: comma < 0 ? letters : letters.slice(0, comma) };
}

/** Letters ascending by ASCII, which the Maildir definition asks for, each once. */
export function sortLetters(letters: Iterable<string>): string {
  return [...new Set(letters)].sort().join("");
}

/** The name in cur/. What followed the old letters after a comma is dropped. */
export const fileName = (base: string, letters: string): string => `${base}:2,${letters}`;

/** `,S=` (octets in the file) or `,W=` (octets with CRLF) of a base name; undefined when not there. */
export function sizeIn(base: string, key: "S" | "W"): number | undefined {
  let at = base.indexOf(`,${key}=`);
  if (at < 0) return undefined;
  let size = 0;
  let digits = 0;
  for (at += 3; at < base.length && digits < 16; at++, digits++) {
    const digit = base.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) break;
    size = size * 10 + digit;
  }
  return digits === 0 ? undefined : size;
}

/** Order of delivery as far as names tell: seconds, then the `M` microseconds, then the name. */
export function byDelivery(a: string, b: string): number {
  const seconds = Number.parseInt(a, 10) - Number.parseInt(b, 10);
  if (seconds !== 0 && !Number.isNaN(seconds)) return seconds;
  const micros = microseconds(a) - microseconds(b);
  if (micros !== 0) return micros;
  return a < b ? -1 : a > b ? 1 : 0;
}

const microseconds = (base: string): number => Number(/^\d+\.M(\d+)/.exec(base)?.[1] ?? 0);

/** Seconds since the epoch a base name begins with; undefined when it does not. */
export function timeIn(base: string): number | undefined {
  const m = /^(\d{9,11})\./.exec(base);
  return m === null ? undefined : Number(m[1]);
}

let deliveries = 0;

/**
 * A name no other delivery has: time, microseconds, process, how many this process made before, host with
 * "/" ":" and "," written as octal (they have a meaning in names).
 *
 * @param now ms since the epoch, fractions welcome
 */
export function uniqueName(now: number, pid: number, host: string, size: number, virtualSize: number): string {
  const seconds = Math.floor(now / 1000);
  const micros = Math.floor((now - seconds * 1000) * 1000);
  const safe = host.replace(/[/:,\s]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return `${seconds}.M${micros}P${pid}Q${deliveries++}.${safe},S=${size},W=${virtualSize}`;
}
