import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { storeFolder } from "../../../src/agent/deliver/store-folder.ts";
import { bench, type Bench } from "./bench.ts";
import { plusPlus } from "../store/support.ts";

const message = "From: bob@example.net\nTo: alice@example.org\nSubject: hello\n\nbody\n";

describe("~/.procmailrc", () => {
  let b: Bench;
  beforeEach(async () => {
    b = await bench();
  });
  afterEach(() => b.close());

  test("sorts into Maildir++ folders through the store, and what no recipe wants into INBOX", async () => {
    b.write(".procmailrc", "MAILDIR=$HOME/Maildir\n:0\n* ^Subject: hello\n.Lists.Unix/\n");
    assert.equal((await b.deliver(message)).outcome.text, "delivered to maildir");
    assert.equal((await b.deliver("Subject: other\n\nx\n")).outcome.text, "delivered to maildir");
    assert.equal(b.maildir("Maildir/.Lists.Unix").length, 1);
    assert.equal(b.maildir("Maildir").length, 1);
  });

  test("HOME, $1 and what the MTA knows", async () => {
    b.write(".procmailrc", "LOGFILE=log\nLOGABSTRACT=no\nLOG=\"$HOME $LOGNAME $1 $# $SENDER $RECIPIENT\n\"\n");
    await b.deliver(message, { extension: "ext" });
    assert.equal(b.read("log"), `${b.home} alice ext 1 bob@example.net alice@example.org\n`);
  });

  test("rules of the host come before the user's, with a PATH of their own; HOST in them ends only them", async () => {
    await b.close();
    const directory = mkdtempSync("/var/tmp/posthorn-global-");
    try {
      const global = `${directory}/procmailrc`;
      writeFileSync(global, 'LOGFILE=$HOME/log\nLOGABSTRACT=no\nLOG="$PATH\n"\n:0\n* ^Subject: hello\n$HOME/global\nHOST=other\n:0\n$HOME/never\n', { mode: 0o644 });
      b = await bench({ global_procmailrc: global });
      assert.equal((await b.deliver(message)).outcome.kind, "sent");
      assert.match(b.read("global"), /Subject: hello/);
      assert.equal(b.read("log"), "/usr/local/bin:/usr/bin:/bin\n");
      // Without rules of her own it goes to INBOX.
      await b.deliver("Subject: other\n\nx\n");
      assert.equal(b.maildir("Maildir").length, 1);
      b.write(".procmailrc", 'LOG="$PATH\n"\n:0\nown\n');
      await b.deliver("Subject: other\n\nx\n");
      assert.match(b.read("own"), /Subject: other/);
      assert.equal(b.read("log").split("\n").at(-2), `${b.home}/bin:/usr/local/bin:/usr/bin:/bin`);
      assert.ok(!b.exists("never"));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  for (const mode of [0o602, 0o666]) {
    test(`not obeyed with mode ${mode.toString(8)}`, async () => {
      b.write(".procmailrc", ":0\n/dev/null\n");
      chmodSync(`${b.home}/.procmailrc`, mode);
      await b.deliver(message);
      assert.equal(b.maildir("Maildir").length, 1);
    });
  }

  test("not obeyed in a directory that anyone can write", async () => {
    b.write(".procmailrc", ":0\n/dev/null\n");
    chmodSync(b.home, 0o777);
    await b.deliver(message);
    assert.equal(b.maildir("Maildir").length, 1);
  });

  test("a file with CRLF line ends is not obeyed in part", async () => {
    b.write(".procmailrc", "LOGFILE=log\r\n:0\r\n/dev/null\r\n");
    assert.equal((await b.deliver(message)).outcome.kind, "sent");
    assert.equal(b.maildir("Maildir").length, 1);
  });

  test("a file that includes itself is given up, not the mail", async () => {
    b.write(".procmailrc", "INCLUDERC=$HOME/.procmailrc\n:0\n/dev/null\n");
    assert.equal((await b.deliver(message)).outcome.kind, "sent");
    assert.equal(b.maildir("Maildir").length, 1);
  });

  test("files that switch to each other are given up, not the mail", async () => {
    b.write(".procmailrc", "SWITCHRC=$HOME/two\n");
    b.write("two", "SWITCHRC=$HOME/.procmailrc\n");
    assert.equal((await b.deliver(message)).outcome.kind, "sent");
    assert.equal(b.maildir("Maildir").length, 1);
  });

  test("no DEFAULT that works: ORGMAIL", async () => {
    b.write(".procmailrc", "ORGMAIL=$HOME/last\nDEFAULT=$HOME/none/there\n");
    assert.equal((await b.deliver(message)).outcome.text, `delivered to file: ${b.home}/last`);
  });

  test("a full disk is deferred whatever the rc file says", async () => {
    b.write(".procmailrc", ":0\n$HOME/Maildir/\n");
    b.fault = new StoreFault("no-space", "no space left for mail");
    const { outcome } = await b.deliver(message);
    assert.deepEqual([outcome.kind, outcome.status], ["deferred", "4.2.2"]);
  });

  test("EXITCODE decides: 67 bounces, 75 defers", async () => {
    b.write(".procmailrc", "EXITCODE=67\n:0\n/dev/null\n");
    assert.equal((await b.deliver(message)).outcome.status, "5.1.1");
    b.write(".procmailrc", "EXITCODE=75\n:0\n* ^Subject:\n/dev/null\n");
    assert.equal((await b.deliver(message)).outcome.status, "4.3.0");
  });

  test("outcomes say what was done", async () => {
    b.write(".procmailrc", ":0\n* 1^0 ^X:\n{ }\n:0\n* ^Subject: pipe\n| cat > $HOME/piped\n:0\n* ^Subject: null\n/dev/null\n:0\n* ^Subject: box\nbox\n");
    const text = async (subject: string): Promise<string> => (await b.deliver(`Subject: ${subject}\n\n`)).outcome.text;
    assert.equal(await text("pipe"), "delivered to command:  cat > $HOME/piped");
    assert.equal(await text("null"), "delivered to file: /dev/null");
    assert.equal(await text("box"), `delivered to file: ${b.home}/box`);
  });

  test("a command that is not there does not lose the mail, w or not", async () => {
    b.write(".procmailrc", ":0\n| /nonexistent/program\n");
    await b.deliver(message);
    assert.equal(b.maildir("Maildir").length, 1);
  });

  test("a forward that fails does not lose the mail", async () => {
    b.write(".procmailrc", "SENDMAIL=/bin/false\n:0\n! carol@example.com\n");
    assert.equal((await b.deliver(message)).outcome.text, "delivered to maildir");
  });

  test("TIMEOUT ends a filter, and the mail stays as it was", async () => {
    b.write(".procmailrc", "TIMEOUT=1\n:0 fw\n| sleep 60; cat\n");
    await b.deliver(message);
    assert.ok(b.maildir("Maildir")[0]?.endsWith(message));
  });

  test("a filter that writes without end leaves the mail as it was", async () => {
    await b.close();
    b = await bench({ message_size_limit: "100K" });
    b.write(".procmailrc", ":0 f\n| head -c 3000000 /dev/zero\n");
    await b.deliver(message);
    assert.ok(b.maildir("Maildir")[0]?.endsWith(message));
  });

  test("a folder that is a FIFO is refused at once", async () => {
    const { spawnSync } = await import("node:child_process");
    spawnSync("mkfifo", [`${b.home}/pipe`]);
    b.write(".procmailrc", ":0\npipe\n");
    await b.deliver(message);
    assert.equal(b.maildir("Maildir").length, 1);
  });

  test("one lock for many deliveries at once", async () => {
    mkdirSync(`${b.home}/d`);
    b.write(".procmailrc", ":0 w:$HOME/d/lock\n| mkdir $HOME/d/one && cat >> $HOME/all && rmdir $HOME/d/one\n");
    const replies = await Promise.all(Array.from({ length: 10 }, () => b.deliver(message)));
    assert.ok(replies.every((r) => r.outcome.text.startsWith("delivered to command")));
    assert.equal(b.read("all").match(/^Subject/gm)?.length, 10);
    assert.ok(!b.exists("d/lock"));
  });

  test("one mbox for many deliveries at once", async () => {
    b.write(".procmailrc", ":0:\nbox\n");
    await Promise.all(Array.from({ length: 20 }, () => b.deliver(message)));
    assert.equal(b.read("box").match(/^From /gm)?.length, 20);
    assert.ok(!b.exists("box.lock"));
  });
});

test("paths that are folders of the store", () => {
  const maildir = { kind: "maildir", ...plusPlus("/h/Maildir") } as const;
  assert.equal(storeFolder(maildir, "/h/Maildir/"), "INBOX");
  assert.equal(storeFolder(maildir, "/h/Maildir/.A.B/"), "A/B");
  for (const other of ["/h/Maildir", "/h/Maildir/A/", "/h/Maildir/.INBOX/", "/h/Maildir/.A&-/", "/h/Maildir/.A..B/", "/h/Maildirs/", "/h/Maildir/.A/B/"]) assert.equal(storeFolder(maildir, other), undefined, other);
  const nested = { ...maildir, nested: true } as const;
  assert.deepEqual(["/h/Maildir/", "/h/Maildir/A/B/", "/h/Maildir/A/"].map((path) => storeFolder(nested, path)), ["INBOX", "A/B", "A"]);
  for (const other of ["/h/Maildir/A/cur/", "/h/Maildir/.A/", "/h/Maildir/A", "/h/Maildir/inbox/x/"]) assert.equal(storeFolder(nested, other), undefined, other);
  const named = { ...nested, inbox: "/h/Maildir/INBOX/.md", dirname: ".md" } as const;
  assert.deepEqual(["/h/Maildir/INBOX/.md/", "/h/Maildir/A/cur/.md/"].map((path) => storeFolder(named, path)), ["INBOX", "A/cur"]);
  for (const other of ["/h/Maildir/", "/h/Maildir/.md/", "/h/Maildir/A/"]) assert.equal(storeFolder(named, other), undefined, other);
  const mbox = { kind: "mbox", root: "/h/mail", inbox: "/var/mail/h" } as const;
  assert.equal(storeFolder(mbox, "/var/mail/h"), "INBOX");
  assert.equal(storeFolder(mbox, "/h/mail/lists/unix"), "lists/unix");
  for (const other of ["/h/mail/x/", "/h/mail/.hidden", "/h/mail/../x", "/h/mailx", "/h/mail/inbox"]) assert.equal(storeFolder(mbox, other), undefined, other);
});
