/** EIO on one message, and a file system that is read-only: what can be read is, and nothing is taken for gone. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import test, { type TestContext } from "node:test";
import { StoreFault, type Mailbox, type Uid } from "../../../src/store/mailbox.ts";
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

for (const kind of kinds)
  test(`${kind}: mail that no server has looked at is read on a read-only file system, and changed when that is mounted anew`, { skip: process.getuid?.() === 0 ? false : "needs root to mount" }, async (t) => {
    const room = `${directory(t)}/mail`;
    const mail = (n: number): string => `Subject: ${n}\n\nhello ${n}\n`;
    const put = (n: number): void => {
      if (kind === "maildir") writeFileSync(`${room}/Maildir/${n === 3 ? "new" : "cur"}/179000000${n}.M1P1.host${n === 3 ? "" : ":2,"}`, mail(n));
      else appendFileSync(`${room}/inbox`, `From a@example.org Thu Nov 26 10:00:0${n} 2026\n${mail(n)}\n`);
    };
    mkdirSync(`${room}/mail`, { recursive: true });
    if (kind === "maildir") for (const part of ["cur", "new", "tmp"]) mkdirSync(`${room}/Maildir/${part}`, { recursive: true });
    put(1);
    put(2);
    const there = `${room}-ro`;
    if (!mountReadOnly(room, there)) return t.skip("mount(8) is not allowed here");
    const store = await openAt(kind, there);
    const seen = (inbox: Mailbox): unknown => inbox.messages.map((message) => [message.uid, ...[...message.flags].filter((flag) => flag !== "\\Recent")]);
    try {
      const inbox = await store.open("INBOX");
      const { uidValidity } = inbox;
      assert.deepEqual([inbox.readOnly, seen(inbox)], [true, [[1], [2]]]);
      assert.match(String(await inbox.read(1 as Uid)), /hello 1/);
      const change = { how: "add", flags: new Set(["\\Flagged"]) } as const;
      await assert.rejects(inbox.setFlags([1 as Uid], change), (fault) => fault instanceof StoreFault && fault.kind === "permission");
      // Who may write there goes on.
      put(3);
      await inbox.refresh();
      assert.deepEqual([inbox.uidValidity, seen(inbox)], [uidValidity, [[1], [2], [3]]]);
      assert.equal(spawnSync("mount", ["-o", "remount,bind,rw", there]).status, 0);
      await inbox.refresh();
      await inbox.setFlags([1 as Uid], change);
      assert.deepEqual([inbox.readOnly, inbox.uidValidity, seen(inbox)], [false, uidValidity, [[1, "\\Flagged"], [2], [3]]]);
      // Now it is written down.
      const again = await openAt(kind, room);
      const other = await again.open("INBOX");
      assert.deepEqual([other.uidValidity, seen(other)], [uidValidity, [[1, "\\Flagged"], [2], [3]]]);
      await again.close();
    } finally {
      await store.close();
      spawnSync("umount", ["-l", there]);
    }
  });
