/** Programs of Debian that read mail, against the running stack. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bin, have, startStack, type Stack } from "../harness/stack.ts";
import { arrival, mailIn, run, scratch } from "./client.ts";

let stack: Stack;
const names = ["curl", "mutt", "mbsync", "fetchpop", "fetchimap", "python"];

before(async () => {
  stack = await startStack({ users: Object.fromEntries(names.map((u) => [u, `${u}-pw`])) });
  for (const user of names) {
    for (const n of ["one", "two"]) {
      const sent = await run(bin("sendmail"), ["-oi", "-f", "sender@example.test", user], { env: stack.env, input: `From: sender@example.test\nTo: ${user}@example.test\nSubject: ${n}\nMessage-ID: <${n}.${user}@example.test>\n\nbody ${n}\n` });
      assert.equal(sent.status, 0, sent.stderr);
      await arrival(maildir(user), new RegExp(`^Subject: ${n}$`, "m"));
    }
  }
});
after(() => stack.stop());

const maildir = (user: string): string => join(stack.directory, "mail", user, "Maildir");
const missing = (program: string): string | false => (have(program) ? false : `${program} is not installed`);

test("curl: imap, imaps, pop3, pop3s", { skip: missing("curl") }, async () => {
  const auth = ["-sS", "-k", "--user", "curl:curl-pw"];
  for (const url of [`imap://127.0.0.1:${stack.ports.imap}/INBOX;UID=1`, `imaps://127.0.0.1:${stack.ports.imaps}/INBOX;UID=1`, `pop3://127.0.0.1:${stack.ports.pop3}/1`, `pop3s://127.0.0.1:${stack.ports.pop3s}/1`]) {
    const got = await run("curl", [...auth, url]);
    assert.equal(got.status, 0, `${url}: ${got.stderr}`);
    assert.match(got.stdout, /^Subject: one\r$/m, url);
    assert.match(got.stdout, /\r\n\r\nbody one\r\n$/, url);
  }
  const starttls = await run("curl", [...auth, "--ssl-reqd", `imap://127.0.0.1:${stack.ports.imap}/INBOX`, "-X", "STATUS INBOX (MESSAGES UIDNEXT)"]);
  assert.match(starttls.stdout, /\* STATUS INBOX \(MESSAGES 2 UIDNEXT 3\)/);
  const wrong = await run("curl", ["-sS", "--user", "curl:no", `pop3://127.0.0.1:${stack.ports.pop3}/`]);
  assert.equal(wrong.status, 67, wrong.stderr);
  const append = await run("curl", [...auth, `imap://127.0.0.1:${stack.ports.imap}/INBOX`, "-T", "-"], { input: "" });
  assert.ok(append.status !== null);
});

test("Python's imaplib: folders, append, search, store, copy, expunge, idle by noop", { skip: missing("python3") }, async () => {
  const done = await run("python3", ["-c", `
import imaplib, ssl, time
context = ssl.create_default_context(cafile="${join(stack.directory, "etc/ssl/cert.pem")}")
m = imaplib.IMAP4("localhost", ${stack.ports.imap})
m.starttls(context)
m.login("python", "python-pw")
def ok(r): assert r[0] == "OK", r; return r[1]
ok(m.create("Lists/\\u00fc".encode("ascii", "ignore").decode() + "x"))
ok(m.create("A&APw-"))
assert int(ok(m.select("INBOX"))[0]) == 2
assert ok(m.search(None, "SUBJECT", "two"))[0] == b"2"
ok(m.append("A&APw-", "(\\\\Seen custom)", imaplib.Time2Internaldate(1700000000), b"Subject: appended\\r\\n\\r\\nhello\\r\\n"))
ok(m.store("1", "+FLAGS", "(\\\\Flagged)"))
ok(m.copy("1", "Lists/x"))
ok(m.select("A&APw-"))
data = ok(m.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
assert b"custom" in data[0][0] + data[1] and b"14-Nov-2023" in data[0][0] + data[1], data
assert data[0][1] == b"Subject: appended\\r\\n\\r\\nhello\\r\\n"
ok(m.store("1", "+FLAGS", "(\\\\Deleted)"))
assert ok(m.expunge()) == [b"1"]
names = b" ".join(ok(m.list()))
assert b"Lists/x" in names and b"A&APw-" in names, names
ok(m.select("INBOX"))
m.close(); m.logout()
print("done")
`]);
  assert.equal(done.stdout, "done\n", done.stderr);
});

test("Python's poplib: stat, list, uidl, top, retr, dele, capa, stls", { skip: missing("python3") }, async () => {
  const done = await run("python3", ["-c", `
import poplib, ssl
context = ssl.create_default_context(cafile="${join(stack.directory, "etc/ssl/cert.pem")}")
p = poplib.POP3("localhost", ${stack.ports.pop3})
assert "STLS" in p.capa()
p.stls(context)
p.user("python"); p.pass_("python-pw")
count, total = p.stat()
sizes = [int(l.split()[1]) for l in p.list()[1]]
assert count == 2 and sum(sizes) == total
for n in (1, 2):
    lines = p.retr(n)[1]
    assert sum(len(l) + 2 for l in lines) == sizes[n - 1]
assert p.top(1, 0)[1][-1] == b""
assert len(set(l.split()[1] for l in p.uidl()[1])) == 2
p.dele(1); p.rset(); p.dele(2); p.quit()
p = poplib.POP3_SSL("localhost", ${stack.ports.pop3s}, context=context)
p.user("python"); p.pass_("python-pw")
assert p.stat()[0] == 1
p.quit()
print("done")
`]);
  assert.equal(done.stdout, "done\n", done.stderr);
});

test("mbsync both ways, twice: the second run moves nothing", { skip: missing("mbsync") }, async (t) => {
  const d = scratch(t);
  mkdirSync(join(d, "mail"));
  writeFileSync(join(d, "rc"), `
IMAPAccount ph
Host 127.0.0.1
Port ${stack.ports.imap}
User mbsync
Pass mbsync-pw
SSLType None
AuthMechs LOGIN

IMAPStore far
Account ph

MaildirStore near
Path ${d}/mail/
Inbox ${d}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
`);
  const sync = (): ReturnType<typeof run> => run("mbsync", ["-V", "-c", join(d, "rc"), "all"], { env: { HOME: d } });
  const first = await sync();
  assert.equal(first.status, 0, first.stdout + first.stderr);
  assert.equal(mailIn(join(d, "mail/INBOX")).length, 2);
  mkdirSync(join(d, "mail/Local"), { recursive: true });
  for (const sub of ["cur", "new", "tmp"]) mkdirSync(join(d, "mail/Local", sub));
  writeFileSync(join(d, "mail/Local/cur/1700000000.1_1.host:2,FS"), "Subject: from here\n\nbody\n");
  const second = await sync();
  assert.equal(second.status, 0, second.stdout + second.stderr);
  assert.match(readdirSync(join(stack.directory, "mail/mbsync/Maildir/.Local/cur")).join(" "), /:2,FS/);
  const listing = (): string[] => readdirSync(join(stack.directory, "mail/mbsync/Maildir"), { recursive: true, encoding: "utf8" }).filter((f) => /\/?(cur|new)\//.test(f)).sort();
  const near = (): string[] => readdirSync(join(d, "mail"), { recursive: true, encoding: "utf8" }).filter((f) => /\/(cur|new)\//.test(f)).sort();
  const before = [listing(), near()];
  const third = await sync();
  assert.equal(third.status, 0, third.stdout + third.stderr);
  assert.deepEqual([listing(), near()], before);
  assert.doesNotMatch(third.stdout, /[1-9]\d* (new|propagated|flagged|expunged|trashed)/i);
});

for (const [user, protocol, port] of [["fetchpop", "pop3", "pop3"], ["fetchimap", "imap", "imap"]] as const) {
  test(`fetchmail by ${protocol}: all once, nothing the second time`, { skip: missing("fetchmail") }, async (t) => {
    const d = scratch(t);
    const rc = join(d, "rc");
    writeFileSync(rc, `poll 127.0.0.1 service ${stack.ports[port]} protocol ${protocol} user "${user}" password "${user}-pw" sslproto "" mda "cat >> ${d}/got" keep\n`);
    chmodSync(rc, 0o600);
    const fetch = (): ReturnType<typeof run> => run("fetchmail", ["-f", rc, "--uidl", "--pidfile", join(d, "pid"), "-i", join(d, "ids")], { env: { HOME: d, FETCHMAILHOME: d } });
    const first = await fetch();
    assert.equal(first.status, 0, first.stdout + first.stderr);
    assert.deepEqual([...readFileSync(join(d, "got"), "utf8").matchAll(/^Subject: (.*)$/gm)].map((m) => m[1]), ["one", "two"]);
    const second = await fetch();
    // 1: "there was no mail".
    assert.equal(second.status, 1, second.stdout + second.stderr);
    assert.equal([...readFileSync(join(d, "got"), "utf8").matchAll(/^Subject: /gm)].length, 2);
  });
}

test("mutt: over IMAP, and the same Maildir by the file system while the daemons run", { skip: missing("mutt") || missing("script") }, async (t) => {
  const d = scratch(t);
  writeFileSync(join(d, "muttrc"), `
set folder=${d} spoolfile=${d}/none imap_user=mutt imap_pass=mutt-pw ssl_starttls=no ssl_force_tls=no
set header_cache="" message_cachedir="" certificate_file=${d}/certs
set confirmappend=no confirmcreate=no delete=yes move=no quit=yes mbox_type=Maildir copy=no
set sort=date wait_key=no
`);
  const mutt = (folder: string, keys: string): ReturnType<typeof run> =>
    run("script", ["-qec", `mutt -F ${d}/muttrc -f '${folder}' -e 'push "${keys}"'`, join(d, "typescript")], { env: { HOME: d, TERM: "xterm" } });
  const imap = `imap://127.0.0.1:${stack.ports.imap}/INBOX`;
  // Save the first message to a file, flag it, delete the second, quit with purge.
  const first = await mutt(imap, `<first-entry><copy-message>${d}/saved<enter><first-entry><flag-message><last-entry><delete-message><quit>`);
  assert.equal(first.status, 0, first.stdout);
  assert.ok(existsSync(join(d, "saved")), first.stdout);
  assert.match(mailIn(join(d, "saved"))[0] ?? "", /^Subject: one$/m);
  const left = readdirSync(join(maildir("mutt"), "cur")).concat(readdirSync(join(maildir("mutt"), "new")));
  assert.equal(left.length, 1, left.join(" "));
  assert.match(left[0] ?? "", /:2,.*F/);
  // The same mailbox as files: unflag it; an IMAP session sees that.
  const second = await mutt(maildir("mutt"), "<first-entry><flag-message><quit>");
  assert.equal(second.status, 0, second.stdout);
  const flags = await run("curl", ["-sS", "--user", "mutt:mutt-pw", imap, "-X", "FETCH 1 FLAGS"]);
  assert.match(flags.stdout, /FETCH \(FLAGS \([^)]*\)\)/);
  assert.doesNotMatch(flags.stdout, /Flagged/);
});
