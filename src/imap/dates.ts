/** Dates of RFC 3501 §9 in commands. */
import { parseDay, parseInternalDate } from "../message/date.ts";
import type { Scanner } from "../syntax/scanner.ts";
import { octetClass, alpha, digit, union } from "../syntax/octets.ts";
import { quoted } from "./strings.ts";

const dateTextChar = union(alpha, digit, octetClass("-"));

/**
 * date = date-text / DQUOTE date-text DQUOTE
 *
 * date-text = date-day "-" date-month "-" date-year
 *
 * @returns midnight UTC of that day, ms since the epoch. Throws SyntaxFault, also for a day that does not exist.
 */
export function date(s: Scanner): number {
  const at = s.position;
  const text = s.peek() === 0x22 ? quoted(s) : s.run(dateTextChar);
  return parseDay(text.toString("latin1")) ?? s.fail("date expected", at);
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** The inverse of `date`, without quotes. */
export function printDate(day: number): string {
  const d = new Date(day);
  return `${d.getUTCDate()}-${months[d.getUTCMonth()]}-${String(d.getUTCFullYear()).padStart(4, "0")}`;
}

/**
 * date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
 *
 * @returns ms since the epoch. Throws SyntaxFault. The inverse is formatInternalDate of message/date.ts.
 */
export function dateTime(s: Scanner): number {
  const at = s.position;
  return parseInternalDate(quoted(s).toString("latin1"))?.time ?? s.fail("date-time expected", at);
}
