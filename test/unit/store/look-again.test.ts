/** A mailbox that is open is opened again for one more session: at once where nothing happened, behind whatever is under way else. */
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, renameSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { OpenMailboxes } from "../../../src/store/open-mailboxes.ts";
import { openStore } from "../../../src/store/open.ts";
import type { MailStore, Uid } from "../../../src/store/mailbox.ts";
import { plain, settings, temporary, ticked, user } from "./support.ts";

/** Turns of the queue of promises that `work` takes, while the event loop stands still. */
async function turns(work: Promise<unknown>): Promise<number> {
  let done = false;
  void work.then(() => (done = true));
  for (let n = 0; n < 1000; n++) {
    if (done) return n;
    await Promise.resolve();
  }
  return Infinity;
}

const kinds = { maildir: (root: string) => `maildir:${root}/Maildir`, mbox: (root: string) => `mbox:${root}/mail:INBOX=${root}/inbox` } as const;
type Kind = keyof typeof kinds;

async function known(t: TestContext, kind: Kind): Promise<{ readonly root: string; readonly store: MailStore }> {
  const root = temporary(t);
  const store = await openStore(user(kinds[kind](root)), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  const inbox = await store.open("INBOX");
  await inbox.append(["one", "two"].map(plain));
  await inbox.claimRecent(false);
  if (kind === "maildir") await ticked(`${root}/Maildir`);
  await inbox.refresh();
  return { root, store };
}

for (const kind of ["maildir", "mbox"] as const) {
  test(`${kind}: one that nobody changed takes a few turns of the queue of promises; one that somebody changed says what changed`, async (t) => {
    const { root, store } = await known(t, kind);
    const again = store.open("INBOX", "counted");
    assert.ok((await turns(again)) <= 6);
    const inbox = await again;
    assert.ok((await turns(inbox.refresh())) <= 3);
    await inbox.claimRecent(false);
    assert.ok((await turns(inbox.claimRecent(false))) <= 3);
    if (kind === "maildir") {
      const [name = ""] = readdirSync(`${root}/Maildir/cur`).sort();
      renameSync(`${root}/Maildir/cur/${name}`, `${root}/Maildir/cur/${name.replace(/:2,.*/, "")}:2,S`);
      const { flagged } = await inbox.refresh();
      assert.deepEqual(flagged.map(({ uid, flags }) => [uid, ...flags]), [[1, "\\Seen"]]);
    } else {
      appendFileSync(`${root}/inbox`, "From a@example.org Sat Nov 21 05:30:00 2026\nSubject: three\n\nx\n");
      const { arrived } = await inbox.refresh();
      assert.deepEqual(arrived.map(({ uid }) => uid), [3]);
      assert.deepEqual([...(await inbox.claimRecent(true))], [3]);
    }
  });

  test(`${kind}: while flags are being changed it waits for them`, async (t) => {
    const { store } = await known(t, kind);
    const inbox = await store.open("INBOX");
    const order: string[] = [];
    const storing = inbox.setFlags([1 as Uid], { how: "add", flags: new Set(["\\Flagged"]) }).then(() => order.push("flags"));
    const opening = store.open("INBOX", "counted").then(() => order.push("open"));
    const looking = inbox.refresh().then(() => order.push("look"));
    await Promise.all([storing, opening, looking]);
    assert.equal(order[0], "flags");
  });
}

test("an open mailbox is joined at once, and counted; one that is still being made, or was dropped, is not", async () => {
  const closed: string[] = [];
  const mailboxes = new OpenMailboxes<{ close(): void }>(0);
  let finish = (): void => {};
  const made = { close: () => void closed.push("one") };
  const taking = mailboxes.take("one", () => new Promise((resolve) => (finish = () => resolve(made))));
  assert.equal(mailboxes.join("one"), undefined);
  finish();
  assert.equal(await taking, made);
  assert.equal(mailboxes.join("one"), made);
  assert.equal(mailboxes.join("two"), undefined);
  mailboxes.release("one");
  assert.equal(mailboxes.join("one"), made);
  mailboxes.release("one");
  mailboxes.release("one");
  await Promise.resolve();
  assert.equal(mailboxes.join("one"), undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(closed, ["one"]);
});
