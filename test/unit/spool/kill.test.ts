import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { Spool } from "../../../src/spool/spool.ts";

test("kill -9: every acknowledged message is complete, nothing is corrupt", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-kill-"));
  t.after(() => rmSync(directory, { recursive: true }));
  let acknowledged = 0;
  for (const enough of [1, 40, 150]) {
    const child = spawn(process.execPath, [...shortProgram, join(import.meta.dirname, "writer-child.ts"), directory], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.split("\n").length > enough) child.kill("SIGKILL");
    });
    const [, signal] = await ended(child);
    assert.equal(signal, "SIGKILL");
    const ids = said.split("\n").slice(0, -1);
    acknowledged += ids.length;
    // The lock of a killed program is free.
    const spool = Spool.open(directory);
    try {
      for (const id of ids) assert.equal((await spool.read("incoming", id, true))?.kind, "complete", id);
      for (const id of spool.ids("incoming")) assert.notEqual((await spool.read("incoming", id, true))?.kind, "corrupt", id);
    } finally {
      spool.close();
    }
  }
  assert.ok(acknowledged > 190);
});
