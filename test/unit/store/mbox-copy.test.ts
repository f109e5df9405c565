/** COPY from an mbox takes octets as they are stored, many at once: what arrives is what an APPEND of messages makes that were read one by one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Mailbox, NewMessage, Uid } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { Chance } from "../message/chance.ts";
import { mboxFile } from "./mbox-file.ts";
import { strangeMbox } from "./strange-mbox.ts";
import { maildir, settings, uids, user } from "./support.ts";

const count = Number(process.env["MBOXES"] ?? 60);
const from = Number(process.env["FROM"] ?? 1);

async function readAndAppend(source: Mailbox, chosen: readonly number[], target: Mailbox): Promise<void> {
  const messages: NewMessage[] = [];
  for (const { uid, flags, internalDate } of source.messages.filter((message) => chosen.includes(message.uid))) {
    const octets = await source.read(uid);
    assert.ok(octets !== undefined);
    messages.push({ octets, flags, internalDate });
  }
  await target.append(messages);
}

const withoutValidity = (path: string): string => readFileSync(path, "latin1").replace(/^X-IMAPbase: \d+/m, "");

async function shownOf(mailbox: Mailbox): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const { uid, size, flags, internalDate } of mailbox.messages) all.push({ size, flags: [...flags].sort(), internalDate, octets: (await mailbox.read(uid))?.toString("latin1") });
  return all;
}

test("a copy of a strange mbox, to an mbox and to a Maildir, has what an APPEND of its messages has", async (t) => {
  let copied = 0;
  for (let seed = from; seed < from + count; seed++) {
    const chance = new Chance(seed);
    const { home, location } = mboxFile(t, strangeMbox(chance));
    const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
    try {
      const inbox = await store.open("INBOX");
      // Some of them, so that not all are neighbours; and one that is not there.
      const chosen = [...uids(inbox).filter(() => chance.below(4) > 0), 1_000_000] as Uid[];
      for (const name of ["copied", "appended"]) await store.create(name);
      const [one, other] = [await store.open("copied"), await store.open("appended")];
      const { from: taken, to } = await inbox.copy(chosen, one);
      await readAndAppend(inbox, chosen, other);
      assert.deepEqual(taken, chosen.slice(0, -1));
      assert.deepEqual(to, uids(one));
      assert.deepEqual(await shownOf(one), await shownOf(other), `seed ${seed}`);
      assert.equal(withoutValidity(`${home}/mail/copied`), withoutValidity(`${home}/mail/appended`), `seed ${seed}`);
      const [left, right] = [await maildir(t), await maildir(t)];
      await inbox.copy(chosen, left.inbox);
      await readAndAppend(inbox, chosen, right.inbox);
      assert.deepEqual(await shownOf(left.inbox), await shownOf(right.inbox), `seed ${seed}, Maildir`);
      copied += taken.length;
    } catch (error) {
      if (!(error instanceof Error) || !("kind" in error) || error.kind !== "corrupt") throw error;
    } finally {
      await store.close();
    }
  }
  assert.ok(copied > count, `${copied} messages`);
});
