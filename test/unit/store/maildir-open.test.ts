/** Opening a Maildir folder: what is looked at, and when. */
import assert from "node:assert/strict";
import fs, { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setImmediate as turn } from "node:timers/promises";
import test, { type TestContext } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import type { Mailbox, MailStore } from "../../../src/store/mailbox.ts";
import { flags, plain, settings, temporary, ticked, uid, uids, user } from "./support.ts";

async function storeAt(t: TestContext, root: string, lines: string[] = []): Promise<MailStore> {
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] }, undefined, { log: (line) => lines.push(line) });
  t.after(() => store.close());
  return store;
}

/** A folder of two messages that has an index; nothing happened in it for a while. */
async function settled(t: TestContext): Promise<string> {
  const root = `${temporary(t)}/Maildir`;
  const store = await storeAt(t, root);
  await (await store.open("INBOX")).append(["one", "two"].map(plain));
  await store.close();
  await ticked(root);
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
  assert.equal(await store.open("INBOX", "current"), inbox);
  assert.deepEqual(uids(inbox), [1, 2, 3]);
});

test("one that was opened just now is too, and an mbox", async (t) => {
  const root = temporary(t);
  writeFileSync(`${root}/inbox`, "From a@example.org Thu Nov 26 10:00:00 2026\nSubject: one\n\nx\n\n");
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  const inbox = await store.open("INBOX", "current");
  assert.equal(inbox.messages.length, 1);
  writeFileSync(`${root}/inbox`, "From b@example.org Thu Nov 26 10:01:00 2026\nSubject: two\n\ny\n\n", { flag: "a" });
  assert.equal(await store.open("INBOX", "current"), inbox);
  assert.equal(inbox.messages.length, 2);
});

test("one that is expected is opened before it is asked for, where there is an index", async (t) => {
  const root = await settled(t);
  putByHand(root);
  const size = (): number => statSync(`${root}/dovecot-uidlist`).size;
  const before = size();
  const store = await storeAt(t, root);
  const expected = store.expect?.("INBOX");
  while (size() === before) await turn();
  assert.equal(await expected, true);
  assert.deepEqual(uids(await store.open("INBOX")), [1, 2, 3]);
  await store.close();

  for (const name of readdirSync(root)) if (name.startsWith("posthorn.") || name.startsWith("dovecot-")) rmSync(`${root}/${name}`);
  const other = await storeAt(t, root);
  assert.equal(await other.expect?.("INBOX"), false);
  assert.equal(await other.expect?.("none/such"), false);
  assert.equal(existsSync(`${root}/dovecot-uidlist`), false);
  assert.equal((await other.open("INBOX")).messages.length, 3);
});

test("one that is expected and can not be looked at is for whoever opens it to hear of", async (t) => {
  const root = await settled(t);
  rmSync(`${root}/posthorn.index`);
  symlinkSync("posthorn.index", `${root}/posthorn.index`);
  const store = await storeAt(t, root);
  for (const name of ["INBOX", "none/such", "a//b", "a.b"]) assert.equal(await store.expect?.(name), false);
  assert.deepEqual(uids(await store.open("INBOX")), [1, 2]);
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

test("one that is open is looked at with five calls, and is made anew when it is gone", async (t) => {
  const root = await settled(t);
  const store = await storeAt(t, root);
  await store.open("INBOX", "counted");
  const calls: string[] = [];
  for (const name of ["statSync", "lstatSync", "readdirSync", "openSync", "accessSync", "existsSync"] as const) {
    const real = fs[name] as (...args: unknown[]) => unknown;
    t.mock.method(fs, name, (...args: unknown[]) => {
      calls.push(`${name} ${String(args[0]).slice(root.length + 1)}`);
      return real(...args);
    });
  }
  syncBuiltinESMExports();
  const inbox = await store.open("INBOX", "counted").finally(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.deepEqual(calls.sort(), ["lstatSync posthorn-keywords", ...["cur", "dovecot-keywords", "dovecot-uidlist", "new"].map((name) => `statSync ${name}`)]);
  for (const part of ["cur", "new", "tmp"]) rmSync(`${root}/${part}`, { recursive: true });
  assert.equal(await store.open("INBOX", "counted"), inbox);
  assert.deepEqual(uids(inbox), []);
  assert.ok(["cur", "new", "tmp"].every((part) => existsSync(`${root}/${part}`)));
});

test("one that nobody wants to hear of any more a moment later is not watched, and an asked one is not at once", async (t) => {
  const [root, other] = [await settled(t), await settled(t)];
  const [left, heard] = [root, other].map((at) => String(statSync(`${at}/new`).ino)) as [string, string];
  const inbox = await (await storeAt(t, root)).open("INBOX");
  const second = await (await storeAt(t, other)).open("INBOX");
  inbox.watch(() => {})();
  const stop = second.watch(() => {});
  await turn();
  assert.equal(watched().has(heard), false);
  while (!watched().has(heard)) await turn();
  assert.equal(watched().has(left), false);
  stop();
  await turn();
  assert.equal(watched().has(heard), true);
});

/** A folder of many messages with an index, and nothing read yet. */
async function indexed(t: TestContext, count: number): Promise<string> {
  const root = `${temporary(t)}/Maildir`;
  const store = await storeAt(t, root);
  for (let n = 0; n < count; n++) writeFileSync(`${root}/cur/${1_790_000_000 + n}.M1P1.hand:2,`, `Subject: ${n}\n\nx\n`);
  const inbox = await store.open("INBOX");
  await inbox.setFlags([uid(1), uid(2), uid(5)], { how: "add", flags: flags("\\Seen", "$one") });
  await store.close();
  await ticked(root);
  const again = await storeAt(t, root);
  await again.open("INBOX");
  await again.close();
  return root;
}

/** Octets that this process has read so far. proc(5) */
const octetsRead = (): number => Number(/^rchar: (\d+)/.exec(readFileSync("/proc/self/io", "latin1"))?.[1]);

/** Damages the index where its end does not show it. */
function spoil(root: string): void {
  const octets = readFileSync(`${root}/posthorn.index`);
  octets.fill(0xee, octets.length >> 3, octets.length >> 2);
  writeFileSync(`${root}/posthorn.index`, octets);
}

test("what SELECT and STATUS say is known without reading the index", async (t) => {
  const root = await indexed(t, 3000);
  const size = statSync(`${root}/posthorn.index`).size;
  assert.ok(size > 250_000);
  const store = await storeAt(t, root);
  const before = octetsRead();
  const inbox = await store.open("INBOX", "counted");
  assert.deepEqual([inbox.list.length, inbox.list.unseen, inbox.uidNext, inbox.keywords], [3000, { count: 2997, first: 2 }, 3001, ["$one"]]);
  assert.deepEqual([...(await inbox.claimRecent(false))], []);
  assert.deepEqual(await store.status("INBOX"), { messages: 3000, recent: 0, uidNext: 3001, uidValidity: inbox.uidValidity, unseen: 2997 });
  assert.ok(octetsRead() - before < size / 2, `${octetsRead() - before} of ${size}`);
  assert.ok(inbox.load?.() instanceof Promise);
  await inbox.load();
  assert.equal(inbox.load(), undefined);
  assert.equal(inbox.messages.length, 3000);
  assert.deepEqual([...(inbox.messages[4]?.flags ?? [])].sort(), ["$one", "\\Seen"]);
});

test("a folder that was only counted hears of what others do", async (t) => {
  const root = await indexed(t, 20);
  const store = await storeAt(t, root);
  const inbox = await store.open("INBOX", "counted");
  const { list } = inbox;
  putByHand(root);
  assert.deepEqual((await inbox.refresh()).arrived.map((m) => m.uid), [21]);
  assert.equal(inbox.messages.length, 21);
  assert.equal(list.all.length, 20, "what was counted before stays as it was");
});

/** A folder of 200 messages that was only counted, by an index that is damaged. */
async function countedBySpoilt(t: TestContext): Promise<{ root: string; store: MailStore; inbox: Mailbox; list: Mailbox["list"]; lines: string[] }> {
  const root = await indexed(t, 200);
  spoil(root);
  const lines: string[] = [];
  const store = await storeAt(t, root, lines);
  const inbox = await store.open("INBOX", "counted");
  return { root, store, inbox, list: inbox.list, lines };
}

test("an index that is damaged in the middle is made anew behind what was counted, UIDs and flags as they were", async (t) => {
  const { root, store, inbox, list, lines } = await countedBySpoilt(t);
  assert.equal(list.length, 200);
  assert.deepEqual(lines, []);
  await inbox.load?.();
  assert.match(lines.join("\n"), /^index .*posthorn\.index: damaged, made anew$/);
  assert.deepEqual(list.all.map((m) => m.uid), Array.from({ length: 200 }, (_, n) => n + 1));
  assert.deepEqual(list.all.flatMap((m) => (m.flags.has("\\Seen") ? m.uid : [])), [1, 2, 5]);
  assert.deepEqual(inbox.messages, list.all);
  await store.close();
  const again = await storeAt(t, root, lines);
  assert.equal((await again.open("INBOX")).messages.length, 200);
  assert.equal(lines.length, 1);
});

test("when it is damaged and mail came meanwhile, who was told a number hears that it can not be kept, and others get what is there", async (t) => {
  const { root, inbox, list } = await countedBySpoilt(t);
  putByHand(root);
  await inbox.refresh();
  assert.throws(() => list.all, { kind: "corrupt" });
  assert.throws(() => list.all, { kind: "corrupt" });
  assert.equal(inbox.messages.length, 201);
  assert.equal(inbox.list.all.length, 201);
});

test("a folder is watched for a while when its last session has left, and no longer when it is closed", async (t) => {
  const root = await settled(t);
  const cur = String(statSync(`${root}/cur`).ino);
  const store = await storeAt(t, root);
  const inbox = await store.open("INBOX", "current");
  const stop = inbox.watch(() => undefined);
  while (!watched().has(cur)) await turn();
  stop();
  await turn();
  assert.equal(watched().has(cur), true);
  await store.close();
  while (watched().has(cur)) await turn();
});
