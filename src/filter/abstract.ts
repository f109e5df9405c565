/** The lines about a delivery that procmail writes to LOGFILE and mailstat(1) reads. */
import type { Mail } from "./mail.ts";

const folderWidth = 60;
const subjectWidth = 78;
/** Column of the size, eight columns to a tab. */
const sizeColumn = 72;

export function abstract(mail: Mail, folder: string, octets: number): string {
  const lines = [oneLine(mail.fromLine)];
  const subject = subjectOf(mail.header);
  if (subject !== undefined) lines.push(` ${oneLine(subject).slice(0, subjectWidth)}`);
  const shown = `  Folder: ${blanks(folder).slice(0, folderWidth)}`;
  const tabs = Math.max(1, Math.ceil((sizeColumn - shown.length) / 8));
  lines.push(`${shown}${"\t".repeat(tabs)}${String(octets).padStart(7)}`);
  return lines.filter((line) => line !== "").map((line) => `${line}\n`).join("");
}

/** Its first line, with the name. */
function subjectOf(header: Buffer): string | undefined {
  for (let at = 0; at < header.length; ) {
    const lf = header.indexOf(10, at);
    const end = lf < 0 ? header.length : lf;
    if (/^subject:$/i.test(header.toString("latin1", at, at + 8))) return header.toString("latin1", at, end);
    at = end + 1;
  }
  return undefined;
}

/** As a terminal can have it. */
const blanks = (text: string): string => text.replace(/[\x00-\x1f\x7f]/g, " ");

/** Up to a newline or NUL. */
const oneLine = (text: string): string => blanks(text.replace(/[\n\0].*$/s, ""));
