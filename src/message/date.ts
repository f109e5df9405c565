/** Dates of messages and of IMAP. Pure: the present comes in as an argument. */

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;
const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

/** obs-zone, minutes east of UTC. RFC 5322 §4.3: military letters say nothing certain and count as -0000. */
const zones: Readonly<Record<string, number>> = { UT: 0, UTC: 0, GMT: 0, Z: 0, EST: -300, EDT: -240, CST: -360, CDT: -300, MST: -420, MDT: -360, PST: -480, PDT: -420 };

/** A moment and the clock it was written by. */
export interface ZonedDate {
  /** ms since the epoch. */
  readonly time: number;
  /** Minutes east of UTC. */
  readonly offset: number;
}

const monthNumbers: ReadonlyMap<string, number> = new Map(months.map((month, i) => [month.toLowerCase(), i]));
const monthNumber = (name: string): number => monthNumbers.get(name.slice(0, 3).toLowerCase()) ?? -1;

/** Removes comments, nested and quoted (RFC 5322 §3.2.2), in linear time. */
function withoutComments(value: string): string {
  if (!value.includes("(")) return value;
  let out = "";
  let depth = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value[i];
    if (c === "\\") i++;
    else if (c === "(") depth++;
    else if (c === ")") depth = Math.max(0, depth - 1);
    else if (depth === 0) out += c;
    if (c === ")" && depth === 0) out += " ";
  }
  return out;
}

/**
 * date-time of a Date: field. RFC 5322 §3.3, §4.3: comments, two- and three-digit years, zone names, missing seconds,
 * day of the week or zone. Also takes "Mon Jan 2 15:04:05 2006" (asctime), which old mailers write.
 *
 * @returns undefined for what is no date. Never throws.
 */
export function parseDate(value: string): ZonedDate | undefined {
  const plain = plainDate(value);
  if (plain !== undefined) return plain;
  const words = withoutComments(value.slice(0, 300)).trim().replace(/^[A-Za-z]{3,9}\s*(?:,|\.|\s)\s*(?=[\dA-Za-z])/, "");
  // A clock of twelve hours is in no form of dates that mail has.
  if (/\d\s*[AP]M\b/i.test(words)) return undefined;
  const m =
    /^(\d{1,2})[\s-]+([A-Za-z]{3,9})[\s,-]+(\d{2,4})\s+(\d{1,2})\s*[:.]\s*(\d{2})(?:\s*[:.]\s*(\d{2})(?:\.\d+)?)?(?:\s*(?:[A-Za-z]{3}\s*)?([+-]\d{4}|[A-Za-z]{1,5}))?/.exec(words);
  if (m !== null) return zoned(m[3], m[2], m[1], m[4], m[5], m[6], m[7]);
  const a = /^([A-Za-z]{3,9})\s+(\d{1,2})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s+(?:([A-Za-z]{1,5})\s+)?(\d{4})(?:\s+([+-]\d{4}))?/.exec(words);
  return a === null ? undefined : zoned(a[7], a[1], a[2], a[3], a[4], a[5], a[8] ?? a[6]);
}

/** "Sat, 21 Nov 2026 05:44:10 +0100" and whatever behind it, as nearly all dates are, with or without the day of the week; undefined for others, and for what is no date. */
function plainDate(text: string): ZonedDate | undefined {
  let at = letter(text, 0) && letter(text, 1) && letter(text, 2) && text.charCodeAt(3) === 0x2c && text.charCodeAt(4) === 0x20 ? 5 : 0;
  const long = text.charCodeAt(at + 1) !== 0x20;
  const day = long ? digits(text, at, 2) : digits(text, at, 1);
  at += long ? 2 : 1;
  //     " Nov 2026 05:44:10 +0100"
  const sign = text.charCodeAt(at + 19);
  const year = digits(text, at + 5, 4);
  const hours = digits(text, at + 20, 2);
  const minutes = digits(text, at + 22, 2);
  const [hour, minute, second] = [digits(text, at + 10, 2), digits(text, at + 13, 2), digits(text, at + 16, 2)];
  if (!(letter(text, at + 1) && letter(text, at + 2) && letter(text, at + 3))) return undefined;
  if (text[at] !== " " || text[at + 4] !== " " || text[at + 9] !== " " || text[at + 12] !== ":" || text[at + 15] !== ":" || text[at + 18] !== " " || (sign !== 0x2b && sign !== 0x2d)) return undefined;
  // Small years have other meanings.
  if (day < 0 || year < 1000 || hour < 0 || minute < 0 || second < 0 || hours < 0 || minutes < 0) return undefined;
  const east = hours * 60 + minutes;
  return moment(year, monthNumber(text.slice(at + 1, at + 4)), day, hour, minute, second, sign === 0x2d ? -east : east);
}

function letter(text: string, at: number): boolean {
  const code = text.charCodeAt(at) | 0x20;
  return code >= 0x61 && code <= 0x7a;
}

/** So many digits as a number; -1 when there are others among them. */
function digits(text: string, at: number, count: number): number {
  let number = 0;
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return -1;
    number = number * 10 + digit;
  }
  return number;
}

function zoned(y: string | undefined, mon: string | undefined, d: string | undefined, h: string | undefined, min: string | undefined, s: string | undefined, zone: string | undefined): ZonedDate | undefined {
  const month = monthNumber(mon ?? "");
  let year = Number(y);
  // RFC 5322 §4.3: 00-49 is 20xx, 50-99 is 19xx; three digits count from 1900.
  if (y?.length === 2) year += year < 50 ? 2000 : 1900;
  else if (y?.length === 3) year += 1900;
  const offset = zoneOffset(zone);
  const day = Number(d);
  const hour = Number(h);
  const minute = Number(min);
  const second = Number(s ?? 0);
  return moment(year, month, day, hour, minute, second, offset);
}

/** Undefined where there is no such time. @param month  from 0 on; less for none */
function moment(year: number, month: number, day: number, hour: number, minute: number, second: number, offset: number): ZonedDate | undefined {
  if (month < 0 || day < 1 || day > daysIn(year, month) || hour > 24 || minute > 59 || second > 60) return undefined;
  // A leap second is of the day it ends.
  return { time: Date.UTC(year, month, day, hour, minute, Math.min(second, 59)) - offset * 60_000, offset };
}

/** February is asked for seldom. */
const daysIn = (year: number, month: number): number => (month === 1 ? new Date(Date.UTC(year, 2, 0)).getUTCDate() : month === 3 || month === 5 || month === 8 || month === 10 ? 30 : 31);

/** Minutes east of UTC; an unknown or missing zone is 0. */
function zoneOffset(zone: string | undefined): number {
  if (zone === undefined) return 0;
  const m = /^([+-])(\d{2})(\d{2})$/.exec(zone);
  if (m === null) return zones[zone.toUpperCase()] ?? 0;
  const minutes = Number(m[2]) * 60 + Number(m[3]);
  return m[1] === "-" ? -minutes : minutes;
}

const twoDigits: readonly string[] = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, "0"));
const two = (n: number): string => twoDigits[n] ?? String(n);
const four = (n: number): string => String(n).padStart(4, "0");
const zoneText = (offset: number): string => `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;

/**
 * date-time for a Date: or Received: field, "Sat, 21 Nov 2026 05:44:10 +0100". RFC 5322 §3.3.
 *
 * @param time    ms since the epoch
 * @param offset  minutes east of UTC of the clock to write; see `localOffset`
 */
export function formatDate(time: number, offset = 0): string {
  const d = new Date(time + offset * 60_000);
  return `${days[d.getUTCDay()]}, ${d.getUTCDate()} ${months[d.getUTCMonth()]} ${four(d.getUTCFullYear())} ${clock(d)} ${zoneText(offset)}`;
}

const clock = (d: Date): string => `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;

/** Minutes east of UTC of this host's clock at that time. */
export const localOffset = (time: number): number => 0 - new Date(time).getTimezoneOffset();

/**
 * date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
 *
 * RFC 3501 §9, here without the quotes: " 1-Jan-2026 00:00:00 +0000", as INTERNALDATE is told.
 */
export function formatInternalDate(time: number, offset = 0): string {
  const d = new Date(time + offset * 60_000);
  return `${String(d.getUTCDate()).padStart(2, " ")}-${months[d.getUTCMonth()]}-${four(d.getUTCFullYear())} ${clock(d)} ${zoneText(offset)}`;
}

/** The same the other way, for APPEND, without the quotes; a day of one digit needs no space in front, as in Dovecot. Undefined when it does not fit the grammar or is no date. */
export function parseInternalDate(text: string): ZonedDate | undefined {
  const m = /^([ \d]?\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-]\d{4})$/.exec(text);
  return m === null ? undefined : zoned(m[3], m[2], m[1]?.trim(), m[4], m[5], m[6], m[7]);
}

/** date-text = date-day "-" date-month "-" date-year. RFC 3501 §9, for SEARCH: midnight UTC of that day, ms; undefined when it is none. */
export function parseDay(text: string): number | undefined {
  const m = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text);
  return m === null ? undefined : zoned(m[3], m[2], m[1], "0", "0", "0", undefined)?.time;
}

/** The day a clock `offset` minutes east of UTC shows, as midnight UTC of that day: SEARCH disregards time and zone (RFC 3501 §6.4.4). */
export const dayOf = (date: ZonedDate): number => Math.floor((date.time + date.offset * 60_000) / 86_400_000) * 86_400_000;

/** From_ line of mbox, asctime in UTC: "Sat Nov 21 05:44:10 2026". RFC 4155 §A. */
export function formatAsctime(time: number): string {
  const d = new Date(time);
  return `${days[d.getUTCDay()]} ${months[d.getUTCMonth()]} ${String(d.getUTCDate()).padStart(2, " ")} ${clock(d)} ${four(d.getUTCFullYear())}`;
}
