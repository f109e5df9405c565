/** What one client may cost the process it shares with others. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { matchesPattern } from "../../../src/imap/list-pattern.ts";
import { MemoryStore } from "./memory-store.ts";
import { startSessions, type Client } from "./session.ts";

const mail = (n: number): { octets: Buffer; flags: Set<string>; internalDate: number } => ({ octets: Buffer.from(`Subject: ${n}\n\ntext\n`), flags: new Set(), internalDate: 0 });

async function selected(t: TestContext, store: MemoryStore): Promise<Client> {
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  t.after(() => client.socket.destroy());
  await client.ask("SELECT INBOX");
  return client;
}

test("a client that asks and does not read is not worked for", async (t) => {
  const store = new MemoryStore();
  const inbox = store.mailbox("INBOX");
  inbox.add(Array.from({ length: 20_000 }, (_, n) => mail(n)));
  const client = await selected(t, store);
  const count = (): number => inbox.calls.filter((c) => c === "refresh").length;
  const before = count();
  client.socket.pause();
  const rounds = 400;
  client.send("s SEARCH ALL\r\nn NOOP\r\n".repeat(rounds));
  // Some 100 KB for each round: the kernel takes the first of them.
  for (let seen = -1; seen !== count(); ) {
    seen = count();
    await pause(100);
  }
  assert.ok(count() - before < rounds / 2, `${count() - before} of ${rounds} commands were answered into memory`);
  client.socket.resume();
  for (let answered = 0; answered < rounds; ) {
    const response = await client.response();
    assert.notEqual(response, undefined);
    if (response?.startsWith("n OK")) answered++;
  }
});

test("a search of thousands of keys is refused", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([mail(1), mail(2)]);
  const client = await selected(t, store);
  assert.deepEqual(await client.ask(`SEARCH ${"1 ".repeat(999)}1`), ["* SEARCH 1", "OK Search completed."]);
  assert.deepEqual(await client.ask(`SEARCH ${"2 ".repeat(1000)}2`), ["BAD Error in IMAP command: too many search keys."]);
  assert.deepEqual(await client.ask(`SEARCH ${"(1 ".repeat(20)}${"1 ".repeat(1000)}1${")".repeat(20)}`), ["BAD Error in IMAP command: too many search keys."]);
});

test("sequence sets in a search: any order, overlaps, \"*\"", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add(Array.from({ length: 9 }, (_, n) => mail(n)));
  const client = await selected(t, store);
  for (const [set, found] of [["9,1:2,2:3", "1 2 3 9"], ["*", "9"], ["*:8", "8 9"], ["5:4,20:30", "4 5"], ["20", ""], ["NOT 2:9", "1"], ["UID 3,*:7", "3 7 8 9"]] as const) {
    assert.deepEqual(await client.ask(`SEARCH ${set}`), [`* SEARCH${found === "" ? "" : ` ${found}`}`, "OK Search completed."], set);
  }
});

test("list patterns mean what their runs of wildcards mean", () => {
  const pattern = fc.array(fc.constantFrom("*", "%", "a", "b", "/"), { maxLength: 12 }).map((p) => p.join(""));
  const name = fc.array(fc.constantFrom("a", "b", "/"), { maxLength: 8 }).map((p) => p.join(""));
  fc.assert(fc.property(pattern, name, (p, n) => matchesPattern(p, n, "/") === new RegExp(`^${p.replaceAll("%", "[^/]*").replaceAll("*", () => ".*").replaceAll("[^/].*", "[^/]*")}$`).test(n)));
  // As long as a literal may be, for each of as many folders as somebody cares to make.
  for (let folder = 0; folder < 20; folder++) assert.equal(matchesPattern(`${"%*".repeat(16_000)}${"x%".repeat(16_000)}`, "y".repeat(200), "/"), false);
  assert.equal(matchesPattern("%*".repeat(32_000), "y".repeat(200), "/"), true);
});

test("a mailbox numbered anew: nothing is answered under the old numbers", async (t) => {
  const store = new MemoryStore();
  const inbox = store.mailbox("INBOX");
  inbox.add([mail(1)]);
  const client = await selected(t, store);
  inbox.uidValidity++;
  client.send("f UID FETCH 1 BODY.PEEK[]\r\n");
  assert.match((await client.response()) ?? "", /^\* BYE UIDVALIDITY/);
});
