/** To the real procmail an rc file with extensions is the same rc file: every case with and without them, before each recipe. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { logOf, makeTools, prepare, tree } from "../procmail/home.ts";
import { messages } from "../procmail/messages.ts";
import { readCases, type Case } from "../procmail/read-cases.ts";
import { theirs } from "../procmail/theirs.ts";
import { missing, procmail } from "../recipe/oracle.ts";

const extensions = "# posthorn: decode = yes\n\t#posthorn:flags += \\Seen '$Junk' \"a b\" `id` $HOME\n#   posthorn: vacation = $HOME/.vacation.msg\n# posthorn: nonsense {\n";

/** Before every recipe: within blocks too. A line that goes on from the one before is left alone. */
function extended(rc: string): string {
  const lines = rc.split("\n");
  return extensions + lines.map((line, i) => (/^[ \t]*:0/.test(line) && !(lines[i - 1] ?? "").endsWith("\\") ? extensions + line : line)).join("\n");
}

interface Outcome {
  readonly exit: number;
  readonly output: string;
  readonly log: string;
  readonly tree: ReadonlyMap<string, string>;
}

async function outcome(directory: string, tools: string, c: Case, message: Buffer): Promise<Outcome> {
  mkdirSync(directory);
  const rc = prepare(directory, tools, c, false);
  const { exit, output } = await theirs(directory, rc, message, []);
  return { exit, output: output.replaceAll(directory, "$D"), log: sorted(logOf(directory)), tree: tree(directory, c) };
}

/**
 * Cases in which any two runs of procmail differ: the number of the process, the time, an inode, who is first at a pipe, octets that nobody wrote; and
 * those in which a quote is open where a comment would be put.
 */
const left = (c: Case): boolean => /\$\$|\bdate\b|MSGPREFIX|exec </.test(c.rc) || /open|quote|final newline/.test(c.name);

const races = 5;

/** Lines of a clone come when it has time; of a mail without a postmark procmail logs octets that nobody wrote. */
const sorted = (log: string): string =>
  log
    .split("\n")
    .filter((line) => /^(?:procmail: |From | Subject:|  Folder: )/.test(line))
    .sort()
    .join("\n");

test("with and without", { skip: missing(procmail), concurrency: 24 }, async (t) => {
  const plain = messages.find((m) => m.name === "plain");
  assert.ok(plain !== undefined);
  const directory = mkdtempSync(join(tmpdir(), "posthorn-extensions-"));
  const tools = join(directory, "tools");
  makeTools(tools);
  try {
    const cases = readCases().filter((c) => /^[ \t]*:0/m.test(c.rc) && !left(c));
    assert.ok(cases.length >= 150, String(cases.length));
    await Promise.all(
      cases.map((c, i) =>
        t.test(c.name, async () => {
          for (let again = 1; ; again++) {
            const without = await outcome(join(directory, `${String(i)}.${String(again)}a`), tools, c, plain.octets);
            const within = await outcome(join(directory, `${String(i)}.${String(again)}b`), tools, { ...c, rc: extended(c.rc) }, plain.octets);
            if (isDeepStrictEqual(within, without)) return;
            // A command that does not read may end before or behind the write; that comes out equal sooner or later, a difference never.
            if (again === races) assert.deepEqual(within, without);
          }
        }),
      ),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
