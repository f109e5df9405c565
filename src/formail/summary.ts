/** The log abstract of a message, as procmail writes it: procmailrc(5) LOGABSTRACT. */
import type { Edited } from "./edit.ts";

const folderColumn = 72;
const tab = 8;
const subjectWidth = 78;
const folderWidth = 61;

/** "From ...\n Subject: ...\n  Folder: name\t\t   1234\n": octets of the message in 7 columns behind the folder. */
export function summary({ fromLine, subject }: Pick<Edited, "fromLine" | "subject">, folder: Buffer, length: number): Buffer {
  const lines: string[] = [];
  if (fromLine !== undefined) lines.push(fromLine.text.toString("latin1", 0, fromLine.text.length - 1));
  if (subject !== undefined) lines.push(` ${oneLine(subject.text.toString("latin1", 0, subject.text.length - 1)).slice(0, subjectWidth)}`);
  const name = `  Folder: ${oneLine(folder.toString("latin1")).slice(0, folderWidth)}`;
  const tabs = Math.max(1, folderColumn / tab - Math.floor(name.length / tab));
  lines.push(`${name}${"\t".repeat(tabs)}${String(length).padStart(7)}`);
  return Buffer.from(`${lines.join("\n")}\n`, "latin1");
}

const oneLine = (text: string): string => text.replace(/[\t-\r]/g, " ");
