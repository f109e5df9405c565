/** The lines about a delivery that procmail writes to LOGFILE and mailstat(1) reads. */
import type { Mail } from "./mail.ts";

const folderWidth = 60;
const subjectWidth = 78;
/** Column of the size, eight columns to a tab. */
const sizeColumn = 72;

export function abstract(mail: Mail, folder: string, octets: number): string {
  const subject = /^subject:.*$/im.exec(mail.unfolded.toString("latin1"))?.[0];
  const lines = [mail.fromLine.replace(/\n$/, "")];
  if (subject !== undefined) lines.push(` ${subject.slice(0, subjectWidth)}`);
  const shown = `  Folder: ${folder.replace(/\n/g, " ").slice(0, folderWidth)}`;
  const tabs = Math.max(1, Math.ceil((sizeColumn - shown.length) / 8));
  lines.push(`${shown}${"\t".repeat(tabs)}${String(octets).padStart(7)}`);
  return lines.filter((line) => line !== "").map((line) => `${line}\n`).join("");
}
