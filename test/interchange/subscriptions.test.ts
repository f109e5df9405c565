/** Subscriptions that other servers left: Dovecot's in both forms, Courier's, UW's. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { MailStore } from "../../src/store/mailbox.ts";
import { openStore } from "../../src/store/open.ts";
import { settingsWith } from "../unit/pop3/place.ts";

async function store(t: TestContext, mail: string, files: Readonly<Record<string, string>>): Promise<{ readonly home: string; readonly store: MailStore }> {
  const home = mkdtempSync(join(tmpdir(), "subscribed-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, "Mail"));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(home, file), text, "latin1");
  const user = { name: "alice", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, home, mail: mail.replaceAll("~", home), shell: "", agent: "virtual" };
  const opened = await openStore(user, settingsWith({ user_database: "file", mailbox_auto_create: "" }));
  t.after(() => opened.close());
  return { home, store: opened };
}

const maildir = "maildir:~/Mail";
const mbox = "mbox:~/Mail:INBOX=~/inbox";
const head = "V\t2\n\n";

const cases: readonly { readonly of: string; readonly mail: string; readonly files: Readonly<Record<string, string>>; readonly names: readonly string[] }[] = [
  { of: "Dovecot 2.3, Maildir", mail: maildir, files: { "Mail/subscriptions": `${head}INBOX\nA\tEntw&APw-rfe\nx&-y\n` }, names: ["INBOX", "A/Entwürfe", "x&y"] },
  { of: "Dovecot before 2.2.18, Maildir", mail: maildir, files: { "Mail/subscriptions": "INBOX\nA.Entw&APw-rfe\nx&-y\n" }, names: ["INBOX", "A/Entwürfe", "x&y"] },
  { of: "Dovecot 2.3, mbox", mail: mbox, files: { "Mail/.subscriptions": `${head}A\tb.c\nINBOX\n` }, names: ["A/b.c", "INBOX"] },
  { of: "Dovecot before 2.2.18, mbox", mail: mbox, files: { "Mail/.subscriptions": "A/b.c\nINBOX\n" }, names: ["A/b.c", "INBOX"] },
  { of: "Courier", mail: maildir, files: { "Mail/courierimapsubscribed": "INBOX\nINBOX.A.Entw&APw-rfe\nINBOX.Sent\nINBOX.Sent\nshared.other\n" }, names: ["INBOX", "A/Entwürfe", "Sent"] },
  { of: "Courier, then Dovecot", mail: maildir, files: { "Mail/courierimapsubscribed": "INBOX.old\n", "Mail/subscriptions": head }, names: [] },
  { of: "UW imapd", mail: mbox, files: { ".mailboxlist": "INBOX\nMail/Lists/Entw&APw-rfe\n~/Mail/b\nelsewhere/c\n" }, names: ["INBOX", "Lists/Entwürfe", "b"] },
  { of: "UW imapd, mailboxes in the home directory", mail: "mbox:~:INBOX=~/inbox", files: { ".mailboxlist": "inbox\nLists/a\n" }, names: ["INBOX", "Lists/a"] },
  { of: "nobody", mail: maildir, files: {}, names: [] },
];

for (const { of, mail, files, names } of cases) {
  test(`subscriptions of ${of}`, async (t) => {
    const { home, store: opened } = await store(t, mail, files);
    assert.deepEqual(await opened.subscriptions(), names);
    await opened.subscribe("Other/ö", true);
    await opened.subscribe("INBOX", false);
    const left = [...names.filter((name) => name !== "INBOX"), "Other/ö"];
    assert.deepEqual(await opened.subscriptions(), left);
    // What was another server's stays as it was.
    for (const [file, text] of Object.entries(files)) if (!/subscriptions$/.test(file)) assert.equal(readFileSync(join(home, file), "latin1"), text);
  });
}
