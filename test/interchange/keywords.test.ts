/** A letter of a Maildir's file names means one keyword, whoever made it: Dovecot changes `dovecot-keywords` under the lock of the uidlist. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openStore } from "../../src/store/open.ts";
import { settingsWith } from "../unit/pop3/place.ts";

test("a keyword waits for who holds dovecot-uidlist.lock", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "keywords-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const root = join(home, "Maildir");
  const user = { name: "alice", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, home, mail: `maildir:${root}`, shell: "", agent: "virtual" };
  const store = await openStore(user, settingsWith({ user_database: "file", mailbox_auto_create: "" }));
  t.after(() => store.close());
  const mailbox = await store.open("INBOX");
  const uids = await mailbox.append([{ octets: Buffer.from("Subject: x\n\ntext\n"), flags: new Set(), internalDate: undefined }]);
  writeFileSync(join(root, "dovecot-uidlist.lock"), `${process.ppid}:${hostname()}`);
  const flagged = mailbox.setFlags(uids, { how: "add", flags: new Set(["ours"]) });
  // Time for who would not wait to do the wrong thing.
  await pause(300);
  writeFileSync(join(root, "dovecot-keywords"), "0 theirs\n");
  rmSync(join(root, "dovecot-uidlist.lock"));
  await flagged;
  assert.equal(readFileSync(join(root, "dovecot-keywords"), "utf8"), "0 theirs\n1 ours\n");
  assert.deepEqual([...(mailbox.messages[0]?.flags ?? [])], ["ours"]);
});
