/** The maildrop of a session is numbered by UIDs, which mean other messages once the mailbox has another UIDVALIDITY. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMailbox } from "./memory-mailbox.ts";
import { Client, startPlace } from "./place.ts";

test("a mailbox numbered anew: nothing of it is sent or removed", async (t) => {
  const mailbox = new MemoryMailbox(["Subject: x\n\nhi\n", "Subject: y\n\nho\n"]);
  const p = await startPlace(mailbox);
  t.after(() => p.close());
  const client = await Client.to(p.port);
  t.after(() => client.socket.destroy());
  await client.line();
  await client.ask("USER alice");
  assert.equal(await client.ask("PASS alice"), "+OK Logged in.");
  assert.match((await client.ask("DELE 1")) ?? "", /^\+OK/);
  mailbox.uidValidity++;
  assert.match((await client.ask("RETR 2")) ?? "", /^-ERR \[SYS\/TEMP\]/);
  assert.match((await client.ask("QUIT")) ?? "", /^-ERR \[SYS\/TEMP\]/);
  assert.equal(mailbox.messages.length, 2);
});
