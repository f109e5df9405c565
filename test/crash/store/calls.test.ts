/** What is made durable, and how often what is dear is done when messages come together: counted in the process that does it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { calls, Faults, noFaults } from "./faults.ts";
import { copyOf } from "./room.ts";
import { fill, kinds, stepNamed, type Kind } from "./steps.ts";

const never = 0xffff_ffff;

/** Commit points of INTERNALS.md: an fsync or fdatasync of this before a step is acknowledged. */
const durable: readonly (readonly [kind: Kind, step: string, path: string, times?: number])[] = [
  ["maildir", "append", "/Maildir/tmp/", 3],
  ["maildir", "append", "/Maildir/cur"],
  ["maildir", "append", "/Maildir/new"],
  ["maildir", "append", "/Maildir/dovecot-uidlist"],
  ["maildir", "copy", "/.A/dovecot-uidlist"],
  ["maildir", "copy", "/.A/new"],
  ["maildir", "set flags", "/Maildir/cur"],
  ["maildir", "set keywords that are new", "/Maildir/dovecot-keywords"],
  ["maildir", "expunge", "/Maildir/new"],
  ["maildir", "subscribe", "/Maildir/subscriptions"],
  ["maildir", "create", "/Maildir"],
  ["maildir", "rename", "/Maildir"],
  ["maildir", "delete", "/Maildir"],
  ["mbox", "deliver", "/inbox"],
  ["mbox", "append", "/inbox"],
  ["mbox", "copy", "/mail/A"],
  ["mbox", "set flags", "/inbox"],
  ["mbox", "expunge", "/inbox"],
  ["mbox", "subscribe", "subscriptions"],
];

describe("calls of steps", { skip: noFaults() }, () => {
  let base: string;
  before(async () => {
    base = mkdtempSync(`${tmpdir()}/calls-`);
    for (const kind of kinds) await fill(kind, `${base}/${kind}`);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  async function counted(name: string, which: number, match: string, kind: Kind = "maildir"): Promise<number> {
    const room = `${base}/room`;
    await copyOf(kind, `${base}/${kind}`, stepNamed(name), room);
    const faults = new Faults();
    try {
      const page = faults.page({ action: "fail", error: "EIO", first: never, calls: which, match }).toString("base64");
      const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/writer.ts`, kind, room, name, page], { env: faults.environment(room), stdio: ["ignore", "ignore", "inherit"] });
      assert.deepEqual(await ended(child), [0, null]);
      return faults.counted;
    } finally {
      faults.end();
      rmSync(room, { recursive: true, force: true });
    }
  }

  for (const [kind, step, path, times = 1] of durable)
    test(`${kind}: ${step} makes ${path} durable`, async () => {
      const count = await counted(step, calls.sync, path, kind);
      assert.ok(count >= times, `${count} times`);
    });

  test("each file is fsynced, and each directory once", async () => {
    assert.equal(await counted("deliver three at once", calls.sync, "/Maildir/tmp/"), 3);
    assert.equal(await counted("deliver three at once", calls.sync, "/Maildir/new"), 1);
    const several = "deliver at once into three folders, of which one is made";
    assert.equal(await counted(several, calls.sync, "/.A/tmp/"), 2);
    assert.equal(await counted(several, calls.sync, "/.A/new"), 1);
  });

  test("a file is made, and written by one write", async () => {
    assert.equal(await counted("deliver three at once", calls.make, "/Maildir/tmp/"), 3);
    assert.equal(await counted("deliver three at once", calls.write, "/Maildir/tmp/"), 3);
  });
});
