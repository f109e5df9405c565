/** Another program holds the lock of a uidlist and does not let it go. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, plain, settings, temporary, uid, uids, user } from "./support.ts";

/** Its timers run as fast as they can. @returns what it has waited, ms */
async function waiting(t: TestContext, work: () => Promise<unknown>): Promise<number> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let over = false;
  let waited = 0;
  const end = work().finally(() => (over = true));
  end.catch(() => undefined);
  for (; !over; waited += 50) {
    await turn();
    t.mock.timers.tick(50);
  }
  t.mock.timers.reset();
  await end;
  return waited;
}

test("what has a UID is served, other folders are as ever, and new mail is there when the lock is gone", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const log: string[] = [];
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] }, undefined, { log: (line) => log.push(line) });
  t.after(() => store.close());
  await store.create("Other");
  const [inbox, other] = [await store.open("INBOX"), await store.open("Other")];
  await inbox.append(["one", "two"].map(plain));
  writeFileSync(`${root}/dovecot-uidlist.lock`, "1:another.host");
  await store.deliver("INBOX", plain("three"), false);

  const first = await waiting(t, () => inbox.refresh());
  assert.deepEqual(uids(inbox), [1, 2]);
  assert.match(log.join("\n"), /mail without a UID is not shown yet: .*dovecot-uidlist\.lock is held/);
  await inbox.setFlags([uid(2)], { how: "add", flags: flags("\\Seen") });
  assert.match(String(await inbox.read(uid(1))), /body of one/);
  assert.deepEqual(await inbox.expunge([uid(1)]), [1]);
  const again = await waiting(t, () => inbox.refresh());
  assert.ok(again * 10 < first, `${first} ms, then ${again} ms`);
  await assert.rejects(waiting(t, () => inbox.append([plain("four")])), (fault) => fault instanceof StoreFault && fault.kind === "in-use");

  // While one folder waits.
  const slow = inbox.refresh();
  assert.deepEqual(await other.append([plain("other")]), [1]);
  rmSync(`${root}/dovecot-uidlist.lock`);
  await slow;
  await inbox.refresh();
  assert.deepEqual(uids(inbox), [2, 3]);
});
