/** Two users who are away: one answer each way at most, through the whole stack and its own sendmail, and none that answers an answer. Flags arrive in IMAP. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startStack, type Stack } from "../harness/stack.ts";
import { arrival, mailIn } from "../peers/client.ts";
import { deliver, Imap } from "./client.ts";

let stack: Stack;
before(async () => {
  stack = await startStack({ users: { alice: "alice", bob: "bob", writer: "writer" } });
  for (const user of ["alice", "bob"]) {
    put(user, ".vacation.msg", `${user} is away.\n`);
    put(user, ".procmailrc", "# posthorn: vacation = $HOME/.vacation.msg\n# posthorn: flags = \\Flagged Away\n");
  }
});
after(() => stack.stop());

const maildir = (user: string): string => join(stack.directory, "mail", user, "Maildir");

function put(user: string, name: string, text: string): void {
  const home = join(stack.directory, "mail", user);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  writeFileSync(join(home, name), text, { mode: 0o600 });
}

const letter = (to: string, subject: string): string => `From: Bob <bob@example.test>\r\nTo: ${to}\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@example.test>\r\n\r\nhello\r\n`;

test("an answer comes once, and is not answered", async () => {
  const first = await deliver(stack, "alice@example.test", letter("alice@example.test", "one"), "bob@example.test");
  const answer = await arrival(maildir("bob"), /^Subject: Auto: one$/m);
  assert.match(answer, /^Return-Path: <>$/m);
  assert.match(answer, /^From: alice@example\.test$/m);
  assert.match(answer, /^Auto-Submitted: auto-replied \(vacation\)$/m);
  assert.match(answer, /^In-Reply-To: <one@example\.test>$/m);
  assert.match(answer, /^Date: /m);
  assert.match(answer, /^Message-I[dD]: /m);
  assert.match(answer, /^alice is away\.$/m);
  await stack.logged(new RegExp(`${first}: removed`));
  const second = await deliver(stack, "alice@example.test", letter("alice@example.test", "two"), "bob@example.test");
  await stack.logged(new RegExp(`${second}: removed`));
  const third = await deliver(stack, "alice@example.test", letter("alice@example.test", "three"), "writer@example.test");
  await stack.logged(new RegExp(`${third}: removed`));
  await arrival(maildir("writer"), /^Subject: Auto: three$/m);
  // Bob, who is away too, has had the one answer, and has not answered it.
  assert.equal(mailIn(maildir("bob")).length, 1);
  assert.deepEqual(mailIn(maildir("alice")).map((m) => /^Subject: (.*)$/m.exec(m)?.[1]).sort(), ["one", "three", "two"]);
  assert.equal(mailIn(maildir("writer")).length, 1);
});

test("flags and keywords of the rc file are those of the message in IMAP", async () => {
  const imap = await Imap.login(stack.ports.imap, "alice", "INBOX");
  const [line = ""] = (await imap.ok("FETCH 1 (FLAGS)")).lines;
  const flags = /FLAGS \(([^)]*)\)/.exec(line)?.[1]?.split(" ").filter((flag) => flag !== "\\Recent").sort();
  assert.deepEqual(flags, ["Away", "\\Flagged"].sort());
  await imap.ok("LOGOUT");
});
