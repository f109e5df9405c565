/** A list of messages that is looked into late says how they were when it was asked for. */
import assert from "node:assert/strict";
import { readdirSync, renameSync, unlinkSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { flags, maildir, plain, uid } from "./support.ts";

/** Opened anew, its rows come from the index: nothing has made messages of them. */
async function reopened(t: TestContext): Promise<Awaited<ReturnType<typeof maildir>>> {
  const { inbox, root, store } = await maildir(t);
  await inbox.append([plain("one"), plain("two"), plain("three"), plain("four")]);
  await inbox.setFlags([uid(1), uid(3)], { how: "add", flags: flags("\\Seen") });
  await store.close();
  return maildir(t, root);
}

test("counts are the same before and after the list is made", async (t) => {
  const { inbox } = await reopened(t);
  const { list } = inbox;
  assert.deepEqual([list.length, list.unseen], [4, { count: 2, first: 1 }]);
  assert.equal(list.all.length, 4);
  assert.deepEqual(list.all.map(({ uid: u, flags: f }) => [u, [...f]]), [[1, ["\\Seen"]], [2, []], [3, ["\\Seen"]], [4, []]]);
  assert.deepEqual(inbox.list.unseen, { count: 2, first: 1 });
});

const changes: Readonly<Record<string, (made: Awaited<ReturnType<typeof maildir>>) => Promise<unknown>>> = {
  "flags are set": ({ inbox }) => inbox.setFlags([uid(2)], { how: "add", flags: flags("\\Seen", "word") }),
  "messages are expunged": ({ inbox }) => inbox.expunge([uid(1), uid(4)]),
  "messages come": ({ inbox }) => inbox.append([plain("five")]),
  "another program renames": async ({ inbox, root }) => {
    for (const file of readdirSync(`${root}/cur`)) renameSync(`${root}/cur/${file}`, `${root}/cur/${file.replace(/:2,.*/, ":2,FS")}`);
    await inbox.refresh();
  },
  "another program removes": async ({ inbox, root }) => {
    for (const file of readdirSync(`${root}/cur`)) unlinkSync(`${root}/cur/${file}`);
    await inbox.refresh();
  },
  "somebody claims what is recent": ({ inbox }) => inbox.claimRecent(false),
};

for (const [what, change] of Object.entries(changes)) {
  test(`a list of before ${what}`, async (t) => {
    const made = await reopened(t);
    const { list } = made.inbox;
    const expected = (await reopened(t)).inbox.messages.map((m) => [m.uid, [...m.flags]]);
    await change(made);
    assert.deepEqual([list.length, list.unseen], [4, { count: 2, first: 1 }]);
    assert.deepEqual(list.all.map((m) => [m.uid, [...m.flags]]), expected);
  });
}

test("what a session hears of a change fits to what it had", async (t) => {
  const { inbox } = await reopened(t);
  const { list } = inbox;
  const heard: number[][] = [];
  const stop = inbox.watch(({ arrived, expunged, flagged }) => heard.push([arrived.length, expunged.length, flagged.length]));
  await inbox.setFlags([uid(2)], { how: "add", flags: flags("\\Flagged") });
  await inbox.expunge([uid(2)]);
  await inbox.append([plain("five")]);
  stop();
  assert.deepEqual(heard, [[0, 0, 1], [0, 1, 0], [1, 0, 0]]);
  assert.deepEqual(list.all.map((m) => m.uid), [1, 2, 3, 4]);
  assert.deepEqual(inbox.list.all.map((m) => m.uid), [1, 3, 4, 5]);
});

test("a first look at a folder lists what has arrived", async (t) => {
  const { inbox, root, store } = await maildir(t);
  await inbox.append([plain("one"), plain("two")]);
  await store.close();
  for (const name of readdirSync(root)) if (!["cur", "new", "tmp"].includes(name)) renameSync(`${root}/${name}`, `${root}/tmp/${name}`);
  const other = await maildir(t, root);
  assert.deepEqual([other.inbox.list.length, other.inbox.list.unseen], [2, { count: 2, first: 0 }]);
  const { list } = other.inbox;
  await other.inbox.setFlags([uid(1)], { how: "add", flags: flags("\\Seen") });
  assert.deepEqual(list.unseen, { count: 2, first: 0 });
  assert.deepEqual(list.all.map((m) => [m.uid, m.flags.size]), [[1, 0], [2, 0]]);
});
