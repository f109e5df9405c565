/** A folder that one session has selected, by its counts alone, and another one deletes. */
import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { test } from "node:test";
import { openStore } from "../../src/store/open.ts";
import { startSessions } from "../unit/imap/session.ts";
import { plain, settings, temporary, user } from "../unit/store/support.ts";

for (const kind of ["maildir", "mbox"] as const)
  for (const how of ["SELECT X", "STATUS X (MESSAGES UNSEEN)"])
    test(`${kind}: ${how}, then DELETE by another session, is nothing that would be logged`, async (t) => {
      const home = temporary(t);
      const location = kind === "maildir" ? `maildir:${home}/Maildir` : `mbox:${home}/mail:INBOX=${home}/inbox`;
      const log: string[] = [];
      const open = (): ReturnType<typeof openStore> => openStore(user(location), { ...settings, mailbox_auto_create: [] }, undefined, { log: (line) => log.push(line) });
      const before = await open();
      await before.create("X");
      const folder = await before.open("X");
      await folder.append([plain("one"), plain("two")]);
      await folder.claimRecent(false);
      before.release(folder);
      await before.close();
      const store = await open();
      const sessions = await startSessions(store);
      t.after(async () => {
        await sessions.close();
        await store.close();
      });
      const [one, other] = [await sessions.login(), await sessions.login()];
      assert.match((await one.ask(how)).join("\n"), /2/);
      assert.deepEqual(await other.ask("DELETE X"), ["OK Delete completed."]);
      const fetched = await one.ask("FETCH 1:* (FLAGS)");
      assert.doesNotMatch(fetched.at(-1) ?? "", /CORRUPTION/);
      assert.match((await one.ask("STATUS X (MESSAGES)")).at(-1) ?? "", /^NO \[NONEXISTENT\]/);
      // RFC 2180 §3.3; an mbox that is gone is one whose messages are.
      if (kind === "maildir" && how.startsWith("SELECT")) await assert.rejects(one.ask("NOOP"), /\* BYE Selected mailbox was deleted/);
      else assert.match((await one.ask("NOOP")).at(-1) ?? "", /^OK /);
      assert.deepEqual(log, []);
    });

for (const [command, end] of [["NOOP", "bye"], ["CHECK", "bye"], ["IDLE", "bye"], ["CLOSE", "OK"], ["UNSELECT", "OK"], ["STORE 1 +FLAGS (\\Seen)", "NO"]] as const)
  test(`maildir: ${command} in a folder that another program removed`, async (t) => {
    const home = temporary(t);
    const store = await openStore(user(`maildir:${home}/Maildir`), { ...settings, mailbox_auto_create: [] });
    await store.create("X");
    const sessions = await startSessions(store);
    t.after(async () => {
      await sessions.close();
      await store.close();
    });
    const client = await sessions.login();
    await client.ask("APPEND X {5+}\r\na: b\n");
    await client.ask("SELECT X");
    rmSync(`${home}/Maildir/.X`, { recursive: true });
    if (end === "bye") await assert.rejects(client.ask(command), /\* BYE Selected mailbox was deleted/);
    else assert.equal((await client.ask(command)).at(-1)?.split(" ")[0], end);
  });

for (const kind of ["maildir", "mbox"] as const)
  test(`${kind}: when a store is closed its indexes are written: an agent ends then`, async (t) => {
    const home = temporary(t);
    const store = await openStore(user(kind === "maildir" ? `maildir:${home}/Maildir` : `mbox:${home}/mail:INBOX=${home}/inbox`), { ...settings, mailbox_auto_create: [] });
    const index = `${home}/${kind === "maildir" ? "Maildir/posthorn.index" : "mail/.imap/.posthorn/INBOX.index"}`;
    const inbox = await store.open("INBOX");
    await inbox.append([plain("one")]);
    const before = statSync(index, { throwIfNoEntry: false })?.size ?? 0;
    // What is under way is waited for.
    if (kind === "mbox") void inbox.append([plain("two")]);
    await store.close();
    assert.ok(statSync(index).size > before, `${before} octets`);
  });
