/** What shows in the lines of the file: line ends, what can not be read, what is too long. Pure. */
import type { Rc, RcFault } from "../tree.ts";
import { finding, type Finding } from "./rules.ts";

/** procmail's LINEBUF where nothing sets it. */
const defaultLinebuf = 2048;

export function sourceFindings(text: string, rc: Rc): Finding[] {
  const lines = text.split("\n");
  const crlf = lines.findIndex((line) => line.endsWith("\r"));
  // Each further fault is only this one again.
  if (crlf >= 0) return [finding("crlf", crlf + 1, "lines end in CRLF: procmail takes the CR for a part of names, values and patterns, and most of the file for nothing")];
  // A recipe without an action is found with the recipes.
  const found = rc.faults.filter((fault) => fault.text !== "Incomplete recipe" && fault.text !== "Missing action").map((fault) => faultFinding(fault, lines[fault.line - 1] ?? ""));
  const sets = lines.some((line) => /^\s*LINEBUF\s*=/.test(line));
  for (const [i, line] of logicalLines(lines)) {
    if (!sets && line.length > defaultLinebuf) found.push(finding("long-line", i, `longer than LINEBUF (${String(defaultLinebuf)} octets): Exceeded LINEBUF, and what stands there does not happen`));
    if (/^[ \t]*:(?![ \t]*0)/.test(line)) found.push(finding("counted-conditions", i, `the number behind the colon counts conditions that need no *; without a number it is 1`));
    if (/^[ \t]*\{[^\s]/.test(line)) found.push(finding("brace-without-blank", i, `"{" without a blank behind it begins no block: it is the name of a folder`));
  }
  return found;
}

/** Lines joined by a backslash, each with the number of its first. */
function* logicalLines(lines: readonly string[]): Generator<readonly [number, string]> {
  let whole = "";
  let first = 1;
  for (const [i, line] of lines.entries()) {
    if (whole === "") first = i + 1;
    if (line.endsWith("\\") && !/^[ \t]*#/.test(line)) {
      whole += line.slice(0, -1);
      continue;
    }
    yield [first, whole + line];
    whole = "";
  }
  if (whole !== "") yield [first, whole];
}

function faultFinding({ line, text }: RcFault, source: string): Finding {
  if (/closing brace unexpected/i.test(text)) return finding("extra-brace", line, "there is no block to close here: Closing brace unexpected");
  if (/missing closing brace/i.test(text)) return finding("missing-brace", line, "this block is never closed: all that follows belongs to it");
  if (/unclosed|substitution|Unexpected EOL|Runaway/i.test(text)) return finding("bad-expansion", line, `${text}: what follows is taken for a part of it`);
  if (/extension|posthorn:|is no list/.test(text)) return finding("bad-extension", line, text);
  if (/^[ \t]*:/.test(source)) return finding("unknown-flag", line, `${text}: the recipe goes on without it`);
  return finding("skipped-line", line, `${text}: procmail can do nothing with it`);
}
