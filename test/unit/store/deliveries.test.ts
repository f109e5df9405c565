/** Messages that are delivered at once are made durable together, and each has its own end. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test, type TestContext } from "node:test";
import { StoreFault, type NewMessage } from "../../../src/store/mailbox.ts";
import { MaildirStore } from "../../../src/store/maildir/store.ts";
import { noQuota } from "../../../src/store/maildir/quota.ts";
import { plusPlus } from "./support.ts";

const message = (n: number, exempt = false): NewMessage => ({ octets: Buffer.from(`X-Id: ${String(n)}\n\nbody\n`), flags: new Set(), internalDate: undefined, exempt });

async function room(t: TestContext): Promise<{ readonly root: string; readonly store: MaildirStore }> {
  const root = mkdtempSync(`${tmpdir()}/deliveries-`);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const store = new MaildirStore(plusPlus(`${root}/Maildir`), [], noQuota);
  await store.start();
  return { root: `${root}/Maildir`, store };
}

const inNew = (folder: string): string[] => readdirSync(`${folder}/new`).map((name) => readFileSync(`${folder}/new/${name}`, "latin1").split("\n", 1)[0] ?? "").sort();

test("of messages that come at once those are refused that the quota has no room for behind the others, and the file has one line for the rest", async (t) => {
  const { root, store } = await room(t);
  writeFileSync(`${root}/maildirsize`, "3C\n0 0\n");
  const ends = await Promise.allSettled([1, 2, 3, 4].map((n) => store.deliver("INBOX", message(n, n === 2), false)));
  assert.deepEqual(ends.map((end) => end.status), ["fulfilled", "fulfilled", "fulfilled", "rejected"]);
  const last = ends[3];
  assert.ok(last?.status === "rejected" && last.reason instanceof StoreFault && last.reason.kind === "over-quota");
  assert.deepEqual(inNew(root), ["X-Id: 1", "X-Id: 2", "X-Id: 3"]);
  assert.deepEqual(readdirSync(`${root}/tmp`), []);
  const octets = 3 * message(1).octets.length;
  assert.equal(readFileSync(`${root}/maildirsize`, "latin1"), `3C\n0 0\n${String(octets)} 3\n`);
});

test("a folder that can not be delivered to does not stop messages that come with it", async (t) => {
  const { root, store } = await room(t);
  await store.create("Broken");
  await store.create("Good");
  const octets = message(1).octets;
  const ends = Promise.allSettled(["Broken", "Good", "Broken", "INBOX"].map((name, i) => store.deliver(name, { ...message(i), octets }, false)));
  // Looked at already, and gone before the files are made.
  renameSync(`${root}/.Broken/tmp`, `${root}/.Broken/elsewhere`);
  assert.deepEqual((await ends).map((end) => end.status), ["rejected", "fulfilled", "rejected", "fulfilled"]);
  assert.equal(inNew(`${root}/.Good`).length, 1);
  assert.equal(inNew(root).length, 1);
});

test("a folder that became a link out of the store is not delivered to by what comes in a later turn", async (t) => {
  const { root, store } = await room(t);
  await store.create("A");
  await store.deliver("A", message(1), false);
  renameSync(`${root}/.A`, `${root}/../outside`);
  symlinkSync("../outside", `${root}/.A`);
  await assert.rejects(store.deliver("A", message(2), false), (fault) => fault instanceof StoreFault && fault.kind === "permission");
  assert.deepEqual(inNew(`${root}/../outside`), ["X-Id: 1"]);
});

test("a folder removed and made again by this process in one turn takes mail", async (t) => {
  const { root, store } = await room(t);
  await store.create("A");
  const first = store.deliver("A", message(1), false);
  const removed = first.then(() => store.remove("A"));
  await removed;
  await Promise.all([store.deliver("A", message(2), true), store.deliver("A", message(3), true)]);
  assert.deepEqual(inNew(`${root}/.A`), ["X-Id: 2", "X-Id: 3"]);
});
