/** posthorn lint rc, as a user starts it: files that are there or not, exit codes, line ends. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { rules } from "../../../src/recipe/lint/rules.ts";
import { missing, procmail } from "../recipe/oracle.ts";

const posthorn = join(import.meta.dirname, "../../../bin/posthorn");
const env = { ...process.env, POSTHORN_FROM_SOURCE: "1" };

interface Bench {
  readonly directory: string;
  write(name: string, text: string, mode?: number): string;
  lint(...args: string[]): { readonly status: number | null; readonly out: string; readonly errors: string };
  /** LOGFILE of procmail with the file, and the folders that are there then. */
  procmail(name: string): { readonly log: string; readonly files: readonly string[] };
}

function inDirectory(work: (bench: Bench) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-lint-"));
  try {
    work({
      directory,
      write: (name, text, mode = 0o600) => {
        writeFileSync(join(directory, name), text);
        chmodSync(join(directory, name), mode);
        return join(directory, name);
      },
      lint: (...args) => {
        const done = spawnSync(posthorn, ["lint", "rc", ...args], { env, encoding: "utf8", timeout: 60_000 });
        return { status: done.status, out: done.stdout, errors: done.stderr };
      },
      procmail: (name) => {
        const settings = [`MAILDIR=${directory}`, `DEFAULT=${directory}/default`, `ORGMAIL=${directory}/orgmail`, `LOGFILE=${directory}/log`, "LOCKSLEEP=1"];
        spawnSync(procmail, [...settings, `./${name}`], { input: "Subject: x\n\n", cwd: directory, timeout: 60_000 });
        return { log: readFileSync(join(directory, "log"), "latin1"), files: readdirSync(directory) };
      },
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const ruleLines = (out: string): string[] => [...out.matchAll(/^(.*):(\d+): \w+: .* \[([\w-]+)\]$/gm)].map((m) => `${(m[1] ?? "").replace(/.*\//, "")}:${m[2] ?? ""} ${m[3] ?? ""}`);
const skip = missing(procmail);

test("a clean file: silence, and exit 0", () =>
  inDirectory(({ directory, write, lint }) => {
    assert.deepEqual(lint(write("rc", `MAILDIR=${directory}\n:0:\n* ^Subject: x\nbox\n`)), { status: 0, out: "", errors: "" });
  }));

test("notes alone are no failure, warnings and errors are, and what can not be read is another one", () =>
  inDirectory(({ directory, write, lint }) => {
    assert.equal(lint(write("rc", `MAILDIR=${directory}\n:0:\n* ^x\nbox/\n`)).status, 0);
    assert.equal(lint(write("rc", ":0\n* ^x\n| false\n")).status, 65);
    assert.equal(lint(join(directory, "none")).status, 66);
    assert.equal(lint().status, 64);
  }));

test("--rules prints every rule", () =>
  inDirectory(({ lint }) => {
    const { out, status } = lint("--rules");
    assert.equal(status, 0);
    for (const rule of Object.keys(rules)) assert.match(out, new RegExp(`^${rule} \\((error|warning|note)\\)\n    \\S`, "m"));
  }));

test("JSON, a line for each", () =>
  inDirectory(({ write, lint }) => {
    const rc = write("rc", ":0\n* ^\\s\xe4\n| false\n");
    const lines = lint("--json", rc).out.trim().split("\n").map((line) => JSON.parse(line) as { file: string; line: number; rule: string; severity: string; mend: string });
    assert.deepEqual(lines.map((l) => [l.file, l.line, l.rule, l.severity]), [[rc, 1, "pipe-without-wait", "error"], [rc, 2, "escape-is-literal", "error"]]);
    assert.equal(lines[0]?.mend, "add the flag w");
  }));

test("nothing from a file reaches the terminal unescaped", () =>
  inDirectory(({ write, lint }) => {
    const { out } = lint(write("rc", "A=1\n%\x1b[31m\x9b\n"));
    assert.match(out, /\\x1b/);
    assert.ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(out));
  }));

test("--fix takes CR out, once, and keeps mode and link", () =>
  inDirectory(({ directory, write, lint }) => {
    const real = write("real", ":0:\r\n* ^Subject: x\r\nbox\r\n", 0o640);
    symlinkSync(real, join(directory, "rc"));
    assert.deepEqual(ruleLines(lint(join(directory, "rc")).out), ["rc:1 crlf"]);
    const { errors, status } = lint("--fix", join(directory, "rc"));
    assert.match(errors, /line ends are LF now/);
    assert.equal(status, 0);
    assert.equal(readFileSync(real, "latin1"), ":0:\n* ^Subject: x\nbox\n");
    assert.equal(statSync(real).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(directory).sort(), ["rc", "real"]);
    assert.equal(lint("--fix", real).errors, "");
  }));

test("rc-loop and rc-missing, also through other files, which are looked at too", () =>
  inDirectory(({ directory, write, lint }) => {
    const rc = write("rc", `D=${directory}\nINCLUDERC=$D/a\nINCLUDERC=$D/none\n`);
    write("a", "INCLUDERC=$D/b\n");
    write("b", ":0\n* ^x\n| false\nINCLUDERC=$D/a\n");
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:3 rc-missing", "b:1 pipe-without-wait", "b:4 rc-loop"]);
  }));

test("procmail: rc-missing", { skip }, () =>
  inDirectory((b) => {
    b.write("rc", "INCLUDERC=none\n:0:\nx\n");
    const { log, files } = b.procmail("rc");
    assert.match(log, /Couldn't read "none"/);
    assert.ok(files.includes("x"));
  }));

test("procmail: rc-loop", { skip }, () =>
  inDirectory((b) => {
    b.write("rc", `INCLUDERC=${b.directory}/rc\n`);
    assert.match(b.procmail("rc").log, /Couldn't read ".*\/rc"/);
  }));

test("no-directory: MAILDIR, of a lock, of an mbox, of the log", () =>
  inDirectory(({ directory, write, lint }) => {
    const rc = write("rc", `D=${directory}\nLOGFILE=$D/none/log\n:0: $D/no2/lock\n* ^x\n$D/x\n:0:\n* ^y\n$D/no3/y\nMAILDIR=$D/no4\n:0:\n* ^z\nz\n`);
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:2 no-directory", "rc:3 no-directory", "rc:8 no-directory", "rc:9 no-directory"]);
    for (const name of ["none", "no2", "no3", "no4"]) mkdirSync(join(directory, name));
    assert.deepEqual(ruleLines(lint(rc).out), []);
  }));

test("procmail: no-directory", { skip }, () =>
  inDirectory((b) => {
    b.write("rc", `MAILDIR=${b.directory}/none\n:0: none/lock\nnone/y\n:0:\nx\n`);
    const { log, files } = b.procmail("rc");
    assert.match(log, /Couldn't chdir to ".*none"/);
    assert.match(log, /Lock failure on "none\/lock"/);
    assert.match(log, /Error while writing to "none\/y"/);
    assert.ok(files.includes("x"));
  }));

test("extensions: values that can be none, and a message that is not there", () =>
  inDirectory(({ directory, write, lint }) => {
    const rc = write("rc", `MAILDIR=${directory}\n# posthorn: decode = perhaps\n# posthorn: flags = a(b\n# posthorn: flags = $LOGNAME\n# posthorn: vacation_days = 0\n# posthorn: vacation = away\n`);
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:2 bad-extension", "rc:3 bad-extension", "rc:5 bad-extension", "rc:6 message-missing"]);
    write("away", "I am away.\n");
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:2 bad-extension", "rc:3 bad-extension", "rc:5 bad-extension"]);
  }));

test("not-writable: folders that are something else, or in something else", () =>
  inDirectory(({ directory, write, lint }) => {
    write("file", "");
    const rc = write("rc", `MAILDIR=${directory}\n:0\n* ^x\nfile/\n:0\n* ^y\nfile/x/\n:0:\n* ^z\nfile/y\n`);
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:4 not-writable", "rc:7 not-writable", "rc:10 not-writable"]);
  }));

test("procmail: not-writable", { skip }, () =>
  inDirectory((b) => {
    b.write("file", "");
    b.write("rc", ":0 c\nfile/\n:0\nfile/x/\n:0\nfile/y\n:0:\nx\n");
    const { log, files } = b.procmail("rc");
    assert.match(log, /Unable to treat as directory "file"\n/);
    assert.match(readFileSync(join(b.directory, "file"), "latin1"), /Subject: x/);
    assert.match(log, /Error while writing to "file\/x/);
    assert.match(log, /Error while writing to "file\/y/);
    assert.ok(files.includes("x"));
  }));

/** As the user of a passwd file of its own, in a mount namespace: procmail asks passwd(5) for the home. */
test("procmail: rc-ignored", { skip: skip !== false ? skip : process.getuid?.() === 0 ? false : "needs root" }, () =>
  inDirectory(({ directory, write }) => {
    write(".procmailrc", ":0:\nx\n", 0o666);
    const passwd = write("passwd", `root:x:0:0:root:${directory}:/bin/sh\n`, 0o644);
    const deliver = `procmail MAILDIR=${directory} DEFAULT=${directory}/default ORGMAIL=${directory}/orgmail LOGFILE=${directory}/log`;
    const script = `mount --bind ${passwd} /etc/passwd && cd ${directory} && { echo | ${deliver}; chmod 600 .procmailrc; chmod 777 .; echo | ${deliver}; ls; chmod 700 .; echo | ${deliver}; ls; }`;
    const done = spawnSync("/usr/bin/unshare", ["-m", "/bin/sh", "-c", script], { encoding: "utf8", timeout: 60_000 });
    assert.equal(readFileSync(join(directory, "log"), "latin1").match(/Suspicious rcfile ".*procmailrc"/g)?.length, 2, done.stderr);
    assert.equal(done.stdout, "default\nlog\npasswd\ndefault\nlog\npasswd\nx\n");
  }));

test("rc-ignored: others can write the file, or its directory", () =>
  inDirectory(({ directory, write, lint }) => {
    const rc = write("rc", `MAILDIR=${directory}\n:0:\n* ^x\nbox\n`, 0o666);
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:1 rc-ignored"]);
    chmodSync(rc, 0o600);
    chmodSync(directory, 0o777);
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:1 rc-ignored"]);
    chmodSync(directory, 0o700);
    assert.deepEqual(ruleLines(lint(rc).out), []);
  }));

test("an mbox that is a directory needs no lock", () =>
  inDirectory(({ directory, write, lint }) => {
    const rc = write("rc", `MAILDIR=${directory}\n:0\n* ^x\nbox\n`);
    assert.deepEqual(ruleLines(lint(rc).out), ["rc:2 mbox-without-lock"]);
    mkdirSync(join(directory, "box"));
    assert.deepEqual(ruleLines(lint(rc).out), []);
    assert.ok(!existsSync(join(directory, "box.lock")));
  }));
