/** Recipes that go wrong: the mail is delivered or waits, whole, and one line of the log says why. In the agent and in the command. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { bin } from "../../harness/stack.ts";
import { bench, type Bench } from "../agent-deliver/bench.ts";

const message = "From: bob@example.net\nTo: alice@example.org\nSubject: hello\n\nbody\n";
const isRoot = process.getuid?.() === 0;

const mailOf = (c: Case): string => (c.large === true ? message + "a line of text\n".repeat(20_000) : message);

interface Case {
  readonly name: string;
  readonly rc: string;
  /** Where the mail is in the end: a file, or a Maildir. */
  readonly at: string;
  readonly log: RegExp;
  /** More than a pipe holds. */
  readonly large?: boolean;
  readonly prepare?: (home: string) => void;
}

const cases: readonly Case[] = [
  { name: "a command that hangs", rc: "TIMEOUT=1\n:0 w\n| sleep 600\n:0\nnext\n", at: "next", log: /^procmail: Timeout, terminating "/ },
  { name: "one that hangs and will not hear of SIGTERM", rc: "TIMEOUT=1\n:0 w\n| trap '' TERM; while :; do sleep 1; done\n:0\nnext\n", at: "next", log: /^procmail: Timeout, terminating "/ },
  { name: "a condition that hangs", rc: "TIMEOUT=1\n:0\n* ? sleep 600\nyes\n:0\nnext\n", at: "next", log: /^procmail: Timeout, terminating "/ },
  { name: "a filter that hangs", rc: "TIMEOUT=1\n:0 fw\n| sleep 600\n:0\nnext\n", at: "next", log: /^procmail: Timeout, terminating "/ },
  { name: "a command that dies", rc: ":0 w\n| cat > /dev/null; kill -SEGV $$\n:0\nnext\n", at: "next", log: /^procmail: Program failure \(-11\) of "/ },
  { name: "a filter that dies half way", rc: ":0 fw\n| head -2; kill -KILL $$\n:0\nnext\n", at: "next", log: /^procmail: Program failure \(-9\) of "/ },
  { name: "a program that is not there", rc: ":0\n| no-such-program\n:0\nnext\n", at: "next", log: /^procmail: Failed to execute "no-such-program"/ },
  { name: "a daemon that keeps the pipe", rc: ":0 fw\n| cat; sleep 600 & echo $! > daemon\n:0\nnext\n", at: "next", log: /^$/ },
  { name: "a condition that leaves a daemon", rc: ":0\n* ? sleep 600 & echo $! > daemon; true\nnext\n", at: "next", log: /^$/ },
  { name: "a filter that prints 1 GB", rc: ":0 fw\n| head -c 1000000000 /dev/zero\n:0\nnext\n", at: "next", log: /^procmail: Excessive output quenched from "/ },
  { name: "a backquote that prints 1 GB", rc: "A=`head -c 1000000000 /dev/zero`\n:0\nnext\n", at: "next", log: /^procmail: (Excessive output quenched from "|Exceeded LINEBUF)/ },
  { name: "a command that prints 1 GB to nobody", rc: "LOGFILE=/dev/null\n:0 wc\n| cat > /dev/null; head -c 1000000000 /dev/zero\nLOGFILE=$HOME/log\n:0\nnext\n", at: "next", log: /^$/ },
  { name: "a command that closes its input early", rc: ":0 w\n| exec < /dev/null; cat > /dev/null\n:0\nnext\n", at: "next", large: true, log: /^procmail: Error while writing to "/ },
  { name: "a filter that closes its input early", rc: ":0 fw\n| exec < /dev/null; echo X: y\n:0\nnext\n", at: "next", large: true, log: /^procmail: Error while writing to "/ },
  { name: "a folder that is a FIFO", prepare: (home) => void execFileSync("mkfifo", [join(home, "fifo")]), rc: ":0\nfifo\n:0\nnext\n", at: "next", log: /^procmail: Error while writing to "fifo"/ },
  { name: "a folder that is a device", rc: ":0\n/dev/zero\n:0\nnext\n", at: "next", log: /^procmail: Error while writing to "\/dev\/zero"/ },
  { name: "a folder that is a link to nowhere she may write", prepare: (home) => symlinkSync("/proc/no/such", join(home, "link")), rc: ":0\nlink\n:0\nnext\n", at: "next", log: /^procmail: Error while writing to "link"/ },
  { name: "a Maildir that is a file", prepare: (home) => writeFileSync(join(home, "md"), ""), rc: ":0\nmd/\n:0\nnext\n", at: "md", log: /^procmail: Unable to treat as directory "md"/ },
  { name: "a folder in a directory that is not there", rc: ":0\nno/such/folder\n:0\nnext\n", at: "next", log: /^procmail: Error while writing to "no\/such\/folder"/ },
  { name: "a lock in a directory that is not there", rc: ":0:/no/such/place/lock\nnext\n", at: "next", log: /^procmail: Lock failure on "\/no\/such\/place\/lock"/ },
  { name: "a LOCKFILE in a directory that is not there", rc: "LOCKFILE=/no/such/place/lock\n:0\nnext\n", at: "next", log: /^procmail: Lock failure on "\/no\/such\/place\/lock"/ },
  { name: "the lock of a process that is gone", prepare: (home) => writeFileSync(join(home, "next.lock"), `${String(deadPid())}:${hostname()}`), rc: ":0:\nnext\n", at: "next", log: /^$/ },
  { name: "an rc file that is binary", rc: ":0\nnever\n\0\x01\x02\n", at: "", log: /NUL octet/ },
  { name: "an rc file of 10 MB", rc: `LOGABSTRACT=no\n${"# nothing\n".repeat(1_000_000)}:0\nnever\n`, at: "", log: /^/ },
];

/** Of a process that has ended. */
const deadPid = (): number => spawnSync("/bin/true").pid;

describe("bad input in the agent", () => {
  let b: Bench;
  beforeEach(async () => {
    b = await bench();
  });
  afterEach(() => b.close());

  for (const c of cases) {
    test(c.name, { timeout: 120_000 }, async () => {
      c.prepare?.(b.home);
      b.write(".procmailrc", `LOGFILE=$HOME/log\nLOGABSTRACT=no\nSHELL=/bin/sh\n${c.rc}`);
      const { outcome } = await b.deliver(mailOf(c));
      endDaemon(b.home);
      assert.equal(outcome.kind, "sent", outcome.text);
      const found = c.at === "" ? (b.maildir("Maildir")[0] ?? "") : b.read(c.at);
      assert.ok(found.includes(mailOf(c)), found.slice(0, 300));
      assert.ok(!b.exists("never"));
      // Without a LOGFILE the agent's own log has it.
      if (c.at === "") return;
      const said = b.exists("log") ? b.read("log") : "";
      assert.match(said.split("\n").find((line) => c.log.test(line)) ?? `nothing of it in: ${said.slice(0, 500)}`, c.log);
    });
  }
});

function endDaemon(home: string): void {
  if (existsSync(join(home, "daemon"))) process.kill(Number(readFileSync(join(home, "daemon"), "utf8")), "SIGKILL");
}

describe("bad input in the command", () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "posthorn-bad-"));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const c of cases) {
    test(c.name, { timeout: 120_000 }, () => {
      const home = mkdtempSync(join(directory, "h"));
      c.prepare?.(home);
      writeFileSync(join(home, "rc"), `HOME=${home}\nMAILDIR=${home}\nDEFAULT=${home}/default\nLOGFILE=${home}/log\nLOGABSTRACT=no\nSHELL=/bin/sh\n${c.rc}`, "latin1");
      const done = spawnSync(bin("procmail"), ["-m", `DEFAULT=${home}/default`, join(home, "rc")], { input: mailOf(c), encoding: "latin1", cwd: home, env: { PATH: process.env.PATH, TZ: "UTC" } });
      endDaemon(home);
      assert.equal(done.status, 0, done.stderr);
      const found = readFileSync(join(home, c.at === "" ? "default" : c.at), "latin1");
      assert.ok(found.includes(mailOf(c)), found.slice(0, 300));
      const said = `${existsSync(join(home, "log")) ? readFileSync(join(home, "log"), "latin1") : ""}${done.stderr}`;
      assert.match(said.split("\n").find((line) => c.log.test(line)) ?? `nothing of it in: ${said.slice(0, 500)}`, c.log);
    });
  }

  test("a full disk: the mailbox has its former length, and the mail waits (-t)", { skip: isRoot ? false : "needs root to mount" }, () => {
    const disk = mkdtempSync(join(directory, "disk"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", disk]);
    try {
      const old = "From old  Sat Nov 21 05:41:33 2026\n\nold\n\n";
      writeFileSync(join(disk, "box"), old);
      mkdirSync(join(disk, "dir"));
      for (const [folder, left] of [["box", /Error while writing to "[^"]*box": .*ENOSPC/], ["md/", /ENOSPC/], ["mh/.", /ENOSPC/], ["dir", /ENOSPC/]] as const) {
        const done = spawnSync(bin("procmail"), ["-t", "-m", `DEFAULT=${disk}/${folder}`, "/dev/null"], { input: message + "x".repeat(100_000), encoding: "latin1" });
        assert.equal(done.status, 75, `${folder}: ${done.stderr}`);
        assert.match(done.stderr, left);
      }
      assert.equal(readFileSync(join(disk, "box"), "latin1"), old);
      assert.deepEqual(execFileSync("find", [disk, "-type", "f"], { encoding: "utf8" }).trim().split("\n"), [join(disk, "box")]);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("killed amid an append: what is there is whole, and the next mail ends on a line of its own", { timeout: 120_000 }, async () => {
    const home = mkdtempSync(join(directory, "kill"));
    writeFileSync(join(home, "rc"), `:0:\n${home}/box\n`);
    const large = message + "a line of text\n".repeat(1_000_000);
    const child = spawn(bin("procmail"), ["-m", join(home, "rc")], { stdio: ["pipe", "ignore", "ignore"], cwd: home });
    child.stdin.on("error", () => {});
    child.stdin.end(large);
    const watcher = watch(home);
    while (!existsSync(join(home, "box"))) await Promise.race([once(watcher, "change"), once(child, "exit")]);
    watcher.close();
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    // The lock of the dead does not hold up the living.
    assert.equal(spawnSync(bin("procmail"), ["-m", join(home, "rc")], { input: `From bob@example.net Sat Nov 21 05:41:33 2026\n${message}`, cwd: home }).status, 0);
    const box = readFileSync(join(home, "box"), "latin1");
    assert.ok(box.endsWith(`${message}\n`));
    assert.ok(!existsSync(join(home, "box.lock")));
  });
});
