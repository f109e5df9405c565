/** A STORE makes names and keywords durable at once; when one of the two fails, the other is waited for: nothing is told behind the answer, and nobody else changes the folder meanwhile. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { Faults, noFaults } from "./faults.ts";
import { fill } from "./steps.ts";

for (const [fails, order] of [
  ["names", "other told io next told again"],
  ["keywords", "other io next told again"],
  // Nothing was named by a letter that may not be there after a power cut, and the next one makes it durable.
  ["letters", "unnamed io told next durable"],
] as const)
  test(`${fails} fail before the other is durable`, { skip: noFaults() }, async (t) => {
    const room = mkdtempSync(`${tmpdir()}/half-`);
    const faults = new Faults();
    t.after(() => {
      faults.end();
      rmSync(room, { recursive: true, force: true });
    });
    await fill("maildir", room);
    // With one thread for all of them no fsync could wait beside the other's.
    const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/half-durable.ts`, room, fails], { env: { ...faults.environment(room), UV_THREADPOOL_SIZE: "4" }, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.setEncoding("latin1").on("data", (chunk: string) => (said += chunk));
    assert.deepEqual(await ended(child, 60_000), [0, null]);
    assert.equal(said.trim(), order);
  });
