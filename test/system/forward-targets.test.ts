/** A .forward with several targets: each is done once, what fails for now is tried again alone, what fails for good is returned alone. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startStack, type Stack } from "../harness/stack.ts";
import { arrival, mailIn } from "../peers/client.ts";
import { command, deliver, mail } from "./client.ts";

let stack: Stack;
before(async () => {
  stack = await startStack({ users: Object.fromEntries(["alice", "bob", "carol", "dave", "writer"].map((n) => [n, n])) });
});
after(() => stack.stop());

const home = (user: string): string => join(stack.directory, "mail", user);
const maildir = (user: string): string => join(home(user), "Maildir");
const subject = (text: string): RegExp => new RegExp(`^Subject: ${text}$`, "m");
const copies = (user: string, text: string): number => mailIn(maildir(user)).filter((m) => subject(text).test(m)).length;

function put(user: string, name: string, text: string): void {
  mkdirSync(home(user), { recursive: true, mode: 0o700 });
  writeFileSync(join(home(user), name), text, { mode: 0o600 });
}

test("a command that fails for now is run again, alone", async () => {
  put("alice", ".forward", `\\alice, "|cat >/dev/null; echo run >> runs; test -e ready || exit 75", bob@example.test\n`);
  const id = await deliver(stack, "alice@example.test", mail("three ways"));
  await stack.logged(new RegExp(`local.*${id}: to=<alice@example\\.test>.*status=deferred \\(\\|cat .*temporary failure`));
  await arrival(maildir("alice"), subject("three ways"));
  await arrival(maildir("bob"), subject("three ways"));

  await stack.logged(new RegExp(`${id}: to=<alice@example\\.test>.*status=sent \\(forwarded as `));
  const listed = await command(stack, "mailq");
  assert.match(listed.stdout, new RegExp(`${id}[^]*temporary failure[^]*alice@example\\.test`));
  writeFileSync(join(home("alice"), "ready"), "");
  const flushed = await command(stack, "sendmail", ["-q"]);
  assert.equal(flushed.status, 0, flushed.stderr);
  await stack.logged(new RegExp(`${id}: removed`));

  assert.deepEqual([copies("alice", "three ways"), copies("bob", "three ways")], [1, 1]);
  assert.equal(readFileSync(join(home("alice"), "runs"), "utf8"), "run\nrun\n");
  assert.match((await command(stack, "mailq")).stdout, /Mail queue is empty/);
});

test("what is done stays done when everything is started again", async () => {
  put("dave", ".forward", `\\dave\n"|cat >/dev/null; test -e ready || exit 75"\n`);
  const id = await deliver(stack, "dave@example.test", mail("before and after"));
  await stack.logged(new RegExp(`${id}: to=<dave@example\\.test>.*status=deferred`));
  await stack.stop(false);
  await stack.restart();
  // Put right in a way that changes the text of the command: the new one is obeyed.
  put("dave", ".forward", `\\dave\n"|cat >/dev/null; echo put right > ready"\n`);
  await command(stack, "sendmail", ["-q"]);
  await stack.logged(new RegExp(`${id}: removed`));
  assert.ok(existsSync(join(home("dave"), "ready")));
  assert.equal(copies("dave", "before and after"), 1);
});

test("a command that fails for good is returned, and the forward goes out", async () => {
  put("carol", ".forward", '"|exit 67", bob@example.test\n');
  const id = await deliver(stack, "carol@example.test", mail("one of two"), "writer@example.test");
  const report = await arrival(maildir("writer"), /^Subject: Undelivered Mail/m);
  await arrival(maildir("bob"), subject("one of two"));
  await stack.logged(new RegExp(`${id}: removed`));
  assert.match(report, /^Status: 5\.1\.1$/m);
  assert.match(report, /exit 67: user unknown/);
  assert.equal(mailIn(maildir("writer")).length, 1);
  assert.deepEqual([copies("bob", "one of two"), copies("carol", "one of two")], [1, 0]);
});
