/** `posthorn mailbox`: through the agent while the stack runs, by itself while it does not. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bin, startStack, type Stack } from "../harness/stack.ts";
import { deliver, mail } from "./client.ts";

let stack: Stack;
before(async () => {
  stack = await startStack();
  for (const subject of ["one", "two"]) await stack.logged(new RegExp(`${await deliver(stack, "alice@example.test", mail(subject))}: removed`));
});
after(() => stack.stop());

const maildir = (): string => join(stack.directory, "mail/alice/Maildir");

function mailbox(...words: string[]): { readonly out: string; readonly err: string; readonly exit: number | null } {
  const done = spawnSync(bin("posthorn"), ["mailbox", ...words, "--config", stack.config], { encoding: "utf8" });
  return { out: done.stdout, err: done.stderr, exit: done.status };
}

const json = (text: string): Record<string, unknown>[] => text.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);

function both(): void {
  test("list names the folders", () => {
    const { out, exit } = mailbox("list", "alice");
    assert.equal(exit, 0);
    assert.deepEqual(out.split("\n").filter((l) => /^(INBOX|Sent)/.test(l)), ["INBOX", "Sent\t\\Sent"]);
  });

  test("status tells the numbers, of one folder and of all", () => {
    const { out, exit } = mailbox("status", "alice", "INBOX");
    assert.equal(exit, 0);
    assert.match(out, /^INBOX: 2 messages, 2 recent, 2 unseen, UIDNEXT (3|1003), UIDVALIDITY \d+, HIGHESTMODSEQ \d+, index ready for \d\n$/);
    const all = json(mailbox("status", "alice", "--json").out);
    assert.ok(all.length > 1);
    assert.deepEqual(all.filter(({ messages }) => messages !== 0).map(({ folder, messages }) => [folder, messages]), [["INBOX", 2]]);
  });

  test("resync of mail that is well has nothing to mend, and UIDs stay", () => {
    const [old] = json(mailbox("status", "alice", "INBOX", "--json").out);
    const { out, exit } = mailbox("resync", "alice", "INBOX");
    assert.equal(exit, 0);
    assert.equal(out, "INBOX: 2 messages, nothing to mend\n");
    const [now] = json(mailbox("status", "alice", "INBOX", "--json").out);
    assert.deepEqual([now?.uidValidity, now?.uidNext], [old?.uidValidity, old?.uidNext]);
  });

  test("a folder that is not there is 66, a user 67, a name that can not be 64", () => {
    const folder = mailbox("status", "alice", "nowhere");
    assert.deepEqual([folder.exit, folder.out, folder.err], [66, "", "posthorn: nowhere: no such mailbox\n"]);
    const user = mailbox("list", "nobody-here");
    assert.deepEqual([user.exit, user.err], [67, "posthorn: nobody-here: no such user\n"]);
    assert.equal(mailbox("status", "alice", "../../etc").exit, 64);
    assert.equal(mailbox("shrink", "alice").exit, 64);
  });

  test("names are made safe for the terminal", () => {
    const folder = `${maildir()}/.bell\u0007`;
    for (const d of ["", "/cur", "/new", "/tmp"]) mkdirSync(folder + d);
    try {
      assert.doesNotMatch(mailbox("list", "alice").out, /\u0007/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a folder without its uidlist gets one, and the others are as they were", () => {
    assert.equal(mailbox("resync", "alice").exit, 0);
    rmSync(`${maildir()}/dovecot-uidlist`);
    const { out, exit } = mailbox("resync", "alice", "--json");
    assert.equal(exit, 0);
    assert.deepEqual(json(out).find(({ folder }) => folder === "INBOX")?.messages, 2);
    assert.ok(existsSync(`${maildir()}/dovecot-uidlist`));
  });
}

describe("while the stack runs", () => {
  both();

  test("the agent says in the log what it was asked and what it did", async () => {
    mailbox("resync", "alice", "INBOX");
    await stack.logged(/posthorn\/mailboxd\[\d+\]: resync of alice asked by uid \d+/);
    await stack.logged(/posthorn\/mailbox\[\d+\]: resync of alice "INBOX": 2 messages, /);
  });

  test("a hello that makes no sense is hung up on", async () => {
    const { connect } = await import("node:net");
    const socket = connect(join(stack.directory, "run/mailbox"));
    socket.end('{"op":"mailbox","user":"alice","work":"burn"}\n');
    let said = "";
    for await (const chunk of socket as AsyncIterable<Buffer>) said += chunk.toString();
    assert.equal(said, "");
    await stack.logged(/malformed hello on mailbox/);
  });
});

describe("while it does not", () => {
  before(() => stack.stop(false));
  both();

  test("folders have the names of clients", () => {
    const config = `${stack.config}.namespace`;
    writeFileSync(config, `${readFileSync(stack.config, "utf8")}\nnamespace_prefix = INBOX.\nnamespace_separator = .\n`);
    const say = (...words: string[]): string => spawnSync(bin("posthorn"), ["mailbox", ...words, "--config", config], { encoding: "utf8" }).stdout;
    assert.deepEqual(say("list", "alice").split("\n").filter((l) => /^(INBOX$|.*Sent)/.test(l)), ["INBOX", "INBOX.Sent\t\\Sent"]);
    assert.match(say("status", "alice", "INBOX.Sent"), /^INBOX\.Sent: 0 messages, /);
    assert.equal(say("status", "alice", "Sent"), "");
  });

  test("what other programs left in tmp/ and elsewhere does not matter", () => {
    writeFileSync(`${maildir()}/tmp/half`, "From: a");
    assert.equal(mailbox("resync", "alice", "INBOX").out, "INBOX: 2 messages, nothing to mend\n");
    assert.deepEqual(readdirSync(`${maildir()}/tmp`), ["half"]);
  });
});
