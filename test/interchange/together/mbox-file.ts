/** Is a file an mbox, as any program would read it? */
import { readFileSync } from "node:fs";

const fromLine = /^From \S+ +(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

/** What is wrong with it: each message begins with a From line behind an empty line, has a header, and UIDs ascend. */
export function mboxFaults(path: string): string[] {
  const faults: string[] = [];
  const text = readFileSync(path, "latin1");
  if (text.includes("\0")) faults.push("NUL octets");
  if (text !== "" && !text.startsWith("From ")) faults.push(`begins with ${JSON.stringify(text.slice(0, 40))}`);
  if (text !== "" && !text.endsWith("\n")) faults.push("does not end with a line end");
  let last = 0;
  const lines = text.split("\n");
  lines.forEach((line, i) => {
    // Dovecot leaves a line of text that begins so as it is where nobody could take it for the start of a message.
    if (!fromLine.test(line)) return;
    if (i > 0 && lines[i - 1] !== "") faults.push(`line ${i + 1}: no empty line before ${line}`);
    const end = lines.indexOf("", i);
    const header = lines.slice(i + 1, end < 0 ? lines.length : end);
    const rubbish = header.find((field) => !/^[\x21-\x39\x3b-\x7e]+:|^[ \t]/.test(field));
    if (rubbish !== undefined) faults.push(`line ${i + 1}: header line ${JSON.stringify(rubbish.slice(0, 80))}`);
    const uids = header.flatMap((field) => /^X-UID: *(\d+)/.exec(field)?.[1] ?? []).map(Number);
    if (uids.length > 1) faults.push(`line ${i + 1}: X-UID ${uids.join(" and ")}`);
    if (uids.some((uid) => uid <= last)) faults.push(`line ${i + 1}: X-UID ${uids[0]} after ${last}`);
    last = uids[0] ?? last;
  });
  return faults;
}
