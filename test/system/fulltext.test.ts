/** The full-text index in a running agent: made behind the first search, left in order when the stack stops, believed by the next agent. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { indexFiles, judge } from "../../src/store/fulltext/stamp.ts";
import { startStack, type Stack } from "../harness/stack.ts";
import { deliver, Imap, mail } from "./client.ts";

let stack: Stack;
let stopped = false;
const count = 150;
const maildir = (user: string): string => join(stack.directory, "mail", user, "Maildir");
const index = (user: string) => indexFiles(join(maildir(user), "posthorn"));

before(async () => {
  stack = await startStack({ users: { alice: "alice", bob: "bob" } });
  for (const d of ["cur", "new", "tmp"]) mkdirSync(join(maildir("alice"), d), { recursive: true, mode: 0o700 });
  for (let n = 0; n < count; n++) writeFileSync(join(maildir("alice"), "cur", `${1_700_000_000 + n}.M1P${n}.host:2,S`), mail(`letter ${n}`, `what letter ${n} says\n`).replaceAll("\r\n", "\n"));
});
after(async () => {
  if (!stopped) await stack.stop();
  rmSync(stack.directory, { recursive: true, force: true });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 50));
}

test("an agent that only delivers makes none", async () => {
  await deliver(stack, "bob@example.test", mail("one"));
  await until(() => existsSync(maildir("bob")));
  assert.ok(!existsSync(index("bob").database));
});

test("the first search makes one, which is in order when the stack has stopped", async () => {
  const imap = await Imap.login(stack.ports.imap, "alice", "INBOX");
  assert.ok(!existsSync(index("alice").database), "not before it is searched");
  const search = async (): Promise<readonly string[]> => (await imap.ok('SEARCH BODY "letter 77 says"')).lines.filter((line) => line.startsWith("* SEARCH"));
  assert.deepEqual(await search(), ["* SEARCH 78"]);
  // Its log grows over the empty tables with the first messages that are put in.
  await until(() => existsSync(index("alice").log) && readFileSync(index("alice").log).length > 100_000);
  assert.deepEqual(await search(), ["* SEARCH 78"]);
  await imap.logout();
  stopped = true;
  await stack.stop(false);
  assert.equal(judge(index("alice")), "ours");
  assert.ok(!existsSync(index("alice").log), "put into the database");
});
