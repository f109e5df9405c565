/** Programs of Debian that send mail, against the running stack. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bin, have, startStack, type Stack } from "../harness/stack.ts";
import { arrival, run, scratch } from "./client.ts";

let stack: Stack;
const users = Object.fromEntries(["swaks", "curl", "msmtp", "git", "cron", "python", "sender"].map((u) => [u, `${u}-pw`]));

before(async () => {
  stack = await startStack({ users });
});
after(() => stack.stop());

const maildir = (user: string): string => join(stack.directory, "mail", user, "Maildir");
const missing = (program: string): string | false => (have(program) ? false : `${program} is not installed`);

test("swaks: STARTTLS, AUTH LOGIN and PLAIN, pipelining", { skip: missing("swaks") }, async () => {
  for (const [name, args] of [
    ["plain", ["--server", `127.0.0.1:${stack.ports.smtp}`]],
    ["pipelined", ["--server", `127.0.0.1:${stack.ports.smtp}`, "--pipeline"]],
    ["starttls", ["--server", `127.0.0.1:${stack.ports.smtp}`, "-tls"]],
    ["auth-login", ["--server", `127.0.0.1:${stack.ports.submission}`, "-tls", "--auth", "LOGIN", "--auth-user", "sender", "--auth-password", "sender-pw"]],
    ["auth-plain", ["--server", `127.0.0.1:${stack.ports.submission}`, "-tls", "--auth", "PLAIN", "--auth-user", "sender", "--auth-password", "sender-pw"]],
    ["tls", ["--server", `127.0.0.1:${stack.ports.submissions}`, "-tlsc", "--auth", "PLAIN", "--auth-user", "sender", "--auth-password", "sender-pw"]],
    ["lmtp", ["--server", `127.0.0.1:${stack.ports.lmtp}`, "--protocol", "LMTP"]],
  ] as const) {
    const sent = await run("swaks", ["--from", "sender@example.test", "--to", "swaks@example.test", "--header", `Subject: swaks ${name}`, ...args]);
    assert.equal(sent.status, 0, `${name}: ${sent.stdout}${sent.stderr}`);
    if (name === "pipelined") assert.match(sent.stdout, /250[- ]PIPELINING/);
    await arrival(maildir("swaks"), new RegExp(`^Subject: swaks ${name}$`, "m"));
  }
  const wrong = await run("swaks", ["--server", `127.0.0.1:${stack.ports.submission}`, "-tls", "--auth", "PLAIN", "--auth-user", "sender", "--auth-password", "wrong", "--from", "sender@example.test", "--to", "swaks@example.test"]);
  assert.match(wrong.stdout, /<~\* 535 5\.7\.8/);
  const unknown = await run("swaks", ["--server", `127.0.0.1:${stack.ports.smtp}`, "--from", "sender@example.test", "--to", "nobody-here@example.test"]);
  assert.match(unknown.stdout, /550 5\.1\.1 .*User unknown/);
});

test("curl: smtp and smtps", { skip: missing("curl") }, async (t) => {
  const file = join(scratch(t), "m");
  writeFileSync(file, "From: sender@example.test\r\nTo: curl@example.test\r\nSubject: by curl\r\n\r\n.leading dot\r\n..\r\n");
  const common = ["-sS", "--mail-from", "sender@example.test", "--mail-rcpt", "curl@example.test", "-T", file];
  const plain = await run("curl", [...common, `smtp://127.0.0.1:${stack.ports.smtp}`]);
  assert.equal(plain.status, 0, plain.stderr);
  assert.match(await arrival(maildir("curl"), /by curl/), /\n\n\.leading dot\n\.\.\n$/);
  const secure = await run("curl", [...common, "-k", "--user", "sender:sender-pw", `smtps://127.0.0.1:${stack.ports.submissions}`]);
  assert.equal(secure.status, 0, secure.stderr);
});

test("msmtp: submission with STARTTLS and AUTH, certificate checked", { skip: missing("msmtp") }, async () => {
  const sent = await run("msmtp", ["--host=localhost", `--port=${stack.ports.submission}`, "--tls=on", "--tls-starttls=on", `--tls-trust-file=${join(stack.directory, "etc/ssl/cert.pem")}`, "--auth=plain", "--user=sender", "--passwordeval=echo sender-pw", "--from=sender@example.test", "msmtp@example.test"], {
    input: "From: sender@example.test\nTo: msmtp@example.test\nSubject: by msmtp\n\nbody\n",
  });
  assert.equal(sent.status, 0, sent.stderr);
  await arrival(maildir("msmtp"), /^Subject: by msmtp$/m);
});

test("git send-email: a patch series through sendmail(1) and through SMTP", { skip: missing("git") || (spawnSync("git", ["send-email", "-h"]).stderr.includes("not a git command") ? "git send-email is not installed" : false) }, async (t) => {
  const d = scratch(t);
  const git = (...args: string[]): void => {
    const done = spawnSync("git", ["-c", "user.name=Sender", "-c", "user.email=sender@example.test", ...args], { cwd: d, encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
  };
  git("init", "-q");
  for (const n of ["one", "two"]) {
    writeFileSync(join(d, n), `${n}\n`);
    git("add", n);
    git("commit", "-q", "-m", `add ${n}`);
  }
  git("format-patch", "-q", "--root", "-o", "out");
  for (const server of [["--smtp-server", bin("sendmail")], ["--smtp-server", "127.0.0.1", "--smtp-server-port", String(stack.ports.smtp), "--smtp-encryption", ""]]) {
    const sent = await run("git", ["-c", "user.name=Sender", "-c", "user.email=sender@example.test", "-c", "sendemail.confirm=never", "send-email", "--quiet", "--no-validate", "--to", "git@example.test", ...server, "out"], { cwd: d, env: stack.env });
    assert.equal(sent.status, 0, sent.stderr + sent.stdout);
  }
  await arrival(maildir("git"), /^Subject: \[PATCH 1\/2\] add one$/m);
  await arrival(maildir("git"), /^Subject: \[PATCH 2\/2\] add two$/m);
});

test("cron-style sendmail -oi -t: dots kept, Bcc served and removed, From completed", async () => {
  const sent = await run(bin("sendmail"), ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t"], {
    env: stack.env,
    input: "From: root (Cron Daemon)\nTo: cron\nBcc: python@example.test\nSubject: Cron <root@host> run-parts\n\nfirst\n.\nafter the dot\n",
  });
  assert.equal(sent.status, 0, sent.stderr);
  const got = await arrival(maildir("cron"), /run-parts/);
  assert.match(got, /\nfirst\n\.\nafter the dot\n$/);
  const blind = await arrival(maildir("python"), /run-parts/);
  assert.doesNotMatch(blind, /^Bcc:/m);
  const unknown = await run(bin("sendmail"), ["-oi", "no-such-user"], { env: stack.env, input: "Subject: x\n\n" });
  assert.ok(unknown.status === 0 || unknown.status === 67, `exit ${unknown.status}: ${unknown.stderr}`);
});

test("Python's smtplib: STARTTLS, login, several recipients, 8-bit, refusals", { skip: missing("python3") }, async () => {
  const done = await run("python3", ["-c", `
import smtplib, ssl
context = ssl.create_default_context(cafile="${join(stack.directory, "etc/ssl/cert.pem")}")
s = smtplib.SMTP("localhost", ${stack.ports.submission}, timeout=20)
s.ehlo()
assert s.has_extn("starttls") and s.has_extn("pipelining") and s.has_extn("8bitmime") and s.has_extn("size")
s.starttls(context=context)
s.login("sender", "sender-pw")
refused = s.sendmail("sender@example.test", ["python@example.test", "no-such-user@example.test"], "Subject: 8bit\\r\\n\\r\\ngr\\u00fc\\u00dfe\\r\\n".encode("utf-8"))
assert list(refused) == ["no-such-user@example.test"] and refused["no-such-user@example.test"][0] == 550, refused
print(s.verify("python@example.test")[0], s.noop()[0], s.rset()[0], s.help()[:3])
s.quit()
s = smtplib.SMTP("localhost", ${stack.ports.smtp}, timeout=20)
try:
    s.sendmail("a@b.example", ["x@far.example"], b"x")
except smtplib.SMTPRecipientsRefused: print("refused")
`]);
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /^25[02] 250 250/);
  assert.match(await arrival(maildir("python"), /8bit/), /grüße/);
});
