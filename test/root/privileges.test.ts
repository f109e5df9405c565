/**
 * The privilege split, with real Unix users under `posthorn run`: who runs as whom, what an agent may do, and what a user gains by
 * planting links. alice's INBOX is ~/Maildir, bob's is /var/mail/bob.
 */
import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { descendants, isRoot, procStatus, programName, startStack, type Stack } from "../harness/stack.ts";
import { Dialogue, imapLogin, sendMail } from "./dialogue.ts";
import { addUser, as, must, owned, removeUser, type UnixUser } from "./users.ts";

const none = "0000000000000000";
const columns = (text: string | undefined): string[] => (text ?? "").trim().split(/\s+/).filter((w) => w !== "");

describe("privileges", { skip: isRoot ? false : "needs root" }, () => {
  let stack: Stack;
  let alice: UnixUser;
  let bob: UnixUser;
  const made: UnixUser[] = [];
  let map: string;
  const mailGid = isRoot ? Number(must("getent", ["group", "mail"]).split(":")[2]) : 0;

  before(async () => {
    alice = addUser("a", ["--groups", "games"]);
    made.push(alice);
    bob = addUser("b");
    made.push(bob);
    map = mkdtempSync(join(tmpdir(), "ph-map-"));
    // mtad reads it too, as its own user.
    chmodSync(map, 0o755);
    writeFileSync(join(map, "locations"), `${bob.name} mbox:~/mail:INBOX=/var/mail/%u\nroot maildir:${map}/root\n`);
    stack = await startStack({ system: true, set: { mail_location: "maildir:~/Maildir", mail_location_maps: join(map, "locations"), auth_failure_delay: "10ms", agent_spare: "0" } });
  });

  after(async () => {
    await stack.stop();
    for (const user of made) removeUser(user);
    rmSync(map, { recursive: true });
  });

  /** Pid of the agent whose uid this is. */
  const agentOf = (user: UnixUser): number | undefined =>
    descendants(stack.pid).find((p) => programName(p.command) === "agent" && columns(procStatus(p.pid).get("Uid"))[0] === String(user.uid))?.pid;

  const deliver = async (user: UnixUser, body: string): Promise<void> => {
    const queueId = /queued as (\S+)/.exec(await sendMail(stack.ports.smtp, "sender@example.org", [`${user.name}@${stack.domain}`], body))?.[1];
    assert(queueId !== undefined);
    await stack.logged(new RegExp(`${queueId}: to=<${user.name}@.*status=sent`));
  };

  const uidOf = (name: string): string => must("id", ["-u", name]).trim();

  test("programs that face the network have no capability and no way to one", () => {
    for (const { pid, command } of descendants(stack.pid)) {
      const name = programName(command);
      if (name === undefined || name === "agent") continue;
      const status = procStatus(pid);
      const uids = new Set(columns(status.get("Uid")));
      const sets = ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"].map((c) => status.get(c)?.trim());
      if (name === "mailboxd") {
        // CHOWN KILL SETGID SETUID SYS_NICE
        assert.deepEqual([[...uids], sets], [["0"], [none, "00000000008000e1", "00000000008000e1", none, "00000000008000e1"]]);
        continue;
      }
      assert.deepEqual(sets, [none, none, none, none, none], name);
      assert.equal(status.get("NoNewPrivs")?.trim(), "1", name);
      const expected = { authd: "0", mtad: uidOf("posthorn"), imapd: uidOf("posthorn-login"), pop3d: uidOf("posthorn-login") }[name];
      assert.deepEqual([...uids], [expected], name);
    }
  });

  test("an agent has its user's ids and groups, and no capability", async () => {
    await deliver(alice, "to see an agent");
    const pid = agentOf(alice);
    assert(pid !== undefined);
    const status = procStatus(pid);
    assert.deepEqual(columns(status.get("Uid")), Array.from({ length: 4 }, () => String(alice.uid)));
    assert.deepEqual(columns(status.get("Gid")), Array.from({ length: 4 }, () => String(alice.gid)));
    assert.deepEqual(new Set(columns(status.get("Groups"))), new Set(must("id", ["-G", alice.name]).trim().split(" ")));
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) assert.equal(status.get(set)?.trim(), none, set);
    // What set-uid programs started by her commands could get is bounded by mailboxd's own.
    assert.equal(status.get("CapBnd")?.trim(), "00000000008000e1");
  });

  test("root's own mail is served without the powers of root", async () => {
    await sendMail(stack.ports.smtp, "sender@example.org", [`root@${stack.domain}`], "for root");
    await stack.logged(/to=<root@.*status=sent/);
    const pid = descendants(stack.pid).find((p) => programName(p.command) === "agent" && columns(procStatus(p.pid).get("Uid"))[0] === "0")?.pid;
    assert(pid !== undefined);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) assert.equal(procStatus(pid).get(set)?.trim(), none, set);
    assert.equal(readdirSync(join(map, "root/new")).length, 1);
  });

  test("an agent has no way back to root", async () => {
    await deliver(alice, "to have an agent");
    // Her agent runs her commands: what they can not do, it can not do. Saved ids would let setuid(0) succeed.
    const probe = join(alice.home, "probe");
    const script = `import os
result = []
for call in (lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: open("/etc/shadow").read(), lambda: os.chown("${probe}", 0, 0), lambda: os.kill(1, 0)):
    try:
        call(); result.append("done")
    except PermissionError:
        result.append("refused")
open("${probe}", "w").write(" ".join(result))
`;
    writeFileSync(join(alice.home, "probe.py"), `open("${probe}", "w")\n${script}`);
    writeFileSync(join(alice.home, ".forward"), `"|/usr/bin/python3 ${join(alice.home, "probe.py")}"\n`);
    chownSync(join(alice.home, ".forward"), alice.uid, alice.gid);
    try {
      await deliver(alice, "for the probe");
      assert.equal(readFileSync(probe, "utf8"), Array.from({ length: 8 }, () => "refused").join(" "));
      assert.equal(lstatSync(probe).uid, alice.uid);
    } finally {
      rmSync(join(alice.home, ".forward"));
    }
  });

  test("an agent holds no descriptor of mailboxd's", async () => {
    await deliver(bob, "to see an agent");
    const pid = agentOf(bob);
    assert(pid !== undefined);
    const inherited = new Set(readdirSync("/proc/self/fd").map((fd) => link(`/proc/self/fd/${fd}`)));
    const parent = Number(procStatus(pid).get("PPid"));
    const held = new Set(readdirSync(`/proc/${parent}/fd`).map((fd) => link(`/proc/${parent}/fd/${fd}`)));
    const shared = readdirSync(`/proc/${pid}/fd`).filter((fd) => {
      const target = link(`/proc/${pid}/fd/${fd}`);
      return Number(fd) > 2 && /^(socket|pipe|\/)/.test(target) && target !== "/dev/null" && held.has(target) && !inherited.has(target);
    });
    assert.deepEqual(shared, []);
  });

  test("files belong to their user, with Debian's modes", async () => {
    await deliver(alice, "mode and owner");
    await deliver(bob, "mode and owner");
    const own = `${alice.uid}:${alice.gid}`;
    const maildir = join(alice.home, "Maildir");
    for (const sub of ["", "new", "cur", "tmp"]) assert.equal(owned(join(maildir, sub)), `${own} 700`, sub);
    const messages = ["new", "cur"].flatMap((sub) => readdirSync(join(maildir, sub)).map((n) => join(maildir, sub, n)));
    assert(messages.length > 0);
    for (const message of messages) assert.equal(owned(message), `${own} 600`);
    assert.equal(owned(`/var/mail/${bob.name}`), `${bob.uid}:${mailGid} 660`);
    assert.match(readFileSync(`/var/mail/${bob.name}`, "utf8"), /^From sender@example\.org /);
    assert.deepEqual(readdirSync("/var/mail").filter((n) => n.startsWith(`${bob.name}.`)), [], "no lock is left");
  });

  test("both read their mail over IMAP, and neither the other's", async () => {
    for (const user of [alice, bob]) {
      await deliver(user, `only for ${user.name}`);
      const imap = await imapLogin(stack.ports.imap, user.name, user.password);
      await imap.ask("b SELECT INBOX", /b OK/);
      const mail = await imap.ask("c FETCH 1:* BODY.PEEK[TEXT]", /c OK/);
      assert.match(mail, new RegExp(`only for ${user.name}`));
      assert.doesNotMatch(mail, new RegExp(`only for ${user === alice ? bob.name : alice.name}`));
      imap.close();
    }
  });

  test("a wrong password, a locked and an expired account do not get in; without a shell mail comes and can be read", async () => {
    const carol = addUser("c");
    made.push(carol);
    await assert.rejects(imapLogin(stack.ports.imap, carol.name, "wrong"), /AUTHENTICATIONFAILED|a NO/);
    (await imapLogin(stack.ports.imap, carol.name, carol.password)).close();
    must("/usr/sbin/usermod", ["--lock", carol.name]);
    await assert.rejects(imapLogin(stack.ports.imap, carol.name, carol.password), /a NO/);
    must("/usr/sbin/usermod", ["--unlock", carol.name]);
    must("/usr/sbin/usermod", ["--expiredate", "2020-01-01", carol.name]);
    await assert.rejects(imapLogin(stack.ports.imap, carol.name, carol.password), /a NO/);
    must("/usr/sbin/usermod", ["--expiredate", "", "--shell", "/usr/sbin/nologin", carol.name]);
    await deliver(carol, "still gets mail");
    (await imapLogin(stack.ports.imap, carol.name, carol.password)).close();
    assert.match(stack.log(), new RegExp(`posthorn/auth\\[\\d+\\]: shadow\\(${carol.name},127\\.0\\.0\\.1\\): Password mismatch`));
    assert.doesNotMatch(stack.log(), new RegExp(carol.password));
  });

  test("a link into another user's mail or /etc/shadow gains nothing: delivery", async () => {
    const mallory = addUser("m");
    made.push(mallory);
    // Something of bob's that mallory may not write.
    const target = join(bob.home, "Maildir");
    mkdirSync(join(target, "new"), { recursive: true });
    for (const path of [target, join(target, "new")]) chownSync(path, bob.uid, bob.gid);
    must("chmod", ["-R", "go=", target]);
    // Only the lines that no other test adds or removes.
    const shadow = (): string[] => readFileSync("/etc/shadow", "latin1").split("\n").filter((line) => !/^ph/.test(line));
    const before = shadow();

    assert.equal(as(mallory, `ln -s ${target} ~/Maildir`).status, 0);
    await sendMail(stack.ports.smtp, "sender@example.org", [`${mallory.name}@${stack.domain}`], "into bob's");
    await stack.logged(new RegExp(`to=<${mallory.name}@.*status=(deferred|bounced)`));
    assert.deepEqual(readdirSync(target), ["new"]);
    assert.deepEqual(readdirSync(join(target, "new")), []);

    as(mallory, `rm ~/Maildir; mkdir -p ~/Maildir/cur ~/Maildir/tmp; ln -s /etc ~/Maildir/new; ln -s /etc/shadow ~/Maildir/dovecot-uidlist`);
    await sendMail(stack.ports.smtp, "sender@example.org", [`${mallory.name}+2@${stack.domain}`], "into /etc");
    await stack.logged(new RegExp(`to=<${mallory.name}\\+2@.*status=(deferred|bounced)`));
    assert.deepEqual(shadow(), before);
    assert.equal(readdirSync("/etc").some((n) => /^\d{10}\./.test(n)), false);
  });

  test("a link into another user's mail or /etc/shadow gains nothing: IMAP", async () => {
    await deliver(bob, "secret of bob");
    const nora = addUser("n");
    made.push(nora);
    as(nora, `mkdir -p ~/Maildir/cur ~/Maildir/new ~/Maildir/tmp; ln -s /etc/shadow ~/Maildir/cur/1700000000.M1P1.host:2,S; ln -s /var/mail/${bob.name} ~/Maildir/cur/1700000001.M1P1.host:2,S; ln -s ${bob.home}/mail ~/Maildir/.bob`);
    const imap = await imapLogin(stack.ports.imap, nora.name, nora.password);
    const said: string[] = [await imap.ask("b SELECT INBOX", /b /), await imap.ask("c FETCH 1:* (FLAGS BODY.PEEK[])", /c /), await imap.ask("d SELECT bob", /d /), await imap.ask("e FETCH 1:* BODY.PEEK[]", /e /)];
    imap.close();
    const leaked = said.join("");
    assert.doesNotMatch(leaked, /root:|secret of bob/);
    assert.equal(owned(`/var/mail/${bob.name}`), `${bob.uid}:${mailGid} 660`);
  });

  test("a spool file that is a link is not followed by mailboxd", async () => {
    const oscar = addUser("o");
    made.push(oscar);
    const victim = join(map, "victim");
    writeFileSync(victim, "untouched\n", { mode: 0o600 });
    rmSync(`/var/mail/${oscar.name}`, { force: true });
    symlinkSync(victim, `/var/mail/${oscar.name}`);
    writeFileSync(join(map, "locations"), `${bob.name} mbox:~/mail:INBOX=/var/mail/%u\n${oscar.name} mbox:~/mail:INBOX=/var/mail/%u\n`);
    await sendMail(stack.ports.smtp, "sender@example.org", [`${oscar.name}@${stack.domain}`], "through a link");
    await stack.logged(new RegExp(`to=<${oscar.name}@.*status=(deferred|bounced)`));
    assert.equal(readFileSync(victim, "utf8"), "untouched\n");
    assert.equal(owned(victim), "0:0 600");
  });

  test("only their own programs may use the sockets", () => {
    const run = readFileSync(stack.config, "utf8").match(/^run_directory = (.*)$/m)?.[1] ?? "";
    for (const name of ["auth", "auth-master", "session", "deliver"]) {
      const tried = as(alice, `python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.connect('${run}/${name}')"`);
      assert.match(tried.stderr, /PermissionError/, name);
    }
  });

  test("a dotlock of another program in the mail spool is waited for", async () => {
    const lock = `/var/mail/${bob.name}.lock`;
    const size = lstatSync(`/var/mail/${bob.name}`).size;
    writeFileSync(lock, "");
    const queueId = /queued as (\S+)/.exec(await sendMail(stack.ports.smtp, "sender@example.org", [`${bob.name}@${stack.domain}`], "behind a lock"))?.[1];
    // While it is held nothing is written.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(lstatSync(`/var/mail/${bob.name}`).size, size);
    assert.equal(readFileSync(lock, "utf8"), "");
    rmSync(lock);
    await stack.logged(new RegExp(`${queueId}: to=<${bob.name}@.*status=sent`));
    assert(lstatSync(`/var/mail/${bob.name}`).size > size);
    assert.equal(existsSync(lock), false);
  });

  test("when mailboxd is killed, agents end and the next one serves", { timeout: 30_000 }, async () => {
    await deliver(bob, "before");
    const before = agentOf(bob);
    assert(before !== undefined);
    const mailboxd = descendants(stack.pid).find((p) => programName(p.command) === "mailboxd")?.pid;
    assert(mailboxd !== undefined);
    process.kill(mailboxd, "SIGKILL");
    await stack.logged(/mailboxd ended/);
    await deliver(bob, "after");
    const now = agentOf(bob);
    assert.notEqual(now, before);
    // The old one finishes what it has under way, then goes.
    while (existsSync(`/proc/${before}`)) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((readFileSync(`/var/mail/${bob.name}`, "utf8").match(/^after$/gm) ?? []).length, 1);
  });

  test("POP3 serves the same agent", async () => {
    await deliver(bob, "for POP3");
    const pop = await Dialogue.open(stack.ports.pop3);
    await pop.until(/\+OK/);
    await pop.ask(`USER ${bob.name}`, /\+OK/);
    await pop.ask(`PASS ${bob.password}`, /\+OK/);
    assert.match(await pop.ask("STAT", /\+OK/), /\+OK [1-9]/);
    await pop.ask("QUIT", /\+OK/);
    pop.close();
  });
});

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
