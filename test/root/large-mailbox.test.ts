/** A mailbox of 100,000 messages in a user's agent: whatever she asked of it, at rest it has less than 120 MB of memory. */
import assert from "node:assert/strict";
import { existsSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { RawImap } from "../load/raw-imap.ts";
import { isRoot, procStatus, startStack, type Stack } from "../harness/stack.ts";
import { addUser, must, removeUser, type UnixUser } from "./users.ts";

const limit = 120_000_000;
const messages = 100_000;
/** Different ones; others are links, of which a file may have 65,000. */
const texts = 2_000;

const letter = (n: number): string =>
  `From: "Sender ${n % 97}" <s${n % 97}@example.org>\nTo: one@example.net, "Number ${n % 31}" <n${n % 31}@example.net>\nSubject: ${n % 3 === 0 ? "Re: " : ""}report ${n % 1500} of the committee\nDate: ${new Date(1_700_000_000_000 + n * 60_000).toUTCString().replace("GMT", "+0000")}\nMessage-ID: <${n}@example.org>\nReferences: <${n % 50}@example.org>\n\n${`line ${n} of what is said w${n}x\n`.repeat(4)}`;

describe("a mailbox of 100,000 messages", { skip: isRoot ? false : "needs root" }, () => {
  let stack: Stack;
  let user: UnixUser;

  before(async () => {
    stack = await startStack({ system: true, set: { mail_location: "maildir:~/Maildir", mail_debug: "yes", auth_failure_delay: "10ms", agent_spare: "0" } });
    user = addUser("l");
    for (const part of ["cur", "new", "tmp"]) mkdirSync(join(user.home, "Maildir", part), { recursive: true, mode: 0o700 });
    for (let n = 0; n < messages; n++) {
      const name = (i: number): string => join(user.home, `Maildir/cur/${1_700_000_000 + i}.M${i}P1.host:2,${i % 3 === 0 ? "" : "S"}`);
      if (n < texts) writeFileSync(name(n), letter(n));
      else linkSync(name(n % texts), name(n));
    }
    must("chown", ["-R", `${user.uid}:${user.gid}`, join(user.home, "Maildir")]);
  });

  after(async () => {
    await stack.stop();
    removeUser(user);
  });

  const pid = (): number => Number([...stack.log().matchAll(new RegExp(`agent of ${user.name} started, pid (\\d+)`, "g"))].at(-1)?.[1]);
  const octets = (field: string): number => Number(/\d+/.exec(procStatus(pid()).get(field) ?? "")?.[0]) * 1024;

  /** It gives back what it does not need when nothing was asked for a second, at the latest when the thread of the full-text index has ended. */
  async function rests(after: string): Promise<void> {
    const least = { octets: Infinity };
    for (const end = Date.now() + 60_000; Date.now() < end; await pause(100)) {
      least.octets = Math.min(least.octets, octets("VmRSS"));
      if (least.octets < limit) return;
    }
    assert.fail(`after ${after}: ${String(least.octets)} octets`);
  }

  test("at rest an agent has less than 120 MB, after each of its largest commands", async (t) => {
    const client = await RawImap.login(stack.ports.imap, user.name, user.password);
    t.after(() => client.destroy());
    for (const command of [
      "SELECT INBOX",
      "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE)",
      "SORT (SUBJECT DATE) UTF-8 ALL",
      "THREAD REFERENCES UTF-8 ALL",
      "STORE 1:* +FLAGS (\\Flagged)",
      "SEARCH BODY w77x",
    ]) {
      await client.ok(command);
      await rests(command);
    }
    // Behind it all are put into the full-text index, whose thread then ends.
    const database = join(user.home, "Maildir/posthorn/fulltext.db");
    for (const end = Date.now() + 300_000; !existsSync(database) || existsSync(`${database}-wal`); await pause(100)) assert.ok(Date.now() < end, "full-text index");
    await rests("indexing");
    await client.ok("SEARCH BODY w78x");
    await rests("a search");
    t.diagnostic(`${String(octets("VmRSS"))} octets, ${String(octets("VmHWM"))} at most`);
  });
});
