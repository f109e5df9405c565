/**
 * Cases from files: rc files one after another, each below a line "#### name". A line "#### file NAME" begins a file that lies
 * beside the rc file of the case above it, "#### program NAME" one that may be executed. $D is the directory that a program works in.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface Extra {
  readonly name: string;
  readonly mode: number;
  readonly text: string;
}

export interface Case {
  /** "actions: pipe" */
  readonly name: string;
  readonly rc: string;
  readonly extras: readonly Extra[];
}

const directory = new URL("./cases/", import.meta.url);

export function readCases(): Case[] {
  return readdirSync(directory).filter((name) => name.endsWith(".rc")).sort().flatMap((file) => parse(file.replace(/\.rc$/, ""), readFileSync(new URL(file, directory), "latin1")));
}

function parse(group: string, text: string): Case[] {
  const cases: { name: string; rc: string; extras: Extra[] }[] = [];
  for (const piece of text.split(/^#### /m).slice(1)) {
    const lf = piece.indexOf("\n");
    const title = piece.slice(0, lf).trim();
    // Empty lines between cases are for the reader.
    const body = unescape(piece.slice(lf + 1).replace(/\n+$/, "\n"));
    const extra = /^(file|program) (\S+)$/.exec(title);
    if (extra?.[2] === undefined) cases.push({ name: `${group}: ${title}`, rc: body, extras: [] });
    else cases.at(-1)?.extras.push({ name: extra[2], mode: extra[1] === "program" ? 0o755 : 0o600, text: body });
  }
  return cases;
}

/** What an editor would not keep: <CR>, <NUL>, <NONL> (no newline at the end), <BLANK>. */
const unescape = (text: string): string => text.replaceAll("<CR>", "\r").replaceAll("<NUL>", "\0").replaceAll("<BLANK>", " ").replace(/<NONL>\n$/, "");
