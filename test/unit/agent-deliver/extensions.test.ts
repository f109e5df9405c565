/** posthorn-rc(5) in an agent: flags and keywords in the user's folders and others, answers of somebody who is away. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { decodeWords } from "../../../src/message/text.ts";
import { bench, type Bench } from "./bench.ts";

const message = "From: bob@example.net\nTo: alice@example.org\nSubject: =?utf-8?B?QsO8Y2hlcg==?=\nMessage-ID: <1@example.net>\n\nbody\n";

describe("extensions", () => {
  let b: Bench;
  beforeEach(async () => {
    b = await bench();
  });
  afterEach(() => b.close());

  const files = (folder: string): string[] => ["new", "cur"].flatMap((part) => readdirSync(join(b.home, folder, part)).map((name) => `${part}/${name.replace(/^.*?(:|$)/, "$1")}`));

  test("flags and keywords in a folder of the store, and none where none are set", async () => {
    b.write(".procmailrc", "MAILDIR=$HOME/Maildir\n# posthorn: flags = \\Seen \\Flagged Books '$Junk'\n# posthorn: decode = yes\n:0\n* ^Subject: Bücher$\n.books/\n# posthorn: flags =\n:0\n.rest/\n".replace("ü", "\xc3\xbc"));
    assert.equal((await b.deliver(message)).outcome.text, "delivered to maildir");
    await b.deliver("Subject: other\n\nx\n");
    assert.deepEqual(files("Maildir/.books"), ["cur/:2,FSab"]);
    assert.deepEqual(readFileSync(join(b.home, "Maildir/.books/dovecot-keywords"), "latin1").trim().split("\n").sort(), ["0 Books", "1 $Junk"]);
    assert.deepEqual(files("Maildir/.rest"), ["new/"]);
  });

  test("flags reach DEFAULT too", async () => {
    b.write(".procmailrc", "# posthorn: flags = Flagged\n");
    await b.deliver(message);
    assert.deepEqual(files("Maildir"), ["cur/:2,F"]);
  });

  test("in a Maildir elsewhere", async () => {
    mkdirSync(join(b.home, "elsewhere"));
    b.write(".procmailrc", "# posthorn: flags = seen Books\n:0\n$HOME/elsewhere/M/\n");
    assert.equal((await b.deliver(message)).outcome.text, "delivered to maildir");
    assert.deepEqual(files("elsewhere/M"), ["cur/:2,Sa"]);
    assert.equal(readFileSync(join(b.home, "elsewhere/M/dovecot-keywords"), "latin1"), "0 Books\n");
  });

  test("in an mbox elsewhere", async () => {
    b.write(".procmailrc", "# posthorn: flags = seen answered Books\n:0:\n$HOME/box\n");
    assert.equal((await b.deliver(message)).outcome.kind, "sent");
    const box = b.read("box");
    assert.match(box, /^From bob@example.net /);
    assert.match(box, /^Status: .*R/m);
    assert.match(box, /^X-Status: .*A/m);
    assert.match(box, /^X-Keywords: .*Books/m);
    assert.match(box, /^Subject: =\?utf-8\?B\?QsO8Y2hlcg==\?=\n/m);
  });

  test("an MH folder has no place for flags, and gets the mail", async () => {
    b.write(".procmailrc", "# posthorn: flags = seen\n:0\n$HOME/mh/.\n");
    assert.equal((await b.deliver(message)).outcome.kind, "sent");
    assert.deepEqual(readdirSync(join(b.home, "mh")).filter((name) => /^\d+$/.test(name)), ["1"]);
  });

  describe("vacation", () => {
    beforeEach(() => {
      b.write("sendmail", `#!/bin/sh\n(echo "$@"; cat; echo "----") >> ${b.home}/sent\n`, 0o755);
      b.write(".vacation.msg", "Subject: away\n\nI am away.\n");
      b.write(".procmailrc", "SENDMAIL=$HOME/sendmail\nLOGFILE=$HOME/log\nLOGABSTRACT=no\n# posthorn: vacation = $HOME/.vacation.msg\n");
    });
    const answers = (): string[] => (b.exists("sent") ? b.read("sent").split("----\n").slice(0, -1) : []);

    test("one answer in the period to each sender, with the null sender, and the mail is delivered", async () => {
      for (const sender of ["bob@example.net", "bob@example.net", "Bob@EXAMPLE.net", "carol@example.com"]) await b.deliver(message, {}, sender);
      assert.equal(b.maildir("Maildir").length, 4);
      const [first = "", second = "", ...more] = answers();
      assert.deepEqual(more, []);
      assert.match(first, /^-oi -f <> -- bob@example.net\nFrom: alice@example.org\nTo: bob@example.net\nSubject: away\nAuto-Submitted: auto-replied \(vacation\)\nIn-Reply-To: <1@example.net>\n/);
      assert.match(second, /^-oi -f <> -- carol@example.com\n/);
      assert.equal(b.read("log"), "procmail: vacation: answered bob@example.net\nprocmail: vacation: answered carol@example.com\n");
    });

    test("none to lists, null senders, and mail that names her nowhere", async () => {
      await b.deliver(message, {}, "");
      await b.deliver(`List-Id: <x>\n${message}`);
      await b.deliver(message.replace("alice@", "staff@"));
      await b.deliver(message.replace("From:", "Auto-Submitted: auto-generated\nFrom:"));
      assert.deepEqual(answers(), []);
      assert.equal(b.maildir("Maildir").length, 4);
      assert.equal(b.exists(".posthorn-vacation"), false);
    });

    test("another address of hers counts when she says so", async () => {
      b.write(".procmailrc", "SENDMAIL=$HOME/sendmail\n# posthorn: vacation_addresses = staff@example.org, x@y\n# posthorn: vacation_subject = gone\n# posthorn: vacation = .vacation.msg\n");
      await b.deliver(message.replace("alice@", "staff@"));
      assert.match(answers()[0] ?? "", /\nFrom: staff@example.org\n.*\nSubject: gone\n/);
    });

    test("its subject and sender are in UTF-8", async () => {
      b.write(".procmailrc", "SENDMAIL=$HOME/sendmail\n# posthorn: vacation_subject = Ferien für alle, voilà\n# posthorn: vacation_from = Zoë Là <alice@example.org>\n# posthorn: vacation = .vacation.msg\n".replaceAll(/[^\0-\x7f]/g, (c) => Buffer.from(c).toString("latin1")));
      await b.deliver(message);
      const answer = decodeWords(Buffer.from(answers()[0] ?? ""));
      assert.match(answer, /\nSubject: Ferien für alle, voilà\n/);
      assert.match(answer, /\nFrom: Zoë Là <alice@example.org>\n/);
    });

    test("an answer that could not be sent is tried with the next mail", async () => {
      b.write("sendmail", "#!/bin/sh\ncat > /dev/null; exit 75\n", 0o755);
      assert.equal((await b.deliver(message)).outcome.kind, "sent");
      assert.match(b.read("log"), /vacation: ".*sendmail" could not send the answer to bob@example.net \(status 75\)/);
      b.write("sendmail", `#!/bin/sh\n(echo "$@"; cat; echo "----") >> ${b.home}/sent\n`, 0o755);
      chmodSync(join(b.home, "sendmail"), 0o755);
      await b.deliver(message);
      assert.equal(answers().length, 1);
    });

    test("without the message there is no answer, the log says so, and the mail is delivered", async () => {
      b.write(".procmailrc", "SENDMAIL=$HOME/sendmail\nLOGFILE=$HOME/log\nLOGABSTRACT=no\n# posthorn: vacation = $HOME/none\n");
      await b.deliver(message);
      assert.equal(b.read("log"), `procmail: vacation: cannot read "${b.home}/none"\n`);
      assert.equal(b.maildir("Maildir").length, 1);
    });
  });
});
