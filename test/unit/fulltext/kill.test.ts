/** SIGKILL while the index is made: what is on disk is believed or made anew, and is right. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fill, messageCount, textOf } from "./builder-child.ts";
import { candidatesFor, SidedStore, startIndexed } from "./support.ts";

/** Lets the child build so many bits in this directory, and die within the next one. */
async function killed(side: string, bits: number, turns: number): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "builder-child.ts"), side, String(bits), String(turns)], { stdio: ["ignore", "inherit", "inherit"] });
  assert.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
}

test("killed at any point of its making, the index says nothing wrong, and goes on where it was", async () => {
  const side = mkdtempSync(join(tmpdir(), "fulltext-kill-"));
  for (const [bits, turns] of [[0, 40], [3, 5], [6, 300], [10, 1000]] as const) await killed(side, bits, turns);
  const store = new SidedStore(side);
  fill(store, 0, messageCount);
  const indexed = startIndexed({}, store);
  try {
    const mailbox = store.mailbox("INBOX");
    const before = await candidatesFor(indexed.fulltext, mailbox, "body", "nowhere to be found");
    for (let n = 0; n < messageCount; n += 97) {
      const may = await candidatesFor(indexed.fulltext, mailbox, "body", textOf(n));
      assert.ok(may === undefined || may.includes((n + 1) as never), `message ${n} is ruled out`);
    }
    if (indexed.notes.length === 0) assert.ok(before !== undefined && before.length < messageCount, "what was committed is there");
    await indexed.fulltext.build("INBOX");
    for (let n = 0; n < messageCount; n += 97) assert.deepEqual(await candidatesFor(indexed.fulltext, mailbox, "body", textOf(n)), [n + 1]);
  } finally {
    await indexed.close();
  }
});
