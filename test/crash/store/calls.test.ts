/** How often what is dear is done when messages come together: counted in the process that does it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { calls, Faults, noFaults } from "./faults.ts";
import { copyOf } from "./room.ts";
import { fill, stepNamed } from "./steps.ts";

const never = 0xffff_ffff;

describe("calls of deliveries that come together", { skip: noFaults() }, () => {
  let base: string;
  before(async () => {
    base = mkdtempSync(`${tmpdir()}/calls-`);
    await fill("maildir", `${base}/maildir`);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  async function counted(name: string, kinds: number, match: string): Promise<number> {
    const room = `${base}/room`;
    await copyOf("maildir", `${base}/maildir`, stepNamed(name), room);
    const faults = new Faults();
    try {
      const page = faults.page({ action: "fail", error: "EIO", first: never, calls: kinds, match }).toString("base64");
      const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/writer.ts`, "maildir", room, name, page], { env: faults.environment(room), stdio: ["ignore", "ignore", "inherit"] });
      assert.deepEqual(await ended(child), [0, null]);
      return faults.counted;
    } finally {
      faults.end();
      rmSync(room, { recursive: true, force: true });
    }
  }

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
