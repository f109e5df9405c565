/** A folder that one session has selected, by its counts alone, and another one deletes. */
import assert from "node:assert/strict";
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
      await one.ask("NOOP");
      const fetched = await one.ask("FETCH 1:* (FLAGS)");
      assert.doesNotMatch(fetched.at(-1) ?? "", /CORRUPTION/);
      assert.match((await one.ask("STATUS X (MESSAGES)")).at(-1) ?? "", /^NO \[NONEXISTENT\]/);
      assert.deepEqual(log, []);
    });
