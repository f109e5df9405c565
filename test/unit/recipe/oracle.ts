/** Runs Debian's procmail, where installed, to compare with. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
  /** Octets as latin1, no NUL, not ending in a blank or a backslash. */
  readonly pattern: string;
  /** The value of a variable: no NUL, no single quote. */
  readonly text: string;
}

/** What procmail says: "hang" when it did not come to an end. */
export type Answer = "hang" | { readonly score: number; readonly match: string; readonly invalid: boolean };

/** MATCH, and $= of a condition that counts; "unset" is what MATCH is before. */
const reply = (i: number): string => `LOG="$=,$MATCH:${String(i)}>\n"\n`;

/** A backslash in front keeps what follows from being a sign of the condition, but also a macro from being one. */
const quoted = (pattern: string): string => (pattern.startsWith("^") ? "" : "\\") + pattern;

/** Asks about many patterns in one run. `weight` in front of the condition makes $= a score; without, the score is 1 for a match. `quote` is false for patterns written as in an rc file. */
export function ask(questions: readonly Question[], flags = "", weight = "1^0 ", quote = true): Answer[] {
  return answers(
    questions.map(({ pattern, text }) => `T='${text}'\nMATCH=unset\n:0 ${flags}\n* ${weight}T ?? ${quote ? quoted(pattern) : pattern}\n{ }\n`),
    Buffer.from("Subject: x\n\n"),
  );
}

/** Asks about many patterns in a part of one mail: H, B or HB. */
export function askMail(patterns: readonly string[], mail: Buffer, area: "H" | "B" | "HB"): Answer[] {
  return answers(
    patterns.map((pattern) => `MATCH=unset\n:0\n* 1^0 ${area} ?? ${quoted(pattern)}\n{ }\n`),
    mail,
  );
}

/** procmail writes its log in large pieces, so who hangs it is found by asking for fewer. */
function answers(recipes: readonly string[], mail: Buffer): Answer[] {
  const found = run(recipes, mail, recipes.length === 1 ? 1000 : 150 + recipes.length);
  if (found.length === recipes.length) return found;
  if (recipes.length === 1) return ["hang"];
  const rest = recipes.slice(found.length);
  const first = Math.max(1, rest.length >> 2);
  return [...found, ...answers(rest.slice(0, first), mail), ...answers(rest.slice(first), mail)];
}

/** The answers until procmail hung. */
function run(recipes: readonly string[], mail: Buffer, timeout: number): Answer[] {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-recipe-"));
  try {
    const rc = join(directory, "rc");
    writeFileSync(rc, "LINEBUF=200000\nLOGABSTRACT=no\n" + recipes.map((recipe, i) => `LOG="<${String(i)}:"\n${recipe}${reply(i)}`).join(""), "latin1");
    const { stderr } = spawnSync(procmail, ["-m", "DEFAULT=/dev/null", rc], { input: mail, cwd: directory, timeout, killSignal: "SIGKILL", maxBuffer: 1e9 });
    const log = stderr.toString("latin1");
    const found: Answer[] = [];
    let at = 0;
    for (let i = 0; i < recipes.length; i++) {
      const open = `<${String(i)}:`;
      const from = log.indexOf(open, at);
      at = log.indexOf(`:${String(i)}>\n`, from);
      if (from < 0 || at < 0) break;
      const said = log.slice(from + open.length, at);
      const values = /^((?:procmail: .*\n)*)(-?\d+),([^]*)$/.exec(said);
      if (values === null) throw new Error(`procmail says ${JSON.stringify(said)}`);
      found.push({ score: Number(values[2]), match: values[3] ?? "", invalid: (values[1] ?? "").includes("Invalid regexp") });
    }
    return found;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
