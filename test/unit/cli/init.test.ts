import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bin, root } from "../../harness/stack.ts";
import { closedTo } from "../../../src/cli/reach.ts";
import { printManual, printSample } from "../../../src/cli/config.ts";

const posthorn = (...args: string[]): { status: number | null; stdout: string; stderr: string } => spawnSync(bin("posthorn"), args, { encoding: "utf8" });

test("init writes an instance, check finds no fault, and nothing is overwritten", (t) => {
  const d = mkdtempSync(join(tmpdir(), "ph-init-"));
  t.after(() => rmSync(d, { recursive: true }));
  const made = posthorn("init", join(d, "i"), "--domain", "example.org", "--user", "alice:a:b", "--set", "hopcount_limit=7");
  assert.equal(made.status, 0, made.stderr);
  const config = join(d, "i/etc/posthorn.conf");
  assert.equal(made.stdout, `${config}\n`);
  assert.match(readFileSync(config, "utf8"), /^hopcount_limit = 7$/m);
  assert.equal(statSync(join(d, "i/etc/users")).mode & 0o777, 0o600);
  assert.equal(statSync(join(d, "i/etc/ssl/key.pem")).mode & 0o777, 0o600);
  const users = readFileSync(join(d, "i/etc/users"), "utf8");
  assert.ok(!users.includes("a:b"), "the password is not in clear");
  assert.equal(posthorn("check", "--config", config).status, 0);
  const again = posthorn("init", join(d, "i"), "--domain", "example.org", "--user", "alice:x");
  assert.equal(again.status, 73);
  assert.equal(readFileSync(join(d, "i/etc/users"), "utf8"), users);
});

test("bad calls: exit 64 and one line each", (t) => {
  const d = mkdtempSync(join(tmpdir(), "ph-init-"));
  t.after(() => rmSync(d, { recursive: true }));
  for (const [args, text] of [
    [["init", join(d, "x"), "--domain", "example.org"], /at least one --user/],
    [["init", join(d, "x"), "--domain", "example.org", "--user", "alice"], /not of the form --user NAME:PASSWORD/],
    [["init", join(d, "x"), "--domain", "example.org", "--user", "a:b", "--set", "mynetwork=1"], /unknown setting; did you mean "mynetworks"/],
    [["init", join(d, "x"), "--domain", "example.org", "--user", "a:b", "--set", "queue_run_delay=soon"], /not a duration/],
    [["init", join(d, "x"), "--domain", "-", "--user", "a:b"], /is not a domain/],
    [["frobnicate"], /Unknown argument/],
  ] as const) {
    const done = posthorn(...args);
    assert.equal(done.status, 64, done.stderr);
    assert.match(done.stderr, text);
  }
});

test("check and run refuse a bad configuration with 78 and a line per fault", (t) => {
  const d = mkdtempSync(join(tmpdir(), "ph-init-"));
  t.after(() => rmSync(d, { recursive: true }));
  posthorn("init", join(d, "i"), "--domain", "example.org", "--user", "alice:a");
  const config = join(d, "i/etc/posthorn.conf");
  spawnSync("sh", ["-c", `printf 'mynetwork = x\\nbiff = perhaps\\n' >> ${config}`]);
  for (const command of ["check", "run"]) {
    const done = posthorn(command, "--config", config);
    assert.equal(done.status, 78);
    assert.match(done.stderr, /posthorn\.conf:\d+: unknown setting "mynetwork"; did you mean "mynetworks"\?\n.*posthorn\.conf:\d+: biff: "perhaps"/);
  }
});

for (const [file, expected, option] of [["etc/posthorn.conf", printSample(), "--sample"], ["man/posthorn.conf.5", printManual(), "--man"]] as const) {
  test(`${file} is the table of settings: bin/posthorn config ${option} > ${file}`, () => {
    const [written, now] = [readFileSync(join(root, file), "utf8").split("\n"), expected.split("\n")];
    const at = now.findIndex((line, i) => line !== written[i]);
    assert.deepEqual([written[at], written.length], [now[at], now.length]);
  });
}

test("--system refuses a place other users can not reach, and run says so of programs", { skip: process.getuid?.() === 0 ? false : "wants root" }, (t) => {
  const d = mkdtempSync(join(tmpdir(), "ph-init-"));
  t.after(() => rmSync(d, { recursive: true }));
  const done = posthorn("init", join(d, "i"), "--domain", "example.org", "--system");
  assert.equal(done.status, 73);
  assert.match(done.stderr, new RegExp(`${d}/i can not serve several users: ${d} \\(mode 700\\) is closed to them`));
  assert.equal(closedTo(d), `${d} (mode 700)`);
  assert.equal(closedTo("/usr/bin/env"), undefined);
});
