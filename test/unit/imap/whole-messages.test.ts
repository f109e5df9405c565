/** FETCH of whole messages: in order and as the store has them, whichever way each is read, and \Seen only on what could be read. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { makeFacts } from "../../../src/imap/facts.ts";
import { StoreFault, type Mailbox, type Uid } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, user } from "../store/support.ts";
import { startSessions, type Client } from "./session.ts";

const lines = (octets: number): string => "a line of some text\n".repeat(Math.ceil(octets / 20));
/** Some are read when their turn comes, some ahead, and the largest are waited for. */
const texts = [
  "Subject: one\n\nbody\n",
  "Subject: NUL\n\na\0b\n",
  `Subject: larger\n\n${lines(70_000)}`,
  "Subject: CRLF\r\n\r\nbody\r\n",
  `Subject: largest\n\n${lines(200_000)}`,
  "Subject: octets\n\n\xe4\xf6\xfc\xff\n",
  "",
  `Subject: more than a piece of output\n\n${lines(20_000)}`,
  "Subject: no line end",
];

async function filled(t: TestContext): Promise<{ readonly cur: string; readonly inbox: Mailbox; readonly client: Client }> {
  const directory = mkdtempSync(join(tmpdir(), "whole-messages-"));
  for (const d of ["cur", "new", "tmp"]) mkdirSync(`${directory}/Maildir/${d}`, { recursive: true });
  texts.forEach((text, i) => writeFileSync(`${directory}/Maildir/cur/${1_700_000_000 + i}.M${i}.host,S=${text.length}:2,${i === 0 ? "S" : ""}`, text, "latin1"));
  const store = await openStore(user(`maildir:${directory}/Maildir`), settings, undefined, { facts: makeFacts });
  const sessions = await startSessions(store);
  t.after(async () => {
    await sessions.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  return { cur: `${directory}/Maildir/cur`, inbox: await store.open("INBOX"), client };
}

const wire = (text: string): string => text.replaceAll(/\r?\n/g, "\r\n").replaceAll("\0", "\x80");
const literal = (text: string): string => `{${wire(text).length}}\r\n${wire(text)}`;

test("all messages, twice: the dates of their files are known the second time", async (t) => {
  const { client } = await filled(t);
  const expected = texts.map((text, i) => `* ${i + 1} FETCH (UID ${i + 1} BODY[] ${literal(text)})`);
  for (let round = 0; round < 2; round++) {
    const answer = await client.ask("UID FETCH 1:* BODY.PEEK[]");
    assert.deepEqual(answer.slice(0, -1), expected);
    assert.match(answer.at(-1) ?? "", /OK Fetch completed/);
    await client.ask("FETCH 1:* INTERNALDATE");
  }
});

test("BODY[] and RFC822 beside a part and facts, and with a range", async (t) => {
  const { client } = await filled(t);
  const text = texts[0] ?? "";
  assert.deepEqual((await client.ask("FETCH 1 (RFC822 BODY[TEXT] BODY[]<3.7> ENVELOPE)"))[0], `* 1 FETCH (RFC822 ${literal(text)} BODY[TEXT] ${literal("body\n")} BODY[]<3> ${literal("ject: o")} ENVELOPE (NIL "one" NIL NIL NIL NIL NIL NIL NIL NIL))`);
});

test("what is fetched is \\Seen, but for what is gone", async (t) => {
  const { cur, client } = await filled(t);
  unlinkSync(`${cur}/1700000001.M1.host,S=${(texts[1] ?? "").length}:2,`);
  const answer = await client.ask("FETCH 1:6 BODY[]");
  const told = answer.filter((line) => line.includes(" FETCH ("));
  assert.deepEqual(told.map((line) => /^\* (\d+)/.exec(line)?.[1]), ["1", "3", "4", "5", "6"]);
  assert.deepEqual(told.map((line) => /FLAGS \([^)]*\)\)$/.exec(line)?.[0] ?? ""), ["", ...Array.from({ length: 4 }, () => "FLAGS (\\Seen \\Recent))")]);
  assert.match(answer.at(-1) ?? "", /NO \[EXPUNGEISSUED\]/);
});

test("what can not be read is not \\Seen", async (t) => {
  const { inbox, client } = await filled(t);
  const { read, readText } = inbox;
  const unreadable = <T>(reading: (uid: Uid) => T) => (uid: Uid): T => {
    if (uid === 2) throw new StoreFault("io", "can not be read");
    return reading.call(inbox, uid);
  };
  Object.assign(inbox, { read: unreadable(read), readText: unreadable(readText ?? (() => undefined)) });
  assert.match((await client.ask("FETCH 1:3 BODY[]")).at(-1) ?? "", /^NO /);
  const flags = await client.ask("FETCH 1:3 FLAGS");
  assert.deepEqual(flags.slice(0, 3).map((line) => line.includes("\\Seen")), [true, false, true]);
});
