/**
 * Names of message files: `base:2,FLAGS`, where base is `time.unique.host,S=octets,W=octets` (Maildir and Maildir++).
 * Pure. The base stays with a message for life; all that changes is what follows ":2,".
 */

/** The letters in what follows a base name: behind its last colon, as Dovecot has it. */
export function lettersIn(suffix: string): string {
  const colon = suffix.lastIndexOf(":");
  if (!suffix.startsWith(":2,", colon)) return "";
  const comma = suffix.indexOf(",", colon + 3);
  return comma < 0 ? suffix.slice(colon + 3) : suffix.slice(colon + 3, comma);
}

/** Letters ascending by ASCII, which the Maildir definition asks for, each once. */
export function sortLetters(letters: Iterable<string>): string {
  return [...new Set(letters)].sort().join("");
}

/** The name in cur/. What followed the old letters after a comma is dropped. */
export const fileName = (base: string, letters: string): string => `${base}:2,${letters}`;

/** `,S=` (octets in the file) or `,W=` (octets with CRLF) of a base name in octets; undefined when not there. */
export function sizeIn(octets: Buffer, key: "S" | "W", from = 0, to = octets.length): number | undefined {
  const letter = key.charCodeAt(0);
  // From behind: they stand at the end.
  for (let at = to - 4; at >= from; at--) {
    if (octets[at + 1] !== letter || octets[at] !== 0x2c || octets[at + 2] !== 0x3d) continue;
    let size = 0;
    let end = at + 3;
    for (; end < to && end < at + 19 && isDigit(octets[end]); end++) size = size * 10 + octets[end] - 0x30;
    return end === at + 3 ? undefined : size;
  }
  return undefined;
}

/**
 * The time of delivery that a base name begins with, as far as it tells: seconds and the `M` microseconds, in µs since the epoch; 0 when it does not.
 * Within a second a name without them comes before or behind those that have them as its next letter does before or behind "M", as in Dovecot:
 * so it gets the first or the last instant. Octets, for names are read by the hundred thousand.
 */
export function deliveryTime(octets: Buffer, from: number, to: number): number {
  let i = from;
  let seconds = 0;
  for (; i < to && i < from + 11 && isDigit(octets[i]); i++) seconds = seconds * 10 + octets[i] - 0x30;
  if (i === from || octets[i] !== 0x2e) return seconds * 1_000_000;
  let micros = 0;
  if (octets[i + 1] === 0x4d) for (i += 2; i < to && micros < 100_000_000 && isDigit(octets[i]); i++) micros = micros * 10 + octets[i] - 0x30;
  else if (octets[i + 1] > 0x4d) micros = 999_999.5;
  return seconds * 1_000_000 + micros;
}

const isDigit = (octet: number): boolean => octet >= 0x30 && octet <= 0x39;

/** Seconds since the epoch a base name begins with; undefined when it does not. */
export function timeIn(octets: Buffer, from: number, to: number): number | undefined {
  let seconds = 0;
  let i = from;
  for (; i < to && i < from + 12 && isDigit(octets[i]); i++) seconds = seconds * 10 + octets[i] - 0x30;
  return i - from >= 9 && i - from <= 11 && octets[i] === 0x2e ? seconds : undefined;
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
  const safe = /[/:,\s]/.test(host) ? host.replace(/[/:,\s]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`) : host;
  return `${seconds}.M${micros}P${pid}Q${deliveries++}.${safe},S=${size},W=${virtualSize}`;
}
