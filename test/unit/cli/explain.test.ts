/** posthorn explain rc, as a user starts it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const posthorn = join(import.meta.dirname, "../../../bin/posthorn");
const env = { ...process.env, POSTHORN_FROM_SOURCE: "1" };
const mail = "From: bob@example.net\nSubject: hello\n\nbody\n";

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly errors: string;
}

const rc = (directory: string): string => `MAILDIR=${directory}
LOGFILE=${directory}/log
A=\`touch ${directory}/ran\`
:0 fw
| touch ${directory}/filtered; cat
:0 c:
box
:0
* ? touch ${directory}/asked
* ^Subject: hello
{
  TRAP="touch ${directory}/trapped"
  :0
  $WHERE/
}
`;

function inDirectory(work: (directory: string, run: (...args: string[]) => Ran) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-explain-"));
  try {
    writeFileSync(join(directory, "rc"), rc(directory), { mode: 0o600 });
    work(directory, (...args) => {
      const done = spawnSync(posthorn, ["explain", "rc", ...args], { input: mail, env, encoding: "utf8", timeout: 60_000 });
      return { status: done.status, out: done.stdout, errors: done.stderr };
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("tells where the mail would go", () =>
  inDirectory((directory, run) => {
    const { status, out, errors } = run(join(directory, "rc"), "WHERE=lists");
    assert.equal(status, 0, errors);
    assert.match(out, /10 {2}\* \^Subject: hello\n.*match: "Subject: hello" in header line 2\n/);
    assert.match(out, new RegExp(`delivered to lists/ \\(${directory}/rc line 13\\)\n$`));
  }));

test("JSON", () =>
  inDirectory((directory, run) => {
    const { out } = run(join(directory, "rc"), "WHERE=müll", "--json", "--command", "touch=0", "--command", `${directory}/asked=1`);
    const explained = JSON.parse(out) as { verdict: { kind: string; folder: string }; winner: unknown; suspicious?: string };
    assert.deepEqual(explained.verdict, { kind: "delivered", folder: "müll/" });
    assert.deepEqual(explained.winner, { file: `${directory}/rc`, line: 13 });
  }));

test("says what is wrong with the call", () =>
  inDirectory((directory, run) => {
    assert.deepEqual([run(join(directory, "none")).status, run(join(directory, "rc"), "--command", "x").status, run(join(directory, "rc"), "x").status, run(join(directory, "rc"), "--user", "no-such-user-here").status], [66, 64, 64, 67]);
  }));

test("warns when a delivery would pass over the file", () =>
  inDirectory((directory, run) => {
    spawnSync("chmod", ["o+w", join(directory, "rc")]);
    assert.match(run(join(directory, "rc"), "WHERE=x").out, /^warning: a delivery passes over this file: anyone can write it\n/);
  }));

test("what no recipe takes goes where an instance's users have their INBOX", () =>
  inDirectory((directory, run) => {
    const made = spawnSync(posthorn, ["init", join(directory, "i"), "--domain", "example.test", "--user", "alice:x"], { env, encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    writeFileSync(join(directory, "empty"), "", { mode: 0o600 });
    const { out } = run(join(directory, "empty"), "--config", join(directory, "i/etc/posthorn.conf"), "--user", "alice");
    assert.match(out, new RegExp(`Maildir ${directory}/i/mail/alice/Maildir/, .* octets\n\ndelivered to ${directory}/i/mail/alice/Maildir/ \\(no recipe took it\\)\n$`));
    assert.match(run(join(directory, "empty")).out, /delivered to \/var\/mail\/\w+ /);
  }));

test("the rc file of the host comes first, where it is root's", () =>
  inDirectory((directory, run) => {
    const made = spawnSync(posthorn, ["init", join(directory, "i"), "--domain", "example.test", "--user", "alice:x"], { env, encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    const [config, global] = [join(directory, "i/etc/posthorn.conf"), join(directory, "global")];
    appendFileSync(config, `\nglobal_procmailrc = ${global}\n`);
    writeFileSync(global, "SEEN=$PATH\n:0\n* ^Subject: hello\n* ! SEEN ?? bin:/home\n{ WHERE=from-host }\nHOST=none.of.them\nWHERE=not-this\n", { mode: 0o600 });
    const args = [join(directory, "rc"), "--config", config, "--user", "alice"];
    const { out, errors } = run(...args);
    if (process.getuid?.() === 0) assert.match(out, new RegExp(`${global}:\\n[^]*WHERE="from-host"[^]*${directory}/rc:\\n[^]*delivered to from-host/ \\(${directory}/rc line 13\\)\\n$`), errors);
    else assert.match(out, new RegExp(`^warning: ${global} is passed over: owned by somebody else\\n`), errors);
    assert.doesNotMatch(run(...args, "--no-global").out, /from-host/);
    assert.doesNotMatch(run(global, "--config", config, "--user", "alice").out, /from-host[^]*from-host/);
  }));

const strace = "/usr/bin/strace";
test("opens nothing for writing, makes nothing, starts nothing", { skip: existsSync(strace) ? false : "strace is not installed" }, () =>
  inDirectory((directory) => {
    const calls = join(directory, "calls");
    const command = [process.execPath, "--single-threaded", join(import.meta.dirname, "../../../src/cli/posthorn.ts"), "explain", "rc", join(directory, "rc"), "WHERE=x"];
    const done = spawnSync(strace, ["-f", "-o", calls, "-e", "trace=%file,%process", ...command], { input: mail, env, encoding: "utf8", timeout: 120_000 });
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /delivered to x\//);
    const lines = readFileSync(calls, "latin1").split("\n");
    const changing = /^\d+ +(open(at)?\(.*O_(WRONLY|RDWR|CREAT|TRUNC)|mkdir|rename|link|symlink|unlink|rmdir|chmod|fchmodat|chown|lchown|fchownat|truncate|utime|mknod|creat)/;
    assert.deepEqual(lines.filter((line) => changing.test(line) && !line.includes("/dev/tty") && !line.includes("/dev/null")), []);
    assert.equal(lines.filter((line) => /^\d+ +execve\(/.test(line)).length, 1);
    assert.equal(lines.filter((line) => /^\d+ +(fork|vfork)\(/.test(line)).length, 0);
  }));
