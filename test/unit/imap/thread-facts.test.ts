/** THREAD looks at the facts of a message once, and answers the same whatever was known before. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";
import { maildir } from "../store/support.ts";
import { startSessions, type Client } from "./session.ts";

const count = 60;

/** Every fourth answers the one a few before it, some without saying so in References. */
const text = (n: number): string =>
  [
    `Subject: ${n % 4 === 0 && n > 8 ? "Re: " : ""}matter ${n % 7}`,
    `Date: Thu, ${1 + ((n * 11) % 28)} Jan 2026 00:00:00 +0000`,
    `Message-ID: <m${n}@example.org>`,
    ...(n % 3 === 0 && n > 8 ? [`References: <m${n - 7}@example.org> <m${n - 3}@example.org>`] : []),
    ...(n % 5 === 0 ? [`In-Reply-To: <m${(n * 3) % count}@example.org>`] : []),
    "",
    "text",
    "",
  ].join("\n");

async function filled(t: TestContext): Promise<{ readonly client: Client; readonly inbox: Mailbox }> {
  const { root, store, inbox } = await maildir(t);
  for (let n = 0; n < count; n++) writeFileSync(`${root}/cur/${2000 + n}.x.y:2,`, text(n));
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  return { client, inbox };
}

const algorithms = ["REFERENCES", "REFS", "ORDEREDSUBJECT"];
const searches = ["ALL", "5:55", "3:17"];

for (const algorithm of algorithms)
  test(`THREAD ${algorithm}: nothing known, columns known, facts known`, async (t) => {
    for (const search of searches) {
      const command = `THREAD ${algorithm} UTF-8 ${search}`;
      const { client } = await filled(t);
      const [first] = await client.ask(command);
      assert.match(first ?? "", /^\* THREAD \(.*\d \(?\d/);
      assert.deepEqual((await client.ask(command))[0], first);
      const other = await filled(t);
      await other.client.ask("SORT (SUBJECT DATE) UTF-8 ALL");
      assert.equal((await other.client.ask(command))[0], first, `${command} after SORT`);
      const last = await filled(t);
      await last.client.ask("FETCH 1:* (ENVELOPE)");
      for (const before of algorithms) if (before !== algorithm) await last.client.ask(`THREAD ${before} UTF-8 ${search}`);
      assert.equal((await last.client.ask(command))[0], first, `${command} after other algorithms`);
    }
  });

test("THREAD of all messages asks for the facts of each once", async (t) => {
  const { client, inbox } = await filled(t);
  await client.ask("FETCH 1:* (ENVELOPE)");
  const asked = new Map<Uid, number>();
  const facts = inbox.facts.bind(inbox);
  inbox.facts = (uid) => {
    asked.set(uid, (asked.get(uid) ?? 0) + 1);
    return facts(uid);
  };
  await client.ask("THREAD REFERENCES UTF-8 ALL");
  assert.equal(asked.size, count);
  assert.deepEqual([...new Set(asked.values())], [1]);
});
