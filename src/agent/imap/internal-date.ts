/** INTERNALDATE of many messages: digits written straight into octets, the zone looked up once for each quarter of an hour. */
import { localOffset } from "../../message/date.ts";
import type { Output } from "../output.ts";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;
/** No clock changes its zone within one. */
const quarter = 900_000;
/** The last second that date-year can say. */
const latest = Date.UTC(9999, 11, 31, 23, 59, 59) - 86_400_000;
/** " 1-Jan-2026 00:00:00 +0000" in quotes. */
const length = 28;

export class InternalDates {
  readonly #text = Buffer.from('"dd-mmm-yyyy hh:mm:ss +hhmm"');
  #quarter = NaN;
  #offset = 0;
  #day = NaN;

  /** date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE. RFC 3501 §9 */
  write(out: Output, when: number): void {
    const time = Math.min(when, latest);
    const text = this.#text;
    const cell = Math.floor(time / quarter);
    if (cell !== this.#quarter) this.#zone(cell, time);
    const seconds = Math.floor(time / 1000) + this.#offset * 60;
    const day = Math.floor(seconds / 86_400);
    if (day !== this.#day) this.#date(day);
    const second = seconds - day * 86_400;
    two(text, 13, Math.floor(second / 3600));
    two(text, 16, Math.floor(second / 60) % 60);
    two(text, 19, second % 60);
    out.copy(text, 0, length);
  }

  #zone(cell: number, time: number): void {
    this.#quarter = cell;
    this.#offset = localOffset(time);
    const minutes = Math.abs(this.#offset);
    this.#text[22] = this.#offset < 0 ? 0x2d : 0x2b;
    two(this.#text, 23, Math.floor(minutes / 60));
    two(this.#text, 25, minutes % 60);
  }

  #date(day: number): void {
    this.#day = day;
    const date = new Date(day * 86_400_000);
    const text = this.#text;
    two(text, 1, date.getUTCDate());
    if (text[1] === 0x30) text[1] = 0x20;
    text.write(months[date.getUTCMonth()] ?? "", 4, "latin1");
    const year = date.getUTCFullYear();
    two(text, 8, Math.floor(year / 100));
    two(text, 10, year % 100);
  }
}

function two(text: Buffer, at: number, n: number): void {
  text[at] = 0x30 + Math.floor(n / 10);
  text[at + 1] = 0x30 + (n % 10);
}
