/** EIO on one message, and a file system that is read-only: what can be read is, and nothing is taken for gone. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import test, { type TestContext } from "node:test";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { shortProgram } from "../../harness/child.ts";
import { Faults, noFaults } from "./faults.ts";
import { reopened } from "./room.ts";
import { fill, kinds, openAt, steps } from "./steps.ts";
import { look } from "./views.ts";

function directory(t: TestContext): string {
  const path = mkdtempSync(`${tmpdir()}/unreadable-`);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

for (const kind of kinds)
  for (const at of kind === "maildir" ? [1] : [1, 2, 3])
    test(`${kind}: ${kind === "maildir" ? "a message that can not be read" : `read ${at} of the file fails`}`, { skip: noFaults() }, async (t) => {
      const faults = new Faults();
      const room = directory(t);
      t.after(() => faults.end());
      await fill(kind, room);
      const done = spawnSync(process.execPath, [...shortProgram, `${import.meta.dirname}/unreadable.ts`, kind, room, String(at)], { env: faults.environment(room), encoding: "utf8" });
      assert.equal(done.status, 0, done.stderr);
      t.diagnostic(`${done.stdout.trim()} reads failed`);
    });

/** False when that is not allowed here. */
function mountReadOnly(from: string, to: string): boolean {
  mkdirSync(to);
  if (spawnSync("mount", ["--bind", from, to], { stdio: "ignore" }).status !== 0) return false;
  if (spawnSync("mount", ["-o", "remount,bind,ro", to], { stdio: "ignore" }).status === 0) return true;
  spawnSync("umount", [to]);
  return false;
}

for (const kind of kinds)
  test(`${kind}: a read-only file system can be read, and refuses every change`, { skip: process.getuid?.() === 0 ? false : "needs root to mount" }, async (t) => {
    const room = `${directory(t)}/mail`;
    await fill(kind, room);
    const was = await reopened(kind, room);
    const there = `${room}-ro`;
    if (!mountReadOnly(room, there)) return t.skip("mount(8) is not allowed here");
    const store = await openAt(kind, there);
    try {
      assert.deepEqual(await look(store), was);
      assert.equal((await store.open("INBOX")).readOnly, true);
      for (const step of steps) {
        // Nobody can add to it, and there is nothing to claim on it.
        if (step.given !== undefined || step.name === "claim recent") continue;
        await assert.rejects(step.run(store), (fault) => fault instanceof StoreFault && fault.kind === "permission", step.name);
      }
      assert.deepEqual(await look(store), was);
    } finally {
      await store.close();
      // A store may close its files a moment later.
      spawnSync("umount", ["-l", there]);
    }
    assert.deepEqual(await reopened(kind, room), was);
  });

test("mbox: mail that no server has looked at is read on a read-only file system, and changed when that is mounted anew", { skip: process.getuid?.() === 0 ? false : "needs root to mount" }, async (t) => {
  const room = `${directory(t)}/mail`;
  mkdirSync(`${room}/mail`, { recursive: true });
  writeFileSync(`${room}/inbox`, "From a@example.org Thu Nov 26 10:00:00 2026\nSubject: x\n\nhello\n");
  const there = `${room}-ro`;
  if (!mountReadOnly(room, there)) return t.skip("mount(8) is not allowed here");
  const store = await openAt("mbox", there);
  try {
    const inbox = await store.open("INBOX");
    const { uidValidity } = inbox;
    const [uid] = inbox.messages.map((message) => message.uid);
    assert(uid !== undefined && inbox.messages.length === 1);
    assert.match(String(await inbox.read(uid)), /hello/);
    const change = { how: "add", flags: new Set(["\\Flagged"]) } as const;
    await assert.rejects(inbox.setFlags([uid], change), (fault) => fault instanceof StoreFault && fault.kind === "permission");
    assert.equal(spawnSync("mount", ["-o", "remount,bind,rw", there]).status, 0);
    await inbox.setFlags([uid], change);
    assert.deepEqual([inbox.uidValidity, inbox.messages.map((message) => [message.uid, ...message.flags])], [uidValidity, [[uid, "\\Flagged"]]]);
  } finally {
    await store.close();
    spawnSync("umount", ["-l", there]);
  }
});
