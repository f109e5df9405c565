/** COPY from an mbox takes octets as they are stored, many at once: what arrives is what an APPEND of messages makes that were read one by one. */
import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { StoreFault, type Mailbox, type NewMessage, type Uid } from "../../../src/store/mailbox.ts";
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

/** More than is read under one lock. */
const large = (n: number): string => `From a@example.org Sat Nov 21 05:30:${String(n).padStart(2, "0")} 2026\nSubject: ${n}\n\n${"text of a message\n".repeat(150_000)}\n`;

for (const [what, rest, left] of [
  ["another mailbox", `From b@example.org Sat Nov 21 06:00:00 2026\nX-IMAPbase: 77 0000000001\nX-UID: 1\nSubject: other\n\ntext\n\n`, [1]],
  ["one without the last messages", undefined, [1, 2, 3]],
  ["nothing", "", []],
] as const)
  test(`an mbox that another program replaces by ${what} while it is copied from: nothing is copied`, async (t) => {
    const { path, location } = mboxFile(t, Array.from({ length: 9 }, (_, i) => large(i)).join(""));
    const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
    t.after(() => store.close());
    const inbox = await store.open("INBOX");
    await store.create("target");
    const target = await store.open("target");
    const numbered = readFileSync(path, "latin1");
    const copying = inbox.copy(uids(inbox) as Uid[], target);
    // The first ones are read by now.
    await once(inbox);
    writeFileSync(`${path}.new`, rest ?? numbered.slice(0, numbered.indexOf("From a@example.org Sat Nov 21 05:30:03")), "latin1");
    renameSync(`${path}.new`, path);
    await assert.rejects(copying, (error: unknown) => error instanceof StoreFault && error.kind === "gone");
    assert.deepEqual(uids(target), []);
    assert.equal(target.uidNext, 1);
    await inbox.refresh();
    assert.deepEqual(uids(inbox), left);
    await inbox.copy(uids(inbox) as Uid[], target);
    assert.equal(uids(target).length, left.length);
  });

/** Resolves when what is under way has its first turn behind it. */
async function once(mailbox: Mailbox): Promise<void> {
  assert.ok((await mailbox.read((mailbox.messages[0]?.uid ?? 0) as Uid)) !== undefined);
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
