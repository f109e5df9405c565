/** What a hostile client of the mailbox side tries against the whole stack, and what a command of a user is given. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startStack, type Stack } from "../harness/stack.ts";
import { Dialogue, deliver, mail } from "./client.ts";

let stack: Stack;
before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

async function login(): Promise<Dialogue> {
  const imap = await Dialogue.open(stack.ports.imap);
  await imap.line();
  imap.send("l LOGIN {5+}\r\nalice {5+}\r\nalice\r\n");
  assert.match(await imap.line(), /^l OK/);
  return imap;
}

/** Sends a command and returns its responses, the tagged one last. */
async function ask(imap: Dialogue, command: string): Promise<string[]> {
  imap.send(`x ${command}\r\n`);
  for (const lines: string[] = []; ; ) {
    const line = await imap.line();
    lines.push(line);
    if (line.startsWith("x ") || line.startsWith("+ ")) return lines;
  }
}

test("mailbox names lead nowhere else", async () => {
  const imap = await login();
  const before = readdirSync(join(stack.directory, "mail"));
  for (const name of ["../bob", "..", ".", "/etc/x", "a//b", "a/../../b", "a/.", '"a\tb"', "{3+}\r\na\nb", "{3+}\r\na\0b", "&AC8-", "&AC4ALg-", "&", "caf\xe9", `"${"x".repeat(300)}"`, '""', "a.b", "~bob", "INBOX"]) {
    const said = (await ask(imap, `CREATE ${name}`)).at(-1) ?? "";
    assert.match(said, /^x (?:NO|BAD) /, name);
  }
  assert.match((await ask(imap, "CREATE a")).at(-1) ?? "", /^x OK/);
  for (const to of ["a/b", "INBOX", "../c", "a"]) assert.match((await ask(imap, `RENAME a ${to}`)).at(-1) ?? "", /^x (?:NO|BAD) /, to);
  assert.deepEqual(readdirSync(join(stack.directory, "mail")), before);
  imap.drop();
});

test("odd places for literals, empty mailboxes, pipelines", async () => {
  const imap = await login();
  assert.match((await ask(imap, "SELECT {5+}\r\nINBOX")).at(-1) ?? "", /^x OK/);
  for (const command of ["SEARCH *", "UID SEARCH *:*", "UID FETCH * FLAGS", "UID STORE 1:* +FLAGS (x)", "UID EXPUNGE 1:*", "EXPUNGE", "UID COPY 1:* nowhere", "SEARCH SUBJECT {0+}\r\n"]) assert.match((await ask(imap, command)).at(-1) ?? "", /^x OK/, command);
  for (const command of ["FETCH 1 FLAGS", "FETCH 0 FLAGS", "FETCH 4294967296 FLAGS", `SEARCH ${"NOT ".repeat(60)}ALL`, `SEARCH ${"(".repeat(60)}ALL${")".repeat(60)}`, `FETCH 1 BODY[${"1.".repeat(200)}1]`]) assert.match((await ask(imap, command)).at(-1) ?? "", /^x BAD/, command);
  imap.send("a IDLE\r\nDONE\r\nb NOOP\r\nc FETCH 1 (FLAGS\r\nd NOOP\r\n");
  assert.deepEqual([await imap.line(), await imap.line(), await imap.line(), (await imap.line()).slice(0, 5), await imap.line()], ["+ idling", "a OK Idle completed.", "b OK NOOP completed.", "c BAD", "d OK NOOP completed."]);
  imap.send("e APPEND INBOX {99999999999}\r\n");
  assert.match(await imap.line(), /^e BAD \[TOOBIG\]/);
  imap.send("f APPEND INBOX {20+}\r\nSubject: n\0l\r\n\r\ntext\r\n");
  assert.match(await imap.line(), /^\* 1 EXISTS/);
  assert.match(await imap.line(), /^\* 1 RECENT/);
  assert.match(await imap.line(), /^f OK \[APPENDUID \d+ 1\]/);
  assert.match((await ask(imap, "FETCH 1 BODY.PEEK[]<4294967295.4294967295>")).join("\n"), /BODY\[\]<4294967295> \{0\}/);
  imap.drop();
});

test("a command of a .forward has three pipes and no variable of ours but the configuration", async () => {
  const home = join(stack.directory, "mail", "bob");
  const look = "ls /proc/$$/fd";
  mkdirSync(home, { recursive: true, mode: 0o700 });
  writeFileSync(join(home, ".forward"), `"|cat /dev/stdin > mail; echo out > /dev/stdout; echo err > /dev/stderr; ${look} > fds; env > env"\n`, { mode: 0o600 });
  const id = await deliver(stack, "bob@example.test", mail("look around"));
  await stack.logged(new RegExp(`${id}: removed`));
  assert.match(readFileSync(join(home, "mail"), "utf8"), /^Subject: look around$/m);
  // What this test was itself started with is handed on by everybody.
  const inherited = spawnSync("/bin/sh", ["-c", `${look}; :`], { encoding: "utf8" }).stdout.split("\n");
  assert.deepEqual(readFileSync(join(home, "fds"), "utf8").split("\n").filter((fd) => !inherited.includes(fd) && fd !== "10"), []);
  const names = readFileSync(join(home, "env"), "utf8").split("\n").map((line) => line.split("=", 1)[0]);
  assert.deepEqual(names.filter((name) => /^(?:NODE|UV_|POSTHORN_)/.test(name ?? "") && name !== "POSTHORN_CONFIG"), []);
});
