/** Installed by `make install` and run by systemd: units, sockets, users, restarts, the journal. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { have, isRoot, root } from "../harness/stack.ts";
import { Container } from "./container.ts";

const reason = !isRoot ? "wants root" : ["systemd-nspawn", "nsenter", "python3"].find((p) => !have(p));
const skip = reason === undefined ? false : isRoot ? `${reason} is not installed` : reason;
const daemons = ["mtad", "imapd", "pop3d", "authd", "mailboxd"];

let machine: Container;

before(async () => {
  if (skip !== false) return;
  machine = new Container();
  const installed = spawnSync("make", ["install", `DESTDIR=${machine.root}`, "PREFIX=/usr", "SYSCONFDIR=/etc"], { cwd: root, encoding: "utf8" });
  assert.equal(installed.status, 0, installed.stderr);
  appendFileSync(join(machine.root, "etc/posthorn/posthorn.conf"), "\nmyhostname = mx.example.test\nmydestination = example.test localhost\nmyorigin = example.test\n");
  await machine.boot();
  machine.run("systemd-sysusers");
  machine.run("systemd-tmpfiles", "--create");
  machine.run("useradd", "--create-home", "phalice");
  machine.run("sh", "-c", "echo phalice:secret | chpasswd");
  machine.run("systemctl", "daemon-reload");
  machine.run("systemctl", "enable", "--now", "posthorn");
});

after(async () => {
  if (skip === false) await machine.remove();
});

const python = (code: string): string => machine.run("python3", "-c", code);

const send = (subject: string): string => python(`
import smtplib
s = smtplib.SMTP("127.0.0.1", 25, timeout=20)
s.sendmail("sender@example.test", ["phalice@example.test"], "From: sender@example.test\\r\\nTo: phalice@example.test\\r\\nSubject: ${subject}\\r\\n\\r\\nbody\\r\\n")
s.quit()`);

/** Subjects of the INBOX by IMAP on 143, waiting until `subject` has arrived. */
const readImap = (subject: string): string => python(`
import imaplib, time
until = time.time() + 20
while True:
    m = imaplib.IMAP4("127.0.0.1", 143, timeout=20)
    m.login("phalice", "secret")
    m.select("INBOX")
    found = m.search(None, "SUBJECT", "${subject}")[1][0].split()
    if found or time.time() > until:
        print(m.fetch(found[-1], "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode().strip() if found else "nothing")
        m.logout()
        break
    m.logout()`).trim();

const readPop3 = (): number => Number(python(`
import poplib
p = poplib.POP3("127.0.0.1", 110, timeout=20)
p.user("phalice"); p.pass_("secret")
print(p.stat()[0]); p.quit()`));

test("the units are sound", { skip }, () => {
  const units = machine.run("sh", "-c", "ls /usr/lib/systemd/system/posthorn*").trim().split("\n");
  assert.ok(units.length >= 20);
  const verified = machine.try("systemd-analyze", "verify", ...units);
  assert.deepEqual(`${verified.stdout}${verified.stderr}`.split("\n").filter((l) => l.includes("posthorn")), []);
});

test("every daemon runs as its own user", { skip }, () => {
  const users = { mtad: "posthorn", imapd: "posthorn-login", pop3d: "posthorn-login", authd: "root", mailboxd: "root" };
  for (const daemon of daemons) {
    // Socket activation starts it; the notification says that it serves.
    machine.run("systemctl", "start", `posthorn-${daemon}`);
    const pid = machine.run("systemctl", "show", "--property=MainPID", "--value", `posthorn-${daemon}`).trim();
    assert.equal(machine.run("ps", "-o", "user:20=", "-p", pid).trim(), users[daemon as keyof typeof users], daemon);
    const bounding = /CapBnd:\s*(\w+)/.exec(machine.run("cat", `/proc/${pid}/status`))?.[1];
    assert.equal(bounding, daemon === "mailboxd" ? "00000000008000e1" : "0000000000000000", daemon);
  }
});

test("a message in on 25, out on 143 and 110", { skip }, () => {
  send("first");
  assert.equal(readImap("first"), "Subject: first");
  assert.equal(readPop3(), 1);
});

for (const daemon of daemons) {
  test(`restart of ${daemon} loses nothing and refuses nobody`, { skip }, () => {
    machine.run("systemctl", "restart", `posthorn-${daemon}`);
    send(`after-${daemon}`);
    assert.equal(readImap(`after-${daemon}`), `Subject: after-${daemon}`);
    machine.run("systemctl", "kill", "--signal=SIGKILL", "--kill-who=main", `posthorn-${daemon}`);
    send(`killed-${daemon}`);
    assert.equal(readImap(`killed-${daemon}`), `Subject: killed-${daemon}`);
  });
}

test("the journal has the MTA's and the login lines", { skip }, () => {
  const journal = machine.run("journalctl", "--no-pager", "-o", "short");
  const queued = /posthorn\/smtpd\[\d+\]: (\w+): client=/.exec(journal);
  assert.ok(queued, journal.slice(-3000));
  assert.match(journal, new RegExp(`${queued[1]}: to=<phalice@example\\.test>.*status=sent`));
  assert.match(journal, /posthorn\/imap-login\[\d+\]:.*Login: user=<phalice>/);
  // The agent kept ready got ready with what the unit lets it do.
  assert.doesNotMatch(journal, /kept ready/);
});

test("service stops and starts everything", { skip }, () => {
  machine.run("service", "posthorn", "stop");
  assert.equal(machine.try("sh", "-c", "pgrep -f '/usr/lib/posthorn/[d]ist'").stdout, "");
  assert.notEqual(machine.try("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 25), 2)").status, 0);
  machine.run("service", "posthorn", "start");
  send("again");
  assert.equal(readImap("again"), "Subject: again");
  machine.run("systemctl", "stop", "posthorn");
  assert.equal(machine.try("sh", "-c", "pgrep -f '/usr/lib/posthorn/[d]ist'").stdout, "");
  machine.run("systemctl", "start", "posthorn");
  send("once-more");
  assert.equal(readImap("once-more"), "Subject: once-more");
});

test("a masked listener is off, the others serve; the log is found by program", { skip }, () => {
  const connects = (port: number): boolean => machine.try("python3", "-c", `import socket; socket.create_connection(('127.0.0.1', ${port}), 5)`).status === 0;
  assert.equal(connects(110), true);
  machine.run("systemctl", "mask", "--now", "posthorn-pop3.socket");
  // The listeners stay open meanwhile.
  for (let i = 0; i < 3; i++) {
    machine.run("systemctl", "restart", "posthorn");
    assert.deepEqual([connects(995), connects(143), connects(25)], [true, true, true]);
  }
  send("after-restarts");
  assert.equal(readImap("after-restarts"), "Subject: after-restarts");
  assert.equal(connects(110), false);
  machine.run("systemctl", "unmask", "posthorn-pop3.socket");
  assert.match(machine.run("journalctl", "--no-pager", "-t", "posthorn/smtpd"), /client=/);
});

test("a broken configuration starts no daemon and says why", { skip }, () => {
  machine.run("sh", "-c", "mkdir -p /etc/posthorn/conf.d && echo 'mynetwork = x' > /etc/posthorn/conf.d/broken.conf");
  machine.try("systemctl", "restart", "posthorn-imapd");
  const journal = machine.run("journalctl", "--no-pager", "-u", "posthorn-imapd", "-n", "20");
  assert.match(journal, /broken\.conf:1: unknown setting "mynetwork"; did you mean "mynetworks"\?/);
  assert.match(machine.run("systemctl", "show", "--property=ExecMainStatus,ActiveState", "posthorn-imapd"), /ExecMainStatus=78[^]*ActiveState=failed/);
  machine.run("rm", "/etc/posthorn/conf.d/broken.conf");
  machine.run("systemctl", "restart", "posthorn-imapd");
});
