/** Of many messages asked for at once only headers are read; whatever is asked afterwards, and in whatever order, is answered the same. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { makeFacts } from "../../../src/imap/facts.ts";
import type { MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, user } from "../store/support.ts";
import { startSessions, type Client } from "./session.ts";

const count = 600;
const text = (n: number): string =>
  n % 3 === 0
    ? `From: a${n}@example.org\nSubject: number ${n}\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\npart of ${n}\n--b\nContent-Type: image/png\n\nAAAA\n--b--\n`
    : `From: a${n}@example.org\nSubject: number ${n}\nReferences: <r${n % 5}@example.org>\nMessage-ID: <m${n}@example.org>\n\ntext of ${n}\n`;

async function filled(t: TestContext): Promise<{ store: MailStore; client: Client }> {
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
  return { store, client };
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
