/** Runs Debian's procmail, where installed, to compare with. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const procmail = "/usr/bin/procmail";

export function missing(program: string): string | false {
  try {
    accessSync(program, constants.X_OK);
    return false;
  } catch {
    return `${program} is not installed`;
  }
}

export interface Question {
  readonly pattern: string;
  readonly text: string;
}

/** MATCH after a match, "unset" when nothing was marked, undefined for no match. */
export type Answer = string | "unset" | undefined;

/** Asks procmail about many patterns in one run. Patterns and texts hold no single quote; undefined when it did not finish. */
export function ask(questions: readonly Question[], flags = ""): Answer[] | undefined {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-recipe-"));
  try {
    let rc = "LINEBUF=200000\nLOGABSTRACT=no\n";
    questions.forEach(({ pattern, text }, i) => {
      rc += `T='${text}'\nMATCH=unset\n:0 ${flags}\n* T ?? ${pattern}\n{ LOG="<${String(i)}:$MATCH:${String(i)}>\n" }\n`;
    });
    writeFileSync(join(directory, "rc"), rc, "latin1");
    const run = spawnSync(procmail, ["-m", "DEFAULT=/dev/null", join(directory, "rc")], { input: "Subject: x\n\n", cwd: directory, timeout: 5000 });
    if (run.status !== 0) return undefined;
    const log = run.stderr.toString("latin1");
    return questions.map((_, i) => {
      const open = log.indexOf(`<${String(i)}:`);
      if (open < 0) return undefined;
      const from = open + String(i).length + 2;
      return log.slice(from, log.indexOf(`:${String(i)}>\n`, from));
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
