/** Which text a pattern has matched, and where in the mail it stands. Pure. */
import { Octets } from "../message/octets.ts";
import { Regex } from "../recipe/regex/regex.ts";
import type { Condition, Recipe } from "../recipe/tree.ts";
import type { Mail } from "./mail.ts";

export interface Excerpt {
  /** latin1 text standing for octets, cut to `excerptLimit`; without the newlines that "^" and "$" ate. */
  readonly text: string;
  readonly cut: boolean;
  /** "header", "body", or the variable's name. */
  readonly area: string;
  /** Line of the area, from 1; 0 is the `From ` line; undefined for variables and for what was decoded. */
  readonly line: number | undefined;
  /** The area as a reader sees it, by an extension. */
  readonly decoded: boolean;
}

const excerptLimit = 200;

/** Leftmost, and from there longest: what a person would call the match. undefined when the pattern is faulty. */
function span(pattern: string, exact: boolean, area: Octets): { readonly start: number; readonly end: number } | undefined {
  // What stands right of "\/" is what a match tells; so it is put in front, and another one taken out.
  const whole = new Regex(`\\/(${pattern.replace(/\\./gs, (two) => (two === "\\/" ? "()" : two))})`, exact);
  return whole.fault === undefined ? whole.place(area) : undefined;
}

export function excerpt(pattern: string, exact: boolean, area: Octets, condition: Condition, recipe: Recipe, mail: Mail): Excerpt | undefined {
  const found = span(pattern, exact, area);
  if (found === undefined) return undefined;
  let { start, end } = found;
  while (start < end && area.at(start) === 10) start++;
  while (end > start && area.at(end - 1) === 10) end--;
  const cut = end - start > excerptLimit;
  return { text: area.subarray(start, cut ? start + excerptLimit : end).toBuffer().toString("latin1"), cut, ...place(start, area, condition, recipe, mail) };
}

function place(at: number, area: Octets, condition: Condition, { flags }: Recipe, mail: Mail): Pick<Excerpt, "area" | "line" | "decoded"> {
  const named = condition.area;
  const isMail = named === undefined || named === "H" || named === "B" || named === "HB" || named === "BH";
  if (!isMail) return { area: named, line: undefined, decoded: false };
  const header = named === undefined ? !flags.has("B") || flags.has("H") : named.includes("H");
  const body = named === undefined ? flags.has("B") : named.includes("B");
  const { unfolded } = mail;
  const raw = area.length === (header ? unfolded.length : 0) + (body ? mail.body.length : 0);
  const inHeader = header && (!body || at < unfolded.length);
  // Decoded text has other lengths and other lines; of two areas together even the border is not known.
  if (!raw) return { area: inHeader && body ? "header or body" : header && !body ? "header" : "body", line: undefined, decoded: true };
  const origin = inHeader ? Octets.join(Buffer.from(mail.fromLine, "latin1"), mail.header) : mail.body;
  const offset = inHeader ? at : at - (header ? unfolded.length : 0);
  const first = inHeader && mail.fromLine !== "" ? 0 : 1;
  return { area: inHeader ? "header" : "body", line: first + newlines(origin, offset), decoded: false };
}

function newlines(octets: Octets, end: number): number {
  let count = 0;
  for (const piece of octets.subarray(0, end).pieces()) for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) count++;
  return count;
}
