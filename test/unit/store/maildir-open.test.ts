/** Opening a Maildir folder: what is looked at, and when. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import test, { type TestContext } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import type { MailStore } from "../../../src/store/mailbox.ts";
import { flags, plain, settings, temporary, uid, uids, user } from "./support.ts";

async function storeAt(t: TestContext, root: string): Promise<MailStore> {
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  return store;
}

/** A folder of two messages that has an index; nothing happened in it for a while. */
async function settled(t: TestContext): Promise<string> {
  const root = `${temporary(t)}/Maildir`;
  const store = await storeAt(t, root);
  await (await store.open("INBOX")).append(["one", "two"].map(plain));
  await store.close();
  for (const part of ["cur", "new"]) utimesSync(`${root}/${part}`, 1_700_000_000, 1_700_000_000);
  const again = await storeAt(t, root);
  await again.open("INBOX");
  await again.close();
  return root;
}

const putByHand = (root: string): void => writeFileSync(`${root}/new/1800000000.M1P1.hand`, "Subject: three\n\nx\n");

/** Directories that this process has inotify watch. */
function watched(): Set<string> {
  const found = new Set<string>();
  for (const fd of readdirSync("/proc/self/fdinfo")) {
    try {
      for (const [, inode = ""] of readFileSync(`/proc/self/fdinfo/${fd}`, "latin1").matchAll(/^inotify wd:\S+ ino:(\S+)/gm)) found.add(String(Number.parseInt(inode, 16)));
    } catch {
      // The directory's own.
    }
  }
  return found;
}

test("one that is open already is as it is on disk when that is asked for", async (t) => {
  const root = await settled(t);
  const store = await storeAt(t, root);
  const inbox = await store.open("INBOX");
  putByHand(root);
  assert.equal(await store.open("INBOX"), inbox);
  assert.deepEqual(uids(inbox), [1, 2]);
  assert.equal(await store.open("INBOX", true), inbox);
  assert.deepEqual(uids(inbox), [1, 2, 3]);
});

test("one that was opened just now is too, and an mbox", async (t) => {
  const root = temporary(t);
  writeFileSync(`${root}/inbox`, "From a@example.org Thu Nov 26 10:00:00 2026\nSubject: one\n\nx\n\n");
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  const inbox = await store.open("INBOX", true);
  assert.equal(inbox.messages.length, 1);
  writeFileSync(`${root}/inbox`, "From b@example.org Thu Nov 26 10:01:00 2026\nSubject: two\n\ny\n\n", { flag: "a" });
  assert.equal(await store.open("INBOX", true), inbox);
  assert.equal(inbox.messages.length, 2);
});

test("one that is expected is opened before it is asked for, where there is an index", async (t) => {
  const root = await settled(t);
  putByHand(root);
  const size = (): number => statSync(`${root}/dovecot-uidlist`).size;
  const before = size();
  const store = await storeAt(t, root);
  store.expect?.("INBOX");
  while (size() === before) await turn();
  assert.deepEqual(uids(await store.open("INBOX")), [1, 2, 3]);
  await store.close();

  for (const name of readdirSync(root)) if (name.startsWith("posthorn.") || name.startsWith("dovecot-")) rmSync(`${root}/${name}`);
  const other = await storeAt(t, root);
  other.expect?.("INBOX");
  other.expect?.("none/such");
  for (let n = 0; n < 20; n++) await turn();
  assert.equal(existsSync(`${root}/dovecot-uidlist`), false);
  assert.equal((await other.open("INBOX")).messages.length, 3);
});

test("a folder that did not change is not watched before it is changed, and what others do is seen all the same", async (t) => {
  const root = await settled(t);
  const cur = String(statSync(`${root}/cur`).ino);
  const store = await storeAt(t, root);
  const inbox = await store.open("INBOX");
  assert.equal(watched().has(cur), false);
  putByHand(root);
  await inbox.refresh();
  assert.deepEqual(uids(inbox), [1, 2, 3]);
  await inbox.setFlags([uid(1)], { how: "add", flags: flags("\\Flagged") });
  assert.equal(watched().has(cur), true);
  const [name = ""] = readdirSync(`${root}/cur`);
  rmSync(`${root}/cur/${name}`);
  await inbox.refresh();
  assert.equal(inbox.messages.length, 2);
});
