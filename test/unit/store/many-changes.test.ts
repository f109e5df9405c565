/** Changes of many messages at once: what others do meanwhile is noticed, and files removed are given back. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { removeHeld, roomComing } from "../../../src/store/maildir/held-files.ts";
import type { Mailbox } from "../../../src/store/mailbox.ts";
import { flags, maildir, plain, temporary, uid, uids } from "./support.ts";

const count = 1500;

async function filled(t: TestContext): Promise<{ root: string; inbox: Mailbox }> {
  const { inbox, root } = await maildir(t);
  for (let n = 0; n < count; n++) writeFileSync(`${root}/cur/${1000 + n}.x.y,S=4,W=6:2,`, "a\n\nb");
  await inbox.refresh();
  return { inbox, root };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what another program does while the flags of all messages are changed is found afterwards", async (t) => {
  const { inbox, root } = await filled(t);
  const heard: number[] = [];
  t.after(inbox.watch((changes) => heard.push(...changes.expunged)));
  for (const how of ["add", "remove"] as const) {
    const changed = inbox.setFlags(uids(inbox).map(uid), { how, flags: flags("\\Flagged") });
    await turn();
    // Moved out of the folder, removed, renamed and added: the last ones were not reached yet, the first ones were.
    const names = readdirSync(`${root}/cur`).sort();
    const [first, ...rest] = names;
    const last = rest.at(-1);
    assert.ok(first !== undefined && last !== undefined);
    renameSync(`${root}/cur/${first}`, `${root}/${how}`);
    unlinkSync(`${root}/cur/${last}`);
    const [second, nearlyLast] = [rest[0] ?? "", rest.at(-2) ?? ""];
    for (const name of [second, nearlyLast]) renameSync(`${root}/cur/${name}`, `${root}/cur/${name.replace(/:2,.*/, "")}:2,T`);
    writeFileSync(`${root}/cur/9${how}.x.y:2,R`, "new\n\none");
    await changed;
    await inbox.refresh();
    const now = new Map(inbox.messages.map((message) => [inbox.names?.(message.uid)?.file ?? "", message.flags]));
    const base = (name: string): string => name.replace(/:2,.*/, "");
    assert.ok(!now.has(base(first)) && !now.has(base(last)), how);
    assert.deepEqual([...(now.get(`9${how}.x.y`) ?? [])], ["\\Answered"]);
    assert.ok(now.get(base(second))?.has("\\Deleted") === true, "a name given by another program counts");
    assert.ok(now.get(base(nearlyLast))?.has("\\Deleted") === true);
    assert.equal(now.size, readdirSync(`${root}/cur`).length);
  }
  assert.equal(new Set(heard).size, 4);
  assert.deepEqual(readdirSync(`${root}/cur`).sort(), inbox.messages.map((m) => `${inbox.names?.(m.uid)?.file}:2,${[...m.flags].map((flag) => ({ "\\Answered": "R", "\\Deleted": "T", "\\Flagged": "F" })[flag]).sort().join("")}`).sort());
});

test("a change of all messages waits for no look at what others did meanwhile: who hears of the mailbox is told soon, unasked", async (t) => {
  const { inbox, root } = await filled(t);
  const last = readdirSync(`${root}/cur`).sort().at(-1) ?? "";
  const gone = inbox.messages.find((m) => last.startsWith(inbox.names?.(m.uid)?.file ?? "none"))?.uid;
  const told = Promise.withResolvers<void>();
  const heard = { expunged: [] as number[], arrived: [] as (string | undefined)[] };
  t.after(
    inbox.watch(({ arrived, expunged }) => {
      heard.expunged.push(...expunged);
      heard.arrived.push(...arrived.map((m) => inbox.names?.(m.uid)?.file));
      if (heard.expunged.length > 0 && heard.arrived.length > 0) told.resolve();
    }),
  );
  const changed = inbox.setFlags(uids(inbox).map(uid), { how: "add", flags: flags("\\Flagged") });
  await turn();
  unlinkSync(`${root}/cur/${last}`);
  writeFileSync(`${root}/cur/9999.x.y:2,R`, "new\n\none");
  await changed;
  assert.deepEqual(heard, { expunged: [], arrived: [] });
  await told.promise;
  assert.deepEqual(heard, { expunged: [gone], arrived: ["9999.x.y"] });
});

/** Descriptors of this process that lead to files without a name below a directory. */
const nameless = (below: string): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(below) && path.endsWith(" (deleted)");
    } catch {
      return false;
    }
  }).length;

test("expunged messages have no name when it is said, and no room when it was waited for", async (t) => {
  const { inbox, root } = await filled(t);
  const gone = await inbox.expunge(uids(inbox).slice(0, 1200).map(uid));
  assert.equal(gone.length, 1200);
  assert.equal(readdirSync(`${root}/cur`).length, count - 1200);
  await roomComing();
  assert.equal(nameless(root), 0);
  await inbox.append([plain("afterwards")]);
  assert.equal(inbox.messages.length, count - 1200 + 1);
});

test("a name that is not there is a fault, and nothing is held", (t) => {
  const directory = temporary(t);
  assert.throws(() => removeHeld(`${directory}/none`), { code: "ENOENT" });
  writeFileSync(`${directory}/one`, "1");
  removeHeld(`${directory}/one`);
  assert.deepEqual(readdirSync(directory), []);
  assert.throws(() => removeHeld(`${directory}/`), (error: NodeJS.ErrnoException) => error.code === "EISDIR" || error.code === "EPERM" || error.code === "ENOTDIR");
});
