/** NORESRETRY and SUSPEND of procmail(1), with a real limit of processes: getrlimit(2), RLIMIT_NPROC, which root does not have. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bin, isRoot } from "../harness/stack.ts";
import { addUser, removeUser, type UnixUser } from "./users.ts";

const mail = "From bob@example.net Sat Nov 21 05:41:33 2026\nSubject: hello\n\nbody\n";
const prlimit = "/usr/bin/prlimit";

describe("procmail without processes to be had", { skip: !isRoot ? "needs root" : existsSync(prlimit) ? false : "there is no prlimit" }, () => {
  let user: UnixUser;
  before(() => {
    user = addUser("pmn");
  });
  after(() => removeUser(user));

  /** A first delivery starts all threads; then the limit is reached. */
  function prepare(name: string, settings: string): string {
    const directory = join(user.home, name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "log"), "");
    writeFileSync(join(directory, "rc"), `MAILDIR=${directory}\nDEFAULT=${directory}/inbox\nLOGFILE=${directory}/log\nVERBOSE=on\n${settings}:0 c\nfirst\nA=\`${prlimit} --pid $$ --nproc=1:\`\nB=\`echo hello\`\n:0\n$B\n`);
    for (const path of [directory, join(directory, "rc"), join(directory, "log")]) chownSync(path, user.uid, user.gid);
    return directory;
  }

  const asUser = (...command: readonly string[]): [string, string[]] => ["/usr/bin/setpriv", [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", "--", ...command]];

  test("goes on when there are some again", { timeout: 60_000 }, async () => {
    const directory = prepare("again", "NORESRETRY=-1\nSUSPEND=1\n");
    const log = join(directory, "log");
    const child = spawn(...asUser(bin("procmail"), "-m", join(directory, "rc")), { stdio: ["pipe", "ignore", "inherit"] });
    const exit = once(child, "exit");
    const lines = watch(log);
    const tried = (): boolean => readFileSync(log, "utf8").includes('Executing "echo,hello"');
    child.stdin.end(mail);
    while (!tried()) await once(lines, "change");
    lines.close();
    assert.equal(spawnSync(...asUser(prlimit, "--pid", String(child.pid), "--nproc=4096:")).status, 0);
    assert.deepEqual(await exit, [0, null]);
    assert.ok(existsSync(join(directory, "hello")), readFileSync(log, "utf8"));
  });

  test("gives up after so many tries, and the mail is kept", { timeout: 60_000 }, () => {
    const directory = prepare("up", "NORESRETRY=2\nSUSPEND=0\n");
    const done = spawnSync(...asUser(bin("procmail"), "-m", join(directory, "rc")), { input: mail, encoding: "utf8", timeout: 30_000 });
    const log = readFileSync(join(directory, "log"), "utf8");
    assert.deepEqual([done.status, done.stderr], [0, ""]);
    assert.match(log, /^procmail: Failed forking "echo"$/m);
    assert.match(readFileSync(join(directory, "inbox"), "utf8"), /^Subject: hello$/m);
  });
});
