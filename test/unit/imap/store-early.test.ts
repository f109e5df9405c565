/** STORE answers while the disk writes; only the tagged response waits for it. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { StoreFault, type Mailbox, type Message } from "../../../src/store/mailbox.ts";
import { MemoryStore } from "./memory-store.ts";
import { startSessions, type Client } from "./session.ts";

/** A mailbox whose flags are durable when `durable` settles. */
async function selected(t: TestContext, durable: Promise<void>, messages: number): Promise<Client> {
  const store = new MemoryStore();
  const inbox: Mailbox & { setFlags: Mailbox["setFlags"] } = store.mailbox("INBOX");
  await inbox.append(Array.from({ length: messages }, () => ({ octets: Buffer.from("Subject: x\r\n\r\n"), flags: new Set<string>(), internalDate: 0 })));
  const change = inbox.setFlags.bind(inbox);
  inbox.setFlags = async (uids, what, changed): Promise<readonly Message[]> => {
    const flagged = await change(uids, what);
    changed?.(flagged);
    await durable;
    return flagged;
  };
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  return client;
}

/** More than are told of in one turn. */
const many = 5000;

test("flags are told before they are durable, OK is said afterwards", async (t) => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const client = await selected(t, promise, many);
  client.send("a STORE 1:* +FLAGS (\\Seen)\r\n");
  for (let n = 1; n <= many; n++) assert.equal(await client.response(), `* ${n} FETCH (FLAGS (\\Seen \\Recent))`);
  let said = false;
  const tagged = client.response().then((response) => {
    said = true;
    return response;
  });
  for (let turns = 0; turns < 20; turns++) await new Promise((done) => setImmediate(done));
  assert.equal(said, false);
  resolve(undefined);
  assert.equal(await tagged, "a OK Store completed.");
  assert.deepEqual(await client.ask("NOOP"), ["OK NOOP completed."]);
});

test("flags that do not become durable are told, and NO", async (t) => {
  const failed = Promise.withResolvers<undefined>();
  failed.promise.catch(() => {});
  const client = await selected(t, failed.promise, 3);
  client.send("a STORE 2 +FLAGS (\\Seen)\r\n");
  setImmediate(() => failed.reject(new StoreFault("io", "disk is ill")));
  assert.equal(await client.response(), "* 2 FETCH (FLAGS (\\Seen \\Recent))");
  assert.match((await client.response()) ?? "", /^a NO /);
});
