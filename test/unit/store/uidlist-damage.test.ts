/** A uidlist or a Maildir that somebody else has spoilt must not make one UID mean two messages. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import { flags, maildir, message, plain, settings, temporary, uid, uids, user } from "./support.ts";

test("a garbled line in the middle of the uidlist costs only its own message its UID", async (t) => {
  const { inbox, root } = await maildir(t);
  await inbox.append([plain("one"), plain("two"), plain("three"), plain("four")]);
  await inbox.expunge([uid(4)]);
  const path = `${root}/dovecot-uidlist`;
  const lines = readFileSync(path, "latin1").split("\n");
  const two = lines.findIndex((line) => line.startsWith("2 "));
  lines[two] = "2 :torn off";
  lines.splice(two, 0, "\0\0garbage");
  writeFileSync(path, lines.join("\n"));
  const log: string[] = [];
  const store = await openStore(user(`maildir:${root}`), settings, undefined, { log: (line) => log.push(line) });
  t.after(() => store.close());
  const again = { inbox: await store.open("INBOX") };
  assert.match(log.join("\n"), /dovecot-uidlist: \d lines can not be read/);
  assert.equal(again.inbox.uidValidity, inbox.uidValidity);
  assert.deepEqual(uids(again.inbox), [1, 3, 5]);
  assert.match(String(await again.inbox.read(uid(3))), /body of three/);
  assert.match(String(await again.inbox.read(uid(5))), /body of two/);
  await again.inbox.append([plain("six")]);
  assert.deepEqual(uids((await maildir(t, root)).inbox), [1, 3, 5, 6]);
});

for (const file of ["dovecot-uidlist", "dovecot-keywords", "posthorn-keywords"])
  test(`${file} of 3 GB: it is not read, UIDs stay, and the mailbox can be changed`, async (t) => {
    const { inbox, root, store } = await maildir(t);
    await inbox.append([plain("one"), plain("two")]);
    await inbox.setFlags([uid(1)], { how: "add", flags: flags(...Array.from({ length: 30 }, (_, i) => `keyword-${i}`)) });
    const { uidValidity } = inbox;
    await store.close();
    truncateSync(`${root}/${file}`, 3 * 2 ** 30);
    const again = (await maildir(t, root)).inbox;
    assert.deepEqual(uids(again), [1, 2]);
    assert.equal(again.uidValidity, uidValidity);
    await again.setFlags([uid(2)], { how: "add", flags: flags("another", "\\Seen") });
    assert.ok(again.messages[1]?.flags.has("another"));
    assert.deepEqual(await again.append([plain("three")]), [3 + (file === "dovecot-uidlist" ? 1000 : 0)]);
    assert.ok(process.resourceUsage().maxRSS < 600_000, "memory");
  });

test("a file whose name holds a line end is no message", async (t) => {
  const { inbox, root } = await maildir(t);
  writeFileSync(`${root}/new/1.a\nb.host`, "x\n\ny\n");
  writeFileSync(`${root}/cur/2.a\rb.host:2,`, "x\n\ny\n");
  await inbox.refresh();
  await inbox.append([plain("one"), plain("two")]);
  assert.deepEqual(uids(inbox), [1, 2]);
  assert.deepEqual(uids((await maildir(t, root)).inbox), [1, 2]);
  assert.deepEqual(readdirSync(`${root}/new`).filter((name) => name.includes("\n")).length, 1);
});

test("an mbox put in place of another: UIDs of the old one remove and flag nothing", async (t) => {
  const root = temporary(t);
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), settings);
  t.after(() => store.close());
  const inbox = await store.open("INBOX");
  await inbox.append([message("A: 1\n\nold\n")]);
  const other = await openStore(user(`mbox:${root}/mail2:INBOX=${root}/other`), settings);
  t.after(() => other.close());
  const second = await other.open("INBOX");
  await second.append([message("B: 2\n\nprecious\n")]);
  const replacement = readFileSync(`${root}/other`, "latin1").replace(/^(X-IMAPbase: )\d+/m, (_, name: string) => `${name}${inbox.uidValidity + 7}`);
  writeFileSync(`${root}/inbox`, replacement);
  assert.deepEqual(await inbox.setFlags([uid(1)], { how: "add", flags: new Set(["\\Deleted"]) }), []);
  assert.match(readFileSync(`${root}/inbox`, "latin1"), /^X-Status: *$/m);
  writeFileSync(`${root}/inbox`, replacement.replace(/^(X-IMAPbase: )\d+/m, (_, name: string) => `${name}${inbox.uidValidity + 14}`));
  assert.deepEqual(await inbox.expunge([uid(1)]), []);
  assert.match(readFileSync(`${root}/inbox`, "latin1"), /precious/);
});
