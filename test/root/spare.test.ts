/** An agent that is kept ready: what it is before its user is known, and that it is hers alone afterwards. */
import assert from "node:assert/strict";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isRoot, procStatus, startStack, type Stack } from "../harness/stack.ts";
import { imapLogin, sendMail } from "./dialogue.ts";
import { addUser, must, removeUser, type UnixUser } from "./users.ts";

const none = "0000000000000000";
/** One is made ready where nobody else wants the processors: other tests do, s. */
const patience = 300;
const words = (text: string | undefined): string[] => (text ?? "").trim().split(/\s+/).filter((w) => w !== "");

/** Status of every thread of a process. */
const threads = (pid: number): ReadonlyMap<string, string>[] =>
  readdirSync(`/proc/${pid}/task`).map((task) => new Map(readFileSync(`/proc/${pid}/task/${task}/status`, "utf8").split("\n").map((l) => l.split(":\t", 2) as [string, string])));

/** sched(7)'s of every thread: 0 is SCHED_OTHER, 5 SCHED_IDLE. */
const policies = (pid: number): ReadonlySet<string | undefined> =>
  new Set(readdirSync(`/proc/${pid}/task`).map((task) => readFileSync(`/proc/${pid}/task/${task}/stat`, "latin1").split(") ").at(-1)?.split(" ")[38]));

/** What /proc says in this file of a process; "" of one that has ended meanwhile. */
function said(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

/** Processes whose parent is this one, all the way down. */
const descendants = (pid: number): number[] =>
  words(said(pid, `task/${pid}/children`))
    .map(Number)
    .flatMap((child) => [child, ...descendants(child)]);

/** An agent that is nobody's yet. */
const isSpare = (pid: number): boolean => said(pid, "cmdline").includes("/agent/main.") && /^Uid:\t0\t/m.test(said(pid, "status"));

const targets = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return [];
    }
  });

for (const [mail_location, namespace_prefix] of [["maildir:~/Maildir", ""], ["mbox:~/mail:INBOX=/var/mail/%u", "INBOX/"]] as const)
  describe(`an agent kept ready, ${mail_location}`, { skip: isRoot ? false : "needs root" }, () => {
    let stack: Stack;
    const made: UnixUser[] = [];

    /** As one leaves it that was killed; no process has such a pid. */
    const left = mkdtempSync("/dev/shm/posthorn-spare-99999999-");

    before(async () => {
      stack = await startStack({ system: true, set: { mail_location, namespace_prefix, mail_debug: "yes", auth_failure_delay: "10ms", agent_spare: "1" } });
    });

    after(async () => {
      await stack.stop();
      for (const user of made) removeUser(user);
    });

    const someone = (letter: string, options: readonly string[] = []): UnixUser => {
      const user = addUser(letter, options);
      made.push(user);
      return user;
    };

    /** Pids that were told to be ready, in order. */
    const ready = (): number[] => [...stack.log().matchAll(/an agent is ready, pid (\d+)/g)].map((found) => Number(found[1]));

    /** The pid of the one that is ready now, which no user has. */
    const next = async (): Promise<number> => {
      const given = new Set([...stack.log().matchAll(/agent of \S+ started, pid (\d+)/g)].map((found) => found[1]));
      const free = ready().find((pid) => !given.has(String(pid)));
      if (free !== undefined) return free;
      const known = ready().length;
      await stack.logged(new RegExp(`an agent is ready, pid (?!(?:${[...given, 0].join("|")})$)\\d+`), patience);
      assert(ready().length > known);
      return next();
    };

    test("before its user is known it has no file open, and can do no more than become her", async () => {
      const pid = await next();
      const [main] = threads(pid).filter((status) => status.get("Pid") === String(pid));
      // CAP_SETUID, CAP_SETGID
      assert.deepEqual(["CapInh", "CapPrm", "CapEff", "CapAmb"].map((set) => main?.get(set)?.trim()), [none, "00000000000000c0", "00000000000000c0", none]);
      assert.deepEqual(targets(pid).filter((t) => /^\//.test(t) && t !== "/dev/null" && !targets(process.pid).includes(t) && t !== readlinkSync(`/proc/${stack.pid}/fd/2`)), []);
      assert.deepEqual(readdirSync("/dev/shm").filter((name) => name.startsWith(`posthorn-spare-${String(pid)}-`)), []);
    });

    test("while it is made ready it runs where nobody else wants to, and behind that as others do", async () => {
      assert.deepEqual(policies(await next()), new Set(["0"]));
      const dora = someone("d");
      const known = ready().length;
      const imap = await imapLogin(stack.ports.imap, dora.name, dora.password);
      let made: ReadonlySet<string | undefined> = new Set();
      // The next is made now; threads it starts at first do so as others do.
      while (ready().length === known && !(made.size === 1 && made.has("5"))) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        const pid = descendants(stack.pid).find(isSpare);
        if (pid !== undefined) made = policies(pid);
      }
      assert.deepEqual(made, new Set(["5"]));
      imap.close();
      assert.deepEqual(policies(await next()), new Set(["0"]));
    });

    test("one that is wanted while it tries stops that, leaves nothing behind and is its user's", async () => {
      const [erin, frank] = [someone("e"), someone("f")];
      await next();
      const known = [...stack.log().matchAll(/an agent can be used, pid (\d+)/g)].map((found) => found[1]);
      const first = await imapLogin(stack.ports.imap, erin.name, erin.password);
      const pid = Number(/pid (\d+)$/.exec(await stack.logged(new RegExp(`an agent can be used, pid (?!(?:${known.join("|")})$)\\d+$`), patience))?.[1]);
      const imap = await imapLogin(stack.ports.imap, frank.name, frank.password);
      await imap.ask("b SELECT INBOX", /b OK/);
      await stack.logged(new RegExp(`agent of ${frank.name} started, pid ${pid}$`));
      assert(!ready().includes(pid));
      assert.deepEqual(policies(pid), new Set(["0"]));
      for (const status of threads(pid)) {
        assert.deepEqual(words(status.get("Uid")), Array.from({ length: 4 }, () => String(frank.uid)));
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) assert.equal(status.get(set)?.trim(), none, set);
      }
      assert.deepEqual(readdirSync("/dev/shm").filter((name) => name.startsWith(`posthorn-spare-${String(pid)}-`)), []);
      first.close();
      imap.close();
    });

    test("what one that was killed has left is removed by the next", async () => {
      await next();
      assert.equal(existsSync(left), false);
    });

    test("it becomes its user's: every thread has her ids and groups, no capability, no way back and nothing of others", async () => {
      const alice = someone("a", ["--groups", "games"]);
      const pid = await next();
      const imap = await imapLogin(stack.ports.imap, alice.name, alice.password);
      await imap.ask("b SELECT INBOX", /b OK/);
      await stack.logged(new RegExp(`agent of ${alice.name} started, pid ${pid}$`));
      const found = threads(pid);
      assert(found.length > 4);
      const groups = new Set(words(must("id", ["-G", alice.name])));
      for (const status of found) {
        assert.deepEqual(words(status.get("Uid")), Array.from({ length: 4 }, () => String(alice.uid)));
        assert.deepEqual(words(status.get("Gid")), Array.from({ length: 4 }, () => String(alice.gid)));
        assert.deepEqual(new Set(words(status.get("Groups"))), groups);
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) assert.equal(status.get(set)?.trim(), none, set);
      }
      // /proc shows it as hers.
      assert.equal(readdirSync(`/proc/${pid}/fd`).length > 0 && must("stat", ["-c", "%u", `/proc/${pid}`]).trim(), String(alice.uid));
      const own = targets(pid).filter((target) => target.startsWith("/") && target !== "/dev/null" && !target.startsWith(`${alice.home}/`));
      assert.deepEqual(own.filter((target) => target !== readlinkSync(`/proc/${stack.pid}/fd/2`) && !targets(process.pid).includes(target)), []);
      imap.close();
    });

    test("the next user's has none of the groups of the first, and her commands have her environment", async () => {
      const bob = someone("b");
      const pid = await next();
      const said = join(bob.home, "said");
      writeFileSync(join(bob.home, ".forward"), `"|/bin/sh -c 'cat >/dev/null; { id -G; echo $HOME $USER $LOGNAME; grep Cap /proc/self/status; } >${said}'"\n`);
      chownSync(join(bob.home, ".forward"), bob.uid, bob.gid);
      try {
        await sendMail(stack.ports.smtp, "sender@example.org", [`${bob.name}@${stack.domain}`], "for the command");
        await stack.logged(new RegExp(`to=<${bob.name}@.*status=sent`));
        await stack.logged(new RegExp(`agent of ${bob.name} started, pid ${pid}$`));
        const [ids, names, ...sets] = readFileSync(said, "utf8").trim().split("\n");
        assert.deepEqual([ids, names], [String(bob.gid), `${bob.home} ${bob.name} ${bob.name}`]);
        for (const line of sets) if (!line.startsWith("CapBnd")) assert.equal(words(line)[1], none, line);
      } finally {
        rmSync(join(bob.home, ".forward"));
      }
    });

    test("one that was killed is missed by nobody: the user's is started", async () => {
      const carol = someone("c");
      process.kill(await next(), "SIGKILL");
      await stack.logged(/the agent kept ready \(pid \d+\) was killed/);
      const imap = await imapLogin(stack.ports.imap, carol.name, carol.password);
      await imap.ask("b SELECT INBOX", /b OK/);
      imap.close();
      const pid = /started, pid (\d+)/.exec(await stack.logged(new RegExp(`agent of ${carol.name} started`)))?.[1];
      assert.deepEqual(words(procStatus(Number(pid)).get("Uid"))[0], String(carol.uid));
    });
  });
