import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../../../src/store/mailbox.ts";
import { MemoryMailbox } from "./memory-mailbox.ts";
import { Client, startPlace } from "./place.ts";

test("others have their turn while the sizes of a large maildrop are counted", async (t) => {
  let turns = 0;
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  t.after(() => clearImmediate(next));
  const mailbox = new MemoryMailbox(Array.from({ length: 1000 }, (_, n) => `Subject: ${n}\n\nx\n`));
  const seen: number[] = [];
  // A Maildir reads the file of a message whose name does not tell its size.
  mailbox.messages = mailbox.messages.map((m): Message => ({ ...m, get size() { seen.push(turns); return m.size; } }));
  const p = await startPlace(mailbox);
  t.after(() => p.close());
  const client = await Client.to(p.port);
  t.after(() => client.socket.destroy());
  await client.line();
  await client.ask("USER alice");
  assert.equal(await client.ask("PASS alice"), "+OK Logged in.");
  assert.equal(seen.length, 1000);
  assert.ok((seen.at(-1) ?? 0) - (seen[0] ?? 0) >= 3, `${seen.at(-1)} - ${seen[0]}`);
  assert.match((await client.ask("STAT")) ?? "", /^\+OK 1000 /);
});
