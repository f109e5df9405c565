/** The same rc file and mail through Debian's procmail and ours: the same files with the same octets. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import { bench } from "../agent-deliver/bench.ts";
import { deliveryFields } from "../../../src/agent/deliver/envelope.ts";
import { asctime } from "../../../src/mda/from-line.ts";
import { lasting } from "../procmail/lasting.ts";
import { quiet } from "../procmail/quiet.ts";
import { missing, procmail } from "../recipe/oracle.ts";
import cases from "./cases.ts";

const message = "From: Bob B <bob@example.net>\nTo: Alice <alice@example.org>\nSubject: hello\nX-Folded: one\n\ttwo\n\nfirst line\nFrom second line\nthe end\n";
const arrived = Date.UTC(2026, 10, 21);

/** Recipes that our process does not obey the same way on purpose. */
function prepare(directory: string, rc: string): void {
  mkdirSync(join(directory, "sub"));
  writeFileSync(join(directory, "inc"), "FROM_INC=yes\n:0\n* INC ?? 1\nincluded/\n");
  writeFileSync(join(directory, "host"), "HOST=nowhere\n:0\nno/\n");
  writeFileSync(join(directory, "show"), `#!/bin/sh\ncat > /dev/null\nfor a; do echo "[$a]"; done > ${directory}/shown\n`);
  writeFileSync(join(directory, "sendmail"), `#!/bin/sh\n(echo "$@"; cat) > ${directory}/sent\n`);
  chmodSync(join(directory, "show"), 0o755);
  chmodSync(join(directory, "sendmail"), 0o755);
  const head = `SHELL=/bin/sh\nHOME=${directory}\nD=${directory}\nMAILDIR=${directory}\nORGMAIL=${directory}/orgmail\nDEFAULT=${directory}/inbox/\nLOGABSTRACT=no\nLOGFILE=${directory}/log\n`;
  writeFileSync(join(directory, ".procmailrc"), head + rc, { mode: 0o600 });
}

/** Files and what is in them; names that are never the same are replaced. */
function tree(directory: string, at = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(directory, at)).sort()) {
    const path = at === "" ? name : `${at}/${name}`;
    if (statSync(join(directory, path)).isDirectory()) {
      const inside = tree(directory, path);
      const isMaildir = existsSync(join(directory, path, "new"));
      for (const [file, text] of Object.entries(inside)) {
        const shown = isMaildir || /\/msg\.[^/]*$/.test(file) ? file.replace(/[^/]*$/, "*") : file;
        found[shown] = (found[shown] ?? "") + text;
      }
    } else if (path === "log") {
      // What they say of themselves is worded otherwise.
      const said = readFileSync(join(directory, path), "latin1").replaceAll(directory, "$D").replace(/^procmail: .*\n/gm, "").replace(/^\/bin\/sh: .*\n/gm, "");
      if (said !== "") found[path] = said;
    } else if (!["inc", "host", "show", "sendmail", ".procmailrc", "posthorn.log", "s"].includes(path)) {
      found[path] = readFileSync(join(directory, path), "latin1").replaceAll(directory, "$D");
    }
  }
  return found;
}

const skip = missing(procmail);

/** What is not the same, for people. */
async function differences(rc: string): Promise<readonly string[]> {
  const theirs = mkdtempSync(join(tmpdir(), "posthorn-procmail-"));
  const b = await bench();
  try {
    prepare(theirs, rc);
    prepare(b.home, rc);
    const fields = deliveryFields({ sender: "bob@example.net", recipient: "alice@example.org", original: "alice@example.org", arrived });
    const run = spawnSync(procmail, ["-m", join(theirs, ".procmailrc")], { input: `From bob@example.net  ${asctime(arrived)}\n${fields}${message}`, cwd: theirs, timeout: 20_000 });
    const { outcome } = await b.deliver(message);
    await quiet(b.home);
    const ended = (delivered: boolean): string => (delivered ? "delivered" : "not delivered");
    const [mine, original] = [{ ...tree(b.home), "": ended(outcome.kind === "sent") }, { ...tree(theirs), "": ended(run.status === 0) }];
    return isDeepStrictEqual(mine, original) ? [] : [`procmail: ${String(run.status)}; ours: ${outcome.text}\n--- procmail\n${inspect(original)}\n--- ours\n${inspect(mine)}`];
  } finally {
    await b.close();
    rmSync(theirs, { recursive: true });
  }
}

for (const [name, rc] of cases) {
  test(`rc: ${name}`, { skip }, async () => {
    assert.equal((await lasting(() => differences(rc))).join("\n"), "");
  });
}
