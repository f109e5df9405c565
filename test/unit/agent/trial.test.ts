/** What an agent that is kept ready tries does not end: whoever wants it waits for so long as mailboxd says, and no longer. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { Agent } from "../../harness/agent.ts";
import { exited } from "../../harness/child.ts";
import { until } from "../../bench/place.ts";
import { calls, Faults, noFaults } from "../../crash/store/faults.ts";
import { settingsWith } from "../users/settings.ts";

/** Where the mailbox is that it tries things on. */
const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

test("a disk that does not answer amid a trial: it ends itself when it is wanted, and says why", { skip: noFaults() }, async (t) => {
  const faults = new Faults();
  const settings = settingsWith({ mail_location: "maildir:~/Maildir" });
  faults.arm({ action: "hold", calls: calls.sync, match: "/cur$", first: 1, last: 0xffff_ffff });
  const agent = new Agent(faults.environment(place));
  t.after(async () => {
    faults.disarm();
    await agent.end();
    faults.end();
    // The next one that is made ready would do so.
    for (const name of readdirSync(place)) if (name.startsWith(`posthorn-spare-${agent.process.pid}-`)) rmSync(`${place}/${name}`, { recursive: true });
  });
  agent.tell({ kind: "prepare", settings });
  await agent.until("has loaded all", () => agent.notes.some(({ kind }) => kind === "ready"));
  await until("it waits for the disk", () => faults.hits > 0, 60_000, 5);
  agent.tell({ kind: "become", settings, user: { name: "nobody", uid: 65_534, gid: 65_534 }, env: {}, patience: 1 });
  assert.deepEqual(await exited(agent.process, 30_000), [70, null]);
  await agent.read();
  assert.match(agent.log, /fatal: .*what is tried does not end/);
  assert.ok(!agent.notes.some(({ kind }) => kind === "tried"));
});
