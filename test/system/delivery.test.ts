/** From RCPT to the mailbox: who is known, what aliases, .forward and rc files make of a message, and what is written into it. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { startStack, type Stack } from "../harness/stack.ts";
import { arrival, mailIn } from "../peers/client.ts";
import { command, deliver, Imap, mail, Smtp } from "./client.ts";

const names = ["admin", "alice", "bob", "carol", "dave", "erin", "ext", "fwd", "cmd", "both", "rules", "loopa", "loopb", "writer", "box"];
let stack: Stack;
let tables: string;

before(async () => {
  tables = mkdtempSync(join(tmpdir(), "ph-tables-"));
  writeFileSync(join(tables, "members"), "# the members\nbob\ncarol@example.test, dave\n");
  writeFileSync(
    join(tables, "aliases"),
    `postmaster: admin
list: alice,
  bob
owner-list: admin
chain: chain2
chain2: Chain3@example.test
chain3: erin
inc: :include:${tables}/members
prog: "|cat > ${tables}/piped; echo $SENDER $RECIPIENT > ${tables}/variables"
failing: "|echo no such luck; exit 67"
later: "|exit 75"
file: ${tables}/file
nothing: /dev/null
round: round2
round2: round
alice: alice, bob
`,
  );
  stack = await startStack({ users: Object.fromEntries(names.map((n) => [n, n])), set: { alias_maps: join(tables, "aliases"), mynetworks: "192.0.2.0/24", message_size_limit: "100000" } });
});
after(async () => {
  await stack.stop();
  rmSync(tables, { recursive: true, force: true });
});

const home = (user: string): string => join(stack.directory, "mail", user);
const maildir = (user: string, folder = ""): string => join(home(user), "Maildir", folder);
const subject = (text: string): RegExp => new RegExp(`^Subject: ${text}$`, "m");

/** A file in the user's home. */
function put(user: string, name: string, text: string): void {
  const path = join(home(user), name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
}

/** How often the message lies in the folder. */
const copies = (directory: string, text: string): number => mailIn(directory).filter((m) => subject(text).test(m)).length;

/** Resolves when the queue is done with the message. */
const removed = (id: string): Promise<string> => stack.logged(new RegExp(`${id}: removed`));

test("aliases", async (t) => {
  await t.test("a list goes to each member, with its owner as sender", async () => {
    await removed(await deliver(stack, "list@example.test", mail("to the list")));
    for (const user of ["alice", "bob"]) {
      const got = await arrival(maildir(user), subject("to the list"));
      assert.match(got, /^Return-Path: <owner-list@example\.test>\n/);
      assert.match(got, /^X-Original-To: list@example\.test$/m);
      assert.match(got, new RegExp(`^Delivered-To: ${user}@example\\.test$`, "m"));
    }
    assert.equal(copies(maildir("admin"), "to the list"), 0);
  });
  await t.test("a member of two lists gets one copy", async () => {
    await removed(await deliver(stack, ["list@example.test", "inc@example.test", "bob@example.test"], mail("once")));
    for (const user of ["alice", "bob", "carol", "dave"]) assert.equal(copies(maildir(user), "once"), 1, user);
  });
  await t.test("an alias of an alias of an alias, letters of either case", async () => {
    await removed(await deliver(stack, "CHAIN@Example.Test", mail("chained")));
    assert.equal(copies(maildir("erin"), "chained"), 1);
  });
  await t.test(":include:", async () => {
    await removed(await deliver(stack, "inc@example.test", mail("included")));
    for (const user of ["bob", "carol", "dave"]) assert.equal(copies(maildir(user), "included"), 1, user);
  });
  await t.test("an alias that names itself means the user", async () => {
    await removed(await deliver(stack, "alice@example.test", mail("alice and bob")));
    for (const user of ["alice", "bob"]) assert.equal(copies(maildir(user), "alice and bob"), 1, user);
  });
  await t.test("|command gets the message, and variables of local(8)", async () => {
    await removed(await deliver(stack, "prog@example.test", mail("piped", "one\n.two\n")));
    const piped = readFileSync(join(tables, "piped"), "latin1");
    assert.match(piped, /^From sender@example\.net {2}\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n/);
    assert.match(piped, subject("piped"));
    assert.doesNotMatch(piped, /\r/);
    assert.match(readFileSync(join(tables, "variables"), "latin1"), /^sender@example\.net prog@example\.test\n$/);
  });
  await t.test("a command's exit code says what becomes of the message", async () => {
    const gone = await deliver(stack, "failing@example.test", mail("unlucky"), "writer@example.test");
    assert.match(await stack.logged(new RegExp(`${gone}: to=<failing@example.test>`)), /dsn=5\.1\.1, status=bounced .*no such luck/);
    assert.match(await arrival(maildir("writer"), /^Subject: Undelivered Mail/m), /^Status: 5\.1\.1$/m);
    const waits = await deliver(stack, "later@example.test", mail("not now"));
    assert.match(await stack.logged(new RegExp(`${waits}: to=<later@example.test>`)), /dsn=4\.3\.0, status=deferred/);
  });
  await t.test("/file is an mbox, /dev/null takes all", async () => {
    for (const n of ["filed 1", "filed 2"]) await removed(await deliver(stack, "file@example.test", mail(n, "text\n\nFrom here on\n")));
    const text = readFileSync(join(tables, "file"), "latin1");
    assert.equal([...text.matchAll(/^From sender@example\.net /gm)].length, 2);
    assert.equal([...text.matchAll(/^>From here on$/gm)].length, 2);
    const id = await deliver(stack, "nothing@example.test", mail("gone"));
    assert.match(await stack.logged(new RegExp(`${id}: to=<nothing@example.test>`)), /status=sent/);
    assert.ok(statSync("/dev/null").isCharacterDevice());
  });
  await t.test("aliases that lead to each other bounce", async () => {
    const id = await deliver(stack, "round@example.test", mail("round and round"), "writer@example.test");
    assert.match(await stack.logged(new RegExp(`${id}: to=<round`)), /dsn=5\.4\.6, status=bounced/);
    assert.match(await arrival(maildir("writer"), /round and round/), /^Status: 5\.4\.6$/m);
  });
  await t.test("an alias written while the daemon runs counts at once", async () => {
    const smtp = await Smtp.connect(stack.ports.smtp);
    assert.equal((await smtp.command("MAIL FROM:<sender@example.net>")).code, 250);
    assert.equal((await smtp.command("RCPT TO:<fresh@example.test>")).code, 550);
    writeFileSync(join(tables, "aliases"), `${readFileSync(join(tables, "aliases"), "utf8")}fresh: erin\n`);
    assert.equal((await smtp.command("RCPT TO:<fresh@example.test>")).code, 250);
    await smtp.command("QUIT");
  });
});

test("postmaster is always there, with and without domain", async () => {
  const smtp = await Smtp.connect(stack.ports.smtp);
  for (const [i, address] of ["postmaster", "Postmaster@example.test", "mailer-daemon@example.test"].entries()) {
    const reply = await smtp.message("sender@example.net", [address], mail(`for postmaster ${i}`));
    assert.equal(reply.code, 250, `${address}: ${reply.text}`);
    await arrival(maildir("admin"), subject(`for postmaster ${i}`));
  }
  await smtp.command("QUIT");
});

test("user+extension", async (t) => {
  await t.test("is the user's mail", async () => {
    await deliver(stack, "ext+lists@example.test", mail("extended"));
    assert.match(await arrival(maildir("ext"), subject("extended")), /^Delivered-To: ext\+lists@example\.test$/m);
  });
  await t.test(".forward+extension is looked at before .forward", async () => {
    put("ext", ".forward+away", "carol\n");
    await removed(await deliver(stack, "ext+away@example.test", mail("away")));
    await removed(await deliver(stack, "ext+here@example.test", mail("here")));
    assert.deepEqual([copies(maildir("carol"), "away"), copies(maildir("ext"), "away"), copies(maildir("ext"), "here")], [1, 0, 1]);
  });
  await t.test("of nobody is unknown", async () => {
    const smtp = await Smtp.connect(stack.ports.smtp);
    assert.match((await smtp.message("sender@example.net", ["nobody+ext@example.test"], "")).text, /^550 5\.1\.1 /);
  });
});

test("~/.forward", async (t) => {
  await t.test("to an address", async () => {
    put("fwd", ".forward", "dave@example.test\n");
    await deliver(stack, "fwd@example.test", mail("forwarded"));
    const got = await arrival(maildir("dave"), subject("forwarded"));
    assert.match(got, /^Delivered-To: fwd@example\.test$/m);
    assert.match(got, /^Delivered-To: dave@example\.test$/m);
    assert.match(got, /^Return-Path: <sender@example\.net>\n/);
    assert.equal(copies(maildir("fwd"), "forwarded"), 0);
  });
  await t.test("to an address and \\user: a copy stays", async () => {
    put("fwd", ".forward", "\\fwd, dave@example.test\n");
    await removed(await deliver(stack, "fwd@example.test", mail("two copies")));
    await arrival(maildir("dave"), subject("two copies"));
    assert.equal(copies(maildir("fwd"), "two copies"), 1);
  });
  await t.test("to a command, in the home directory", async () => {
    put("cmd", ".forward", '"|cat > got"\n');
    await removed(await deliver(stack, "cmd@example.test", mail("to a command")));
    assert.match(readFileSync(join(home("cmd"), "got"), "latin1"), subject("to a command"));
    assert.equal(copies(maildir("cmd"), "to a command"), 0);
  });
  await t.test("to a command and the mailbox", async () => {
    put("both", ".forward", '\\both\n"|cat > got"\n');
    await removed(await deliver(stack, "both@example.test", mail("both ways")));
    assert.match(readFileSync(join(home("both"), "got"), "latin1"), subject("both ways"));
    assert.equal(copies(maildir("both"), "both ways"), 1);
  });
  await t.test("that others can write is not obeyed", async () => {
    put("both", ".forward", "carol\n");
    chmodSync(join(home("both"), ".forward"), 0o666);
    await removed(await deliver(stack, "both@example.test", mail("suspicious")));
    assert.equal(copies(maildir("both"), "suspicious"), 1);
    assert.match(await stack.logged(/\.forward: not obeyed/), /group or world can write it/);
  });
  await t.test("of two users to each other: a bounce, not a loop", async () => {
    put("loopa", ".forward", "loopb@example.test\n");
    put("loopb", ".forward", "loopa@example.test\n");
    await deliver(stack, "loopa@example.test", mail("to and fro"), "writer@example.test");
    const bounce = await arrival(maildir("writer"), /^Subject: to and fro$/m);
    assert.match(bounce, /^Subject: Undelivered Mail Returned to Sender$/m);
    assert.match(bounce, /^Status: 5\.4\.6$/m);
    assert.match(bounce, /mail forwarding loop/);
    for (const user of ["loopa", "loopb"]) assert.equal(mailIn(maildir(user)).length, 0);
  });
});

test("~/.procmailrc sorts", async (t) => {
  put(
    "rules",
    ".procmailrc",
    `MAILDIR=$HOME/Maildir
:0
* ^List-Id:.*<dev\\.
.lists.dev/

:0:
* ^Subject: boxed
plain

:0 c
* ^Subject: copied
.copies/

:0
* ^Subject: dropped
/dev/null

:0
* ^Subject: onward
! carol@example.test
`,
  );
  await t.test("into a Maildir folder, which IMAP shows", async () => {
    await removed(await deliver(stack, "rules@example.test", mail("listed", "x\n", "List-Id: Developers <dev.example.net>\n")));
    assert.equal(copies(maildir("rules", ".lists.dev"), "listed"), 1);
    assert.equal(copies(maildir("rules"), "listed"), 0);
    const imap = await Imap.login(stack.ports.imap, "rules");
    assert.match((await imap.ok('LIST "" *')).lines.join("\n"), /^\* LIST \(.*\) "\/" lists\/dev$/m);
    assert.match((await imap.ok("STATUS lists/dev (MESSAGES)")).lines.join("\n"), /\(MESSAGES 1\)/);
    await imap.logout();
  });
  await t.test("into an mbox file", async () => {
    await removed(await deliver(stack, "rules@example.test", mail("boxed", "a\nFrom b\n")));
    const text = readFileSync(maildir("rules", "plain"), "latin1");
    assert.match(text, /^From sender@example\.net /);
    assert.match(text, subject("boxed"));
    assert.match(text, /\na\n>From b\n\n$/);
    assert.ok(!existsSync(maildir("rules", "plain.lock")));
  });
  await t.test("a copy, and the rest into INBOX", async () => {
    await removed(await deliver(stack, "rules@example.test", mail("copied")));
    assert.deepEqual([copies(maildir("rules", ".copies"), "copied"), copies(maildir("rules"), "copied")], [1, 1]);
  });
  await t.test("nowhere", async () => {
    await removed(await deliver(stack, "rules@example.test", mail("dropped")));
    assert.equal(copies(maildir("rules"), "dropped"), 0);
  });
  await t.test("to another address", async () => {
    await deliver(stack, "rules@example.test", mail("onward"));
    await arrival(maildir("carol"), subject("onward"));
    assert.equal(copies(maildir("rules"), "onward"), 0);
  });
});

test("who is refused at RCPT", async () => {
  const smtp = await Smtp.connect(stack.ports.smtp);
  assert.equal((await smtp.command("MAIL FROM:<sender@example.net>")).text, "250 2.1.0 Ok");
  assert.match((await smtp.command("RCPT TO:<nobody@example.test>")).text, /^550 5\.1\.1 <nobody@example\.test>.*[Uu]ser unknown/);
  for (const foreign of ["somebody@example.org", "alice%example.org@example.com", "@example.test:somebody@example.org"]) {
    assert.match((await smtp.command(`RCPT TO:<${foreign}>`)).text, /^554 5\.7\.1 /, foreign);
  }
  assert.equal((await smtp.command("DATA")).text.slice(0, 9), "554 5.5.1");
  assert.equal((await smtp.command("RCPT TO:<carol@EXAMPLE.test>")).code, 250);
  await smtp.command("QUIT");
  assert.match(await stack.logged(/NOQUEUE: reject: RCPT from .*somebody@example\.org/), /554 5\.7\.1 .*from=<sender@example\.net> to=<somebody@example\.org> proto=ESMTP helo=<client\.example\.net>/);
});

test("commands without a transaction", async () => {
  const smtp = await Smtp.connect(stack.ports.smtp, "");
  assert.match((await smtp.command("MAIL FROM:<a@example.net>")).text, /^503 5\.5\.1 /);
  const hello = await smtp.command("EHLO client.example.net");
  assert.equal(hello.lines[0], "example.test");
  for (const keyword of ["PIPELINING", "SIZE 100000", "VRFY", "STARTTLS", "ENHANCEDSTATUSCODES", "8BITMIME"]) assert.ok(hello.lines.includes(keyword), keyword);
  assert.equal((await smtp.command("NOOP")).text, "250 2.0.0 Ok");
  assert.equal((await smtp.command("noop with words")).code, 250);
  assert.equal((await smtp.command("HELP")).code, 214);
  assert.equal((await smtp.command("VRFY carol")).text, "252 2.0.0 carol@example.test");
  assert.match((await smtp.command("VRFY nobody")).text, /^550 5\.1\.1 /);
  assert.match((await smtp.command("XYZZY")).text, /^50[02] 5\.5\.[12] /);
  assert.match((await smtp.command("DATA")).text, /^503 5\.5\.1 /);
  assert.equal((await smtp.command("MAIL FROM:<a@example.net>")).code, 250);
  assert.match((await smtp.command("MAIL FROM:<b@example.net>")).text, /^503 5\.5\.1 /);
  assert.equal((await smtp.command("RCPT TO:<carol@example.test>")).code, 250);
  assert.equal((await smtp.command("RSET")).text, "250 2.0.0 Ok");
  assert.match((await smtp.command("RCPT TO:<carol@example.test>")).text, /^503 5\.5\.1 /);
  assert.equal((await smtp.command("QUIT")).code, 221);
  assert.deepEqual(await smtp.rest(), []);
});

test("a message over message_size_limit: at MAIL when announced, at its end when not", async () => {
  const smtp = await Smtp.connect(stack.ports.smtp);
  assert.match((await smtp.command("MAIL FROM:<a@example.net> SIZE=100001")).text, /^552 5\.3\.4 /);
  assert.match((await smtp.message("a@example.net", ["carol@example.test"], mail("too long", "0123456789012345678901234567890123456789\n".repeat(3000)))).text, /^552 5\.3\.4 /);
  const reply = await smtp.message("a@example.net", ["carol@example.test"], mail("short enough", "0123456789012345678901234567890123456789\n".repeat(2000)));
  assert.equal(reply.code, 250, reply.text);
  await smtp.command("QUIT");
  await arrival(maildir("carol"), subject("short enough"));
  assert.equal(copies(maildir("carol"), "too long"), 0);
});

test("what is written into a message", async (t) => {
  await t.test("trace fields in front, then the message as it came", async () => {
    const text = mail("as it came", "two  blanks \n\n.\n..\n\u00fc\n", "X-Odd:a\n\tfolded\n");
    const smtp = await Smtp.connect(stack.ports.smtp);
    const sent = await smtp.message("Sender@example.net", ["erin@example.test"], Buffer.from(text.replaceAll(/^\./gm, ".."), "utf8"));
    const id = /queued as (\S+)/.exec(sent.text)?.[1] ?? "none";
    await smtp.command("QUIT");
    const got = await arrival(maildir("erin"), subject("as it came"));
    const [head = "", rest = ""] = got.split(/(?<=\n)(?=From: )/, 2);
    assert.equal(rest, text.replaceAll("\r\n", "\n"));
    assert.match(head, new RegExp(`^Return-Path: <Sender@example\\.net>\nDelivered-To: erin@example\\.test\nReceived: from client\\.example\\.net \\(.*\\[127\\.0\\.0\\.1\\]\\)\\s+by example\\.test \\(Posthorn\\) with ESMTP id ${id}\\s+for <erin@example\\.test>; \\w{3}, `));
  });
  await t.test("Date, Message-ID and From where a program of this host left them out", async () => {
    const sent = await command(stack, "sendmail", ["-f", "writer@example.test", "erin"], "Subject: bare\n\ntext\n");
    assert.equal(sent.status, 0, sent.stderr);
    const got = await arrival(maildir("erin"), subject("bare"));
    assert.match(got, /^Date: \w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/m);
    assert.match(got, /^Message-I[dD]: <\S+@example\.test>$/m);
    assert.match(got, /^From: .*writer@example\.test/m);
    assert.match(got, /^Received: by example\.test \(Posthorn, from userid \d+\)\s+id \S+; /m);
  });
  await t.test("a message that passed hopcount_limit hosts is in a loop", async () => {
    const smtp = await Smtp.connect(stack.ports.smtp);
    const reply = await smtp.message("a@example.net", ["erin@example.test"], mail("looping", "x\n", "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n".repeat(50)));
    assert.match(reply.text, /^554 5\.4\.0 .*too many hops/);
  });
});

test("mail that has been delivered to the address before bounces", async () => {
  await deliver(stack, "carol@example.test", mail("again", "x\n", "Delivered-To: carol@example.test\n"), "writer@example.test");
  assert.match(await arrival(maildir("writer"), /^Subject: again$/m), /^Status: 5\.4\.6$/m);
});

test("a mailbox in mbox form", async (t) => {
  const boxes = mkdtempSync(join(tmpdir(), "ph-mbox-"));
  const second = await startStack({ users: { box: "box" }, set: { mail_location: `mbox:~/mail:INBOX=${boxes}/%u`, mail_spool_directory: boxes } });
  t.after(async () => {
    await second.stop();
    rmSync(boxes, { recursive: true, force: true });
  });
  for (const n of ["one", "two"]) {
    const id = await deliver(second, "box@example.test", mail(n, "From the start\n>From quoted\nnot From\n\nFrom after an empty line\nlast line\n", "Status: RO\nX-UID: 7\n"));
    await second.logged(new RegExp(`${id}: removed`));
  }
  const text = readFileSync(join(boxes, "box"), "latin1");
  assert.equal([...text.matchAll(/^From sender@example\.net {1,2}\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/gm)].length, 2);
  assert.equal([...text.matchAll(/^From /gm)].length, 2);
  assert.equal([...text.matchAll(/^>From the start$/gm)].length, 2);
  assert.doesNotMatch(text, /^Status: RO$/m, "state forged by a sender");
  assert.match(text, /last line\n\nFrom /);
  assert.deepEqual(readdirSync(boxes), ["box"]);
  const imap = await Imap.login(second.ports.imap, "box");
  assert.match((await imap.ok("SELECT INBOX")).lines.join("\n"), /^\* 2 EXISTS$/m);
  const [first] = (await imap.ok("FETCH 1 (FLAGS BODY.PEEK[TEXT])")).untagged;
  assert.doesNotMatch(first?.line ?? "", /Seen/);
  assert.match(first?.literals[0]?.toString("latin1") ?? "", /\r\n\r\n>?From after an empty line\r\nlast line\r\n$/);
  await imap.logout();
});
