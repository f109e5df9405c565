/** A session that stays for hours does not hold on to what messages were before their flags changed. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { releaseMemory } from "../../../src/sys/memory.ts";
import type { Mailbox, Message } from "../../../src/store/mailbox.ts";
import { maildir } from "../store/support.ts";
import { startSessions } from "./session.ts";

/** Not kept by the frame of whoever asks. */
const weakly = (inbox: Mailbox, at: number): WeakRef<Message> => new WeakRef(inbox.messages[at] ?? assert.fail());

test("states of messages that were replaced are given back", async (t) => {
  const { inbox, root, store } = await maildir(t);
  for (let n = 0; n < 20; n++) writeFileSync(`${root}/cur/${1000 + n}.x.y:2,`, "a\n\nb");
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  const states = [weakly(inbox, 3)];
  for (const change of ["+FLAGS (\\Flagged)", "-FLAGS.SILENT (\\Flagged)", "+FLAGS (\\Seen)"]) {
    assert.match((await client.ask(`STORE 1:* ${change}`)).at(-1) ?? "", /^OK /);
    states.push(weakly(inbox, 3));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  releaseMemory();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(states.map((state) => state.deref() !== undefined), [false, false, false, true]);
  assert.match((await client.ask("FETCH 4 FLAGS"))[0] ?? "", /\\Seen/);
});
