/** posthorn-rc(5) in the command procmail(1): flags in folders of any kind, answers through sendmail. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const program = join(import.meta.dirname, "../../../bin/procmail");
const me = `${userInfo().username}@${hostname()}`;
const message = `From bob@example.net  Sat Nov 21 05:41:33 2026\nFrom: bob@example.net\nTo: ${me}\nSubject: hello\n\nbody\n`;

function inDirectory(work: (directory: string, deliver: (rc: string) => number | null) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-procmail-"));
  try {
    work(directory, (rc) => {
      writeFileSync(join(directory, "rc"), `MAILDIR=${directory}\nDEFAULT=${directory}/inbox\nLOGFILE=${directory}/log\nSENDMAIL=${directory}/sendmail\n${rc}`, { mode: 0o600 });
      return spawnSync(program, ["-m", join(directory, "rc")], { input: message, env: { ...process.env, POSTHORN_FROM_SOURCE: "1" }, timeout: 60_000 }).status;
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("flags and keywords in a Maildir and in an mbox; nothing without", () =>
  inDirectory((directory, deliver) => {
    assert.equal(deliver("# posthorn: flags = seen Books\n:0 c:\nbox\n:0 c\nM/\n# posthorn: flags =\n:0\nN/\n"), 0);
    assert.match(readFileSync(join(directory, "box"), "latin1"), /^From bob@example.net [\s\S]*\nStatus: R[\s\S]*\nX-Keywords: Books/);
    assert.match(readdirSync(join(directory, "M/cur"))[0] ?? "", /:2,Sa$/);
    assert.equal(readFileSync(join(directory, "M/dovecot-keywords"), "latin1"), "0 Books\n");
    assert.equal(readdirSync(join(directory, "N/new")).length, 1);
    assert.deepEqual(readdirSync(join(directory, "N")).sort(), ["cur", "new", "tmp"]);
  }));

test("an answer, to the user's name at this host, once", () =>
  inDirectory((directory, deliver) => {
    writeFileSync(join(directory, "sendmail"), `#!/bin/sh\n(echo "$@"; cat; echo ----) >> ${directory}/sent\n`);
    chmodSync(join(directory, "sendmail"), 0o755);
    writeFileSync(join(directory, "away"), "I am away.\n");
    for (let i = 0; i < 2; i++) assert.equal(deliver(`HOME=${directory}\n# posthorn: vacation = away\n:0:\nbox\n`), 0);
    const sent = readFileSync(join(directory, "sent"), "latin1").split("----\n");
    assert.equal(sent.length, 2);
    assert.match(sent[0] ?? "", new RegExp(`^-oi -f <> -- bob@example.net\nFrom: ${me.replaceAll(".", "\\.")}\nTo: bob@example.net\nSubject: Auto: hello\n`));
    assert.match(readFileSync(join(directory, ".posthorn-vacation"), "latin1"), /^\d+ bob@example\.net [0-9a-f]{16}\n$/);
  }));
