/** Whose rights procmail(1) uses: /etc/procmailrc as root, the rest as the recipient; and what signals do to it. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { bin, isRoot } from "../harness/stack.ts";
import { addUser, owned, removeUser, type UnixUser } from "./users.ts";

const mail = "From bob@example.net Sat Nov 21 05:41:33 2026\nSubject: hello\n\nbody\n";

describe("procmail and rights", { skip: isRoot ? false : "needs root" }, () => {
  let user: UnixUser;
  let directory: string;

  before(() => {
    user = addUser("pmr");
    directory = mkdtempSync(join(tmpdir(), "posthorn-procmail-"));
  });
  after(() => {
    removeUser(user);
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    rmSync(user.home, { recursive: true, force: true });
    mkdirSync(user.home, { mode: 0o755 });
    chownSync(user.home, user.uid, user.gid);
    rmSync(`/var/mail/${user.name}`, { force: true });
  });

  function own(text: string): void {
    writeFileSync(join(user.home, ".procmailrc"), text, { mode: 0o600 });
    chownSync(join(user.home, ".procmailrc"), user.uid, user.gid);
  }

  /** In a mount namespace of its own, with these files in /etc. */
  function inEtc(files: Readonly<Record<string, string>>, args: readonly string[], as = "", owner?: UnixUser): { readonly status: number | null; readonly err: string } {
    const upper = mkdtempSync(join(directory, "etc-"));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(upper, name, ".."), { recursive: true });
      writeFileSync(join(upper, name), text);
      if (owner !== undefined) chownSync(join(upper, name), owner.uid, owner.gid);
    }
    const script = 'mount -t tmpfs none "$0" && mkdir "$0/u" "$0/w" && cp -a "$1/." "$0/u" && chmod -R a+rX "$0/u" && mount -t overlay -o "lowerdir=/etc,upperdir=$0/u,workdir=$0/w" none /etc && shift && cd / && exec "$@"';
    const scratch = mkdtempSync(join(directory, "o-"));
    const done = spawnSync("/usr/bin/unshare", ["-m", "/bin/sh", "-c", script, scratch, upper, ...as.split(" ").filter((word) => word !== ""), bin("procmail"), ...args], { input: mail, encoding: "utf8", env: { TZ: "UTC", PATH: "/usr/bin:/bin" }, timeout: 60_000 });
    return { status: done.status, err: done.stderr };
  }

  const file = (name: string): string => readFileSync(join(user.home, name), "utf8");

  test("/etc/procmailrc runs as root with a safe PATH, ~/.procmailrc as the user", () => {
    own("SHELL=/bin/sh\nLOG=`(id -u; id -g; id -G; pwd; echo $PATH; cat /proc/self/status | grep CapEff) > own; echo`\n:0\nbox\n");
    // A directory of root's alone; /tmp is everybody's.
    const log = "/var/log/posthorn-procmail-test";
    try {
      const { status, err } = inEtc({ procmailrc: `SHELL=/bin/sh\nX=\`(id -u; pwd; echo $PATH) > ${log}\`\n` }, ["-d", user.name]);
      assert.deepEqual([status, err], [0, ""]);
      assert.equal(readFileSync(log, "utf8"), "0\n/\n/usr/local/bin:/usr/bin:/bin\n");
    } finally {
      rmSync(log, { force: true });
    }
    assert.equal(file("own"), `${user.uid}\n${user.gid}\n${user.gid}\n${user.home}\n${user.home}/bin:/usr/local/bin:/usr/bin:/bin\nCapEff:\t0000000000000000\n`);
    assert.equal(owned(join(user.home, "box")), `${user.uid}:${user.gid} 600`);
  });

  test("DROPPRIVS in it takes the user's rights", () => {
    own(":0\nbox\n");
    inEtc({ procmailrc: "SHELL=/bin/sh\nDROPPRIVS=yes\nX=`id -u > $HOME/who`\n" }, ["-d", user.name]);
    assert.equal(file("who"), `${user.uid}\n`);
  });

  test("root's rights never touch what the user could have put there", () => {
    own(":0\nbox\n");
    const secret = join(directory, "secret");
    writeFileSync(secret, "secret\n", { mode: 0o600 });
    assert.equal(spawnSync("/bin/ln", ["-s", secret, join(user.home, "log")]).status, 0);
    const { err } = inEtc({ procmailrc: `LOGFILE=$HOME/log\nLOG="written\n"\n:0c\n$HOME/copy\n` }, ["-d", user.name]);
    assert.match(err, /Assuming identity of the recipient before touching/);
    assert.equal(readFileSync(secret, "utf8"), "secret\n");
    assert.equal(owned(join(user.home, "copy")), `${user.uid}:${user.gid} 600`);
  });

  test("a user's own call runs it as the user; a named rc file or -p keeps it out", () => {
    const identity = `/usr/bin/setpriv --reuid=${String(user.uid)} --regid=${String(user.gid)} --init-groups --`;
    const files = { procmailrc: "SHELL=/bin/sh\nX=`id -u > $HOME/who`\n:0\n$HOME/global\n" };
    inEtc(files, [], identity);
    assert.equal(file("who"), `${user.uid}\n`);
    assert.ok(existsSync(join(user.home, "global")));
    for (const args of [["-p", `DEFAULT=${user.home}/box`], ["/dev/null", `DEFAULT=${user.home}/box`], ["-m", `DEFAULT=${user.home}/box`, "/dev/null"]]) {
      rmSync(join(user.home, "global"), { force: true });
      assert.equal(inEtc(files, args, identity).status, 0, args.join(" "));
      assert.ok(!existsSync(join(user.home, "global")), args.join(" "));
    }
  });

  test("an rc file of /etc/procmailrcs gives root its owner's identity", () => {
    const files = { "procmailrcs/filter": `SHELL=/bin/sh\nWORDS="$1 $2"\n:0 i\n| (id -u; id -G; echo $WORDS) > ${user.home}/who\n` };
    assert.deepEqual(inEtc(files, ["-m", "/etc/procmailrcs/filter", "one", "two"], "", user), { status: 0, err: "" });
    assert.equal(file("who"), `${user.uid}\n${user.gid}\none two\n`);
    // Root's own stays root's, and nobody else gets anything from it.
    assert.equal(inEtc(files, ["-m", "/etc/procmailrcs/filter"]).status, 0);
    assert.equal(file("who").split("\n")[0], "0");
  });

  describe("signals", () => {
    const rc = 'LOGFILE=log\nTRAP="touch trapped"\n:0 w\n| touch started; sleep 60 >/dev/null 2>&1 & echo $! > pid; wait; touch ended\n:0\nrescued\n';
    for (const [signal, status, folder] of [["SIGTERM", 75, "**Requeued**"], ["SIGHUP", 73, "**Bounced**"], ["SIGINT", 73, "**Bounced**"], ["SIGQUIT", 0, undefined]] as const) {
      test(`${signal} ends it with ${String(status)}`, async () => {
        const ended = await signalled(signal, rc);
        assert.equal(ended, status);
        const log = file("log");
        assert.match(log, /^procmail: Terminating prematurely$/m);
        if (folder !== undefined) assert.ok(log.includes(`  Folder: ${folder}`), log);
        for (const name of ["ended", "trapped", "rescued"]) assert.ok(!existsSync(join(user.home, name)), name);
      });
    }

    test("SIGALRM ends the command as its time limit would, and the next recipe runs", async () => {
      assert.equal(await signalled("SIGALRM", rc), 0);
      assert.match(file("log"), /^procmail: Timeout, terminating "/m);
      assert.ok(existsSync(join(user.home, "rescued")));
    });

    test("SIGUSR2 and SIGUSR1 turn VERBOSE on and off, and open no debugger", async () => {
      own("LOGFILE=log\n:0 wc\n| touch started; while [ ! -e go ]; do sleep 0.05; done\nA=b\n:0\nbox\n");
      for (const [signal, verbose] of [["SIGUSR2", true], ["SIGUSR1", false]] as const) {
        for (const name of ["started", "go", "log"]) rmSync(join(user.home, name), { force: true });
        const child = start();
        await appears("started");
        child.kill(signal);
        writeFileSync(join(user.home, "go"), "");
        assert.deepEqual(await once(child, "close"), [0, null]);
        assert.equal(/Assigning "A=b"/.test(file("log")), verbose, signal);
      }
    });

    function start(): ReturnType<typeof spawn> {
      const child = spawn("/usr/bin/setpriv", [`--reuid=${String(user.uid)}`, `--regid=${String(user.gid)}`, "--init-groups", "--", bin("procmail")], { cwd: user.home, env: { TZ: "UTC" }, stdio: ["pipe", "ignore", "pipe"] });
      child.stdin?.end(mail);
      return child;
    }

    async function appears(name: string): Promise<void> {
      const watcher = watch(user.home);
      try {
        while (lstatSync(join(user.home, name), { throwIfNoEntry: false }) === undefined) await once(watcher, "change", { signal: AbortSignal.timeout(60_000) });
      } finally {
        watcher.close();
      }
    }

    async function signalled(signal: NodeJS.Signals, text: string): Promise<number | null> {
      own(text);
      const child = start();
      await appears("started");
      child.kill(signal);
      const [status] = (await once(child, "close")) as [number | null];
      return status;
    }
  });
});
