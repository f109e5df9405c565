/** A message of an mbox that another program edits is told, searched and sorted by what it says then, whatever was kept of it. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { makeFacts } from "../../../src/imap/facts.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, temporary, user } from "../store/support.ts";
import { startSessions } from "./session.ts";

/** More than are looked at one by one. */
const messages = 70;

test("FETCH, SEARCH and SORT after an edit", async (t) => {
  const directory = temporary(t);
  const inbox = `${directory}/inbox`;
  const letter = (n: number): string => `From a@example.org Mon Jan  1 00:00:00 2024\nFrom: <a@example.org>\nSubject: m${String(n).padStart(3, "0")}\n\nx\n\n`;
  writeFileSync(inbox, Array.from({ length: messages }, (_, n) => letter(n + 1)).join(""), { mode: 0o600 });
  const store = await openStore(user(`mbox:${directory}/mail:INBOX=${inbox}`), settings, undefined, { facts: makeFacts });
  const sessions = await startSessions(store);
  t.after(async () => {
    await sessions.close();
    await store.close();
  });
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  const search = async (word: string): Promise<string> => (await client.ask(`SEARCH SUBJECT ${word}`))[0] ?? "";
  for (let n = 0; n < 3; n++) assert.deepEqual([await search("m007"), await search("zebra")], ["* SEARCH 7", "* SEARCH"]);
  assert.match((await client.ask("SORT (SUBJECT) UTF-8 ALL"))[0] ?? "", /^\* SORT 1 2 3 4 5 6 7 8 /);

  writeFileSync(inbox, readFileSync(inbox, "latin1").replace("Subject: m007", "Subject: zebra"), "latin1");
  await client.ask("NOOP");
  assert.match((await client.ask("FETCH 7 (ENVELOPE)"))[0] ?? "", /"zebra"/);
  for (let n = 0; n < 2; n++) assert.deepEqual([await search("m007"), await search("zebra")], ["* SEARCH", "* SEARCH 7"]);
  assert.match((await client.ask("SORT (SUBJECT) UTF-8 ALL"))[0] ?? "", /^\* SORT 1 2 3 4 5 6 8 .* 70 7$/);
});
