/**
 * The `From ` line that begins each message of an mbox: "From sender Sat Nov 21 05:30:00 2026". Pure. The date is asctime(3) in local
 * time, as Postfix and procmail write it; a zone before or after the year (UW, old mailers) is understood.
 */

/** Longest `From ` line that is taken for one. */
export const fromLineLimit = 1000;

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const shape =
  /^From (.{0,900}?) *(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat),? +(?:(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +(\d{1,2})|(\d{1,2}) +(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)) +(\d{1,2}):(\d{2})(?::(\d{2}))?(?: +([+-]\d{4}|[A-Z]{1,5}))? +(\d{4})(?: +([+-]\d{4}))?(?: .*)?$/;

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
  const m = line.length > fromLineLimit ? null : shape.exec(line);
  if (m === null) return undefined;
  const month = months.indexOf(m[2] ?? m[5] ?? "");
  const fields = [Number(m[10]), month, Number(m[3] ?? m[4]), Number(m[6]), Number(m[7]), Number(m[8] ?? 0)] as const;
  const zone = m[11] ?? (m[9]?.length === 5 ? m[9] : undefined);
  const minutes = zone === undefined ? undefined : Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3)));
  return { sender: m[1] ?? "", date: minutes === undefined ? new Date(...fields).getTime() : Date.UTC(...fields) - minutes * 60_000 };
}

const two = (n: number): string => String(n).padStart(2, "0");

/** With its line end. A sender that would not be one word is made one; the null sender is MAILER-DAEMON. */
export function formatFromLine(sender: string, date: number): string {
  const d = new Date(date);
  const word = sender.replace(/[^\x21-\x7e]+/g, "_").slice(0, 320);
  const time = `${days[d.getDay()]} ${months[d.getMonth()]} ${String(d.getDate()).padStart(2)} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())} ${d.getFullYear()}`;
  return `From ${word === "" ? "MAILER-DAEMON" : word} ${time}\n`;
}
