/** Of many messages asked for at once only headers are read; whatever is asked afterwards, and in whatever order, is answered the same. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { makeFacts, ofHeadOnly } from "../../../src/imap/facts.ts";
import type { MailStore, Uid } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, user } from "../store/support.ts";
import { startSessions, type Client } from "./session.ts";

const count = 600;
const text = (n: number): string =>
  n % 3 === 0
    ? `From: a${n}@example.org\nSubject: number ${n}\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\npart of ${n}\n--b\nContent-Type: image/png\n\nAAAA\n--b--\n`
    : `From: a${n}@example.org\nSubject: number ${n}\nReferences: <r${n % 5}@example.org>\nMessage-ID: <m${n}@example.org>\n\ntext of ${n}\n`;

async function filled(t: TestContext): Promise<{ store: MailStore; client: Client; directory: string }> {
  const directory = mkdtempSync(join(tmpdir(), "many-facts-"));
  for (const d of ["cur", "new", "tmp"]) mkdirSync(`${directory}/Maildir/${d}`, { recursive: true });
  for (let n = 0; n < count; n++) writeFileSync(`${directory}/Maildir/cur/${1_700_000_000 + n}.M${n}.host:2,S`, text(n));
  const store = await openStore(user(`maildir:${directory}/Maildir`), settings, undefined, { facts: makeFacts });
  const sessions = await startSessions(store);
  t.after(async () => {
    await sessions.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  return { store, client, directory };
}

const commands = ["FETCH 1:* (UID INTERNALDATE ENVELOPE)", "FETCH 1:* BODYSTRUCTURE", "SORT (REVERSE SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "SEARCH BODY 597", "FETCH 1:* (BODY ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject References)])", "FETCH 7 (BODYSTRUCTURE BODY.PEEK[1])", "SEARCH SUBJECT 597"];

test("answers do not depend on what was asked before", async (t) => {
  const asked = async (order: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> => {
    const { client } = await filled(t);
    const answers = new Map<string, readonly string[]>();
    for (const command of order) {
      const lines = await client.ask(command);
      // The date of a file is that of its writing.
      answers.set(command, lines.map((line) => line.replace(/INTERNALDATE "[^"]*"/, "INTERNALDATE")));
    }
    return answers;
  };
  const expected = await asked(commands);
  for (const command of [commands[1], commands[4], commands.at(-1)]) {
    if (command === undefined) continue;
    const alone = await asked([command, ...commands.filter((other) => other !== command).reverse()]);
    for (const [one, lines] of alone) assert.deepEqual(lines, expected.get(one), `${one}, ${command} being first`);
  }
  assert.equal(expected.get(commands[1] ?? "")?.filter((line) => line.includes("image")).length ?? 0, count / 3);
});

test("of many messages facts are of the header, of few they are of all", async (t) => {
  const { store, client } = await filled(t);
  const inbox = await store.open("INBOX");
  const kept = (uid: number): number => inbox.facts(uid as never)?.length ?? 0;
  await client.ask("FETCH 1 ENVELOPE");
  const [few, none] = [kept(1), kept(2)];
  await client.ask("FETCH 1:* ENVELOPE");
  const many = kept(4);
  await client.ask("FETCH 4 BODYSTRUCTURE");
  assert.equal(none, 0);
  assert.ok(many > 0 && kept(4) > many, "a look at the whole message gives more");
  assert.ok(few > many);
  store.release(inbox);
});

test("BODYSTRUCTURE behind ENVELOPE makes what is missing, of the octets as they are stored", async (t) => {
  const { store, client } = await filled(t);
  const inbox = await store.open("INBOX");
  const calls: string[] = [];
  for (const name of ["read", "readHead", "readStored"] as const) {
    const own = inbox[name]?.bind(inbox) as (uid: Uid) => never;
    Object.assign(inbox, {
      [name](uid: Uid): never {
        calls.push(name);
        return own(uid);
      },
    });
  }
  const counts = (): Record<string, number> => {
    const counted: Record<string, number> = {};
    for (const name of calls.splice(0)) counted[name] = (counted[name] ?? 0) + 1;
    return counted;
  };
  await client.ask("FETCH 1:* ENVELOPE");
  assert.deepEqual(counts(), { readHead: count });
  const heads = inbox.messages.map(({ uid }) => Buffer.from(inbox.facts(uid) ?? ""));
  await client.ask("FETCH 1:* (BODYSTRUCTURE BODY ENVELOPE)");
  assert.deepEqual(counts(), { readStored: count });
  for (const [i, { uid }] of inbox.messages.entries()) {
    assert.ok(ofHeadOnly(heads[i] ?? Buffer.alloc(0)));
    assert.deepEqual(Buffer.from(inbox.facts(uid) ?? ""), makeFacts(Buffer.from(text(i).replaceAll("\n", "\r\n"))));
  }
  store.release(inbox);
});

test("a message that is large or gone is no fault of BODYSTRUCTURE", async (t) => {
  const { store, client, directory } = await filled(t);
  const inbox = await store.open("INBOX");
  const octets = "x\n".repeat(100_000);
  writeFileSync(`${directory}/Maildir/cur/1800000000.large.host,S=${octets.length + 12}:2,S`, `Subject: a\n\n${octets}`);
  await client.ask("NOOP");
  await client.ask("FETCH 1:* ENVELOPE");
  assert.match((await client.ask(`FETCH ${count + 1} BODYSTRUCTURE`))[0] ?? "", /"7bit" 300000 100000 NIL/);
  rmSync(`${directory}/Maildir/cur/${1_700_000_000 + 4}.M4.host:2,S`);
  const answer = await client.ask("FETCH 4:6 BODYSTRUCTURE");
  assert.deepEqual(answer.slice(0, -1).map((line) => /^\* \d+/.exec(line)?.[0]), ["* 4", "* 6"]);
  assert.match(answer.at(-1) ?? "", /^NO \[EXPUNGEISSUED\]/);
  store.release(inbox);
});
