/**
 * The `From ` line that begins each message of an mbox: "From sender Sat Nov 21 05:30:00 2026". Pure. The date is asctime(3) in local
 * time, as Postfix and procmail write it; a zone before or after the year (UW, old mailers) is understood (Dovecot passes over one before it).
 */

/** Longest `From ` line that is taken for one. */
export const fromLineLimit = 1000;

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** What Dovecot takes for one: a word (or a quoted string at its start), then asctime(3) or an RFC 5322 date; what follows the year is not looked at. */
const asctime = String.raw`[a-z]{3} (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) {1,2}(\d{1,2}) (\d\d):(\d\d)(?::(\d\d))?(?: +([+-]\d{4}|[a-z][a-z0-9]{0,9}))? +(\d{4})(?: +([+-]\d{4}))?`;
const mailDate = String.raw`[a-z]{3}, (\d{1,2}) (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-]\d{4}|[a-z]{1,5})`;
const shape = new RegExp(`^From ((?:"[^"]*"|[^" ])[^ ]*) +(?:${asctime}|${mailDate})`, "i");

export interface FromLine {
  readonly sender: string;
  /** ms since the epoch. */
  readonly date: number;
}

/**
 * @param line without its line end
 * @returns undefined when it is a line of text that happens to begin with "From "
 */
export function parseFromLine(line: string): FromLine | undefined {
  const m = line.length > fromLineLimit || !line.startsWith("From ") ? null : shape.exec(line);
  if (m === null) return undefined;
  const [month, day, hour, minute, second, year] = m[2] === undefined ? [m[11], m[10], m[13], m[14], m[15], m[12]] : [m[2], m[3], m[4], m[5], m[6] ?? "0", m[8]];
  const fields = [Number(year), months.findIndex((name) => name.toLowerCase() === month?.toLowerCase()), Number(day), Number(hour), Number(minute), Number(second)] as const;
  const zone = [m[9], m[7], m[16]].find((text) => text !== undefined && /^[+-]/.test(text));
  const minutes = zone === undefined ? undefined : Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3)));
  // "GMT" of an RFC 5322 date is meant; names of zones in the other form are local time.
  const utc = minutes ?? (m[16] === undefined ? undefined : 0);
  return { sender: m[1] ?? "", date: utc === undefined ? new Date(...fields).getTime() : Date.UTC(...fields) - utc * 60_000 };
}

const two = (n: number): string => String(n).padStart(2, "0");

/** With its line end. A sender that would not be one word is made one; the null sender is MAILER-DAEMON. */
export function formatFromLine(sender: string, date: number): string {
  const d = new Date(date);
  const word = sender.replace(/[^\x21-\x7e]+/g, "_").slice(0, 320);
  const time = `${days[d.getDay()]} ${months[d.getMonth()]} ${String(d.getDate()).padStart(2)} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())} ${d.getFullYear()}`;
  return `From ${word === "" ? "MAILER-DAEMON" : word} ${time}\n`;
}
