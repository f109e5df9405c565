/** A client that logs in finds INBOX open in its agent, before it has asked for it. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../bench/place.ts";
import { descendants, startStack } from "../harness/stack.ts";
import { Imap } from "./client.ts";

/** What processes have open. */
function held(pids: readonly number[]): string[] {
  const found: string[] = [];
  for (const pid of pids) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) found.push(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // It ended, or the descriptor was closed meanwhile.
    }
  }
  return found;
}

test("INBOX is opened behind a login that asks for nothing", async (t) => {
  const stack = await startStack({ users: { alice: "alice" } });
  t.after(() => stack.stop());
  const index = join(stack.directory, "mail/alice/Maildir/posthorn.index");
  const isOpen = (): boolean => held(descendants(stack.pid).map(({ pid }) => pid)).includes(index);
  // The index that it takes to open it at once.
  await (await Imap.login(stack.ports.imap, "alice", "INBOX")).logout();
  await stack.stop(false);
  await stack.restart();
  assert.equal(isOpen(), false);
  const imap = await Imap.login(stack.ports.imap, "alice");
  await until("INBOX is open", isOpen, 20_000);
  await imap.logout();
});
