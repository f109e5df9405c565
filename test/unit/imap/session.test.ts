/** What a session does when things go wrong or happen at once; the dialogues proper are in test/transcript/imap. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MemoryStore } from "./memory-store.ts";
import { startSessions, type Client, type Sessions } from "./session.ts";

const mail = (subject: string, body = "text\n"): { octets: Buffer; flags: Set<string>; internalDate: number } => ({
  octets: Buffer.from(`From: a@example.org\nSubject: ${subject}\n\n${body}`),
  flags: new Set(),
  internalDate: 0,
});

async function place(t: TestContext, store: MemoryStore, values: Record<string, string> = {}): Promise<Sessions> {
  const sessions = await startSessions(store, values);
  t.after(() => sessions.close());
  return sessions;
}

async function selected(sessions: Sessions): Promise<Client> {
  const client = await sessions.login();
  assert.match((await client.ask("SELECT INBOX")).at(-1) ?? "", /^OK \[READ-WRITE\]/);
  return client;
}

test("login is answered under the client's tag, with capabilities", async (t) => {
  const sessions = await place(t, new MemoryStore());
  const client = await sessions.connect();
  assert.match((await client.response()) ?? "", /^login OK \[CAPABILITY IMAP4rev1 [^\]]+\] Logged in$/);
});

test("a full disk is NO [UNAVAILABLE] and the session goes on", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([mail("one")]);
  store.mailbox("INBOX").faults.set("append", "no-space").set("setFlags", "no-space").set("expunge", "no-space");
  const client = await selected(await place(t, store));
  for (const command of ["APPEND INBOX {3+}\r\nabc", "STORE 1 +FLAGS (\\Deleted)", "COPY 1 INBOX"]) {
    assert.deepEqual(await client.ask(command), [`NO [UNAVAILABLE] no ${/STORE/.test(command) ? "setFlags" : "append"} today`]);
  }
  // Mail can still be read; only \Seen is not kept.
  assert.deepEqual(await client.ask("FETCH 1 BODY[TEXT]"), ["* 1 FETCH (BODY[TEXT] {6}\r\ntext\r\n)", "OK Fetch completed."]);
  assert.equal(store.mailbox("INBOX").messages.length, 1);
});

test("news reach another session in IDLE at once, and are told to a busy one where RFC 3501 §7.4.1 allows", async (t) => {
  const store = new MemoryStore();
  const inbox = store.mailbox("INBOX");
  inbox.add([mail("one"), mail("two"), mail("three")]);
  const sessions = await place(t, store);
  const [idler, worker, watcher] = [await selected(sessions), await selected(sessions), await selected(sessions)];
  idler.send("i IDLE\r\n");
  assert.equal(await idler.response(), "+ idling");
  assert.deepEqual(await worker.ask("STORE 1 +FLAGS (\\Deleted)"), ["* 1 FETCH (FLAGS (\\Deleted))", "OK Store completed."]);
  assert.equal(await idler.response(), "* 1 FETCH (FLAGS (\\Deleted \\Recent))");
  assert.deepEqual(await worker.ask("EXPUNGE"), ["* 1 EXPUNGE", "OK Expunge completed."]);
  assert.equal(await idler.response(), "* 1 EXPUNGE");
  inbox.add([mail("four")]);
  assert.equal(await idler.response(), "* 3 EXISTS");
  assert.match((await idler.response()) ?? "", /^\* [34] RECENT$/);
  idler.send("done\r\n");
  assert.equal(await idler.response(), "i OK Idle completed.");
  // The third session has heard nothing so far: message numbers hold during FETCH, STORE and SEARCH.
  const answers = await watcher.ask("FETCH 2:3 (UID)");
  assert.deepEqual(answers.filter((a) => /\(UID /.test(a)), ["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"]);
  assert.ok(answers.every((a) => !a.includes("EXPUNGE")));
  assert.ok(answers.includes("* 4 EXISTS"));
  assert.deepEqual(await watcher.ask("FETCH 1 (BODY[])"), ["NO [EXPUNGEISSUED] Some of the requested messages no longer exist."]);
  assert.deepEqual(await watcher.ask("SEARCH ALL"), ["* SEARCH 2 3 4", "OK Search completed."]);
  assert.deepEqual(await watcher.ask("UID SEARCH ALL"), ["* SEARCH 2 3 4", "* 1 EXPUNGE", "OK Search completed."]);
  assert.deepEqual(await watcher.ask("SEARCH ALL"), ["* SEARCH 1 2 3", "OK Search completed."]);
});

test("what one session expunges while another copies it is not copied", async (t) => {
  const store = new MemoryStore("other");
  store.mailbox("INBOX").add([mail("one"), mail("two")]);
  const sessions = await place(t, store);
  const [a, b] = [await selected(sessions), await selected(sessions)];
  await a.ask("STORE 1 +FLAGS.SILENT (\\Deleted)");
  await a.ask("EXPUNGE");
  assert.deepEqual((await b.ask("COPY 1:2 other")).slice(-2), ["* 1 EXPUNGE", "NO [EXPUNGEISSUED] Some of the requested messages no longer exist."]);
  assert.equal(store.mailbox("other").messages.length, 0);
});

test("STORE.SILENT tells what the client can not know", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([mail("one"), mail("two")]);
  const sessions = await place(t, store);
  const [a, b] = [await selected(sessions), await selected(sessions)];
  await a.ask("STORE 1 +FLAGS.SILENT (\\Flagged)");
  assert.deepEqual(await b.ask("STORE 1:2 +FLAGS.SILENT (\\Seen)"), ["* 1 FETCH (FLAGS (\\Flagged \\Seen))", "OK Store completed."]);
  assert.deepEqual(await b.ask("STORE 1:2 -FLAGS.SILENT (\\Seen)"), ["OK Store completed."]);
});

test("\\Recent belongs to one session, and EXAMINE leaves it", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([mail("one")]);
  const sessions = await place(t, store);
  const [a, b] = [await sessions.login(), await sessions.login()];
  assert.ok((await a.ask("EXAMINE INBOX")).includes("* 1 RECENT"));
  assert.ok((await b.ask("SELECT INBOX")).includes("* 1 RECENT"));
  assert.ok((await a.ask("SELECT INBOX")).includes("* 0 RECENT"));
  assert.deepEqual(await b.ask("SEARCH RECENT"), ["* SEARCH 1", "OK Search completed."]);
});

test("every mailbox opened is released, whatever the end", async (t) => {
  const store = new MemoryStore("x");
  const sessions = await place(t, store);
  const clients = [await selected(sessions), await selected(sessions), await selected(sessions)];
  const [a, b, c] = clients as [Client, Client, Client];
  await a.ask("LOGOUT");
  b.socket.destroy();
  await c.ask("SELECT nowhere");
  await c.ask("COPY 1 nowhere");
  await c.ask("APPEND nowhere {1+}\r\nx");
  store.mailbox("x").faults.set("watch", "io");
  assert.match((await c.ask("SELECT x")).at(-1) ?? "", /^NO \[SERVERBUG\]/);
  c.send("z UNSELECT\r\n");
  await c.response();
  c.socket.end();
  await Promise.all(sessions.served);
  assert.equal(store.open_, 0);
  assert.equal(store.mailbox("INBOX").watchers + store.mailbox("x").watchers, 0);
});

test("a mailbox in which nothing can be written is selected all the same: its new mail is new to the next session, too", async (t) => {
  const store = new MemoryStore();
  const sessions = await place(t, store);
  store.mailbox("INBOX").add([mail("one"), mail("two")]);
  store.mailbox("INBOX").faults.set("claimRecent", "no-space");
  for (const client of [await sessions.login(), await sessions.login()]) {
    const said = await client.ask("SELECT INBOX");
    assert.ok(said.includes("* 2 EXISTS") && said.includes("* 2 RECENT"), said.join("\n"));
    assert.match(said.at(-1) ?? "", /^OK \[READ-WRITE\]/);
    assert.match((await client.ask("FETCH 2 (FLAGS)"))[0] ?? "", /\\Recent/);
  }
});

test("the agent's end is a BYE", async (t) => {
  const sessions = await place(t, new MemoryStore());
  const [quiet, idler] = [await selected(sessions), await selected(sessions)];
  idler.send("i IDLE\r\n");
  await idler.response();
  sessions.stopping.abort();
  assert.equal(await quiet.response(), "* BYE Server shutting down.");
  assert.equal(await quiet.response(), undefined);
  assert.equal(await idler.response(), "* BYE Server shutting down.");
  await Promise.all(sessions.served);
});

test("autologout says BYE; IDLE hears that the server is there", async (t) => {
  const sessions = await place(t, new MemoryStore(), { imap_idle_timeout: "50ms", imap_idle_notify_interval: "20ms" });
  const quiet = await selected(sessions);
  assert.equal(await quiet.response(), "* BYE Disconnected for inactivity.");
  const idler = await selected(sessions);
  idler.send("i IDLE\r\n");
  await idler.response();
  for (let i = 0; i < 5; i++) assert.equal(await idler.response(), "* OK Still here");
});

test("a client that does not read its answers holds little memory and is cut off in the end", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add(Array.from({ length: 40 }, (_, i) => mail(`m${i}`, "x".repeat(1 << 20))));
  const sessions = await place(t, store, { imap_idle_timeout: "300ms" });
  const slow = await selected(sessions);
  const other = await selected(sessions);
  slow.socket.pause();
  slow.send("s FETCH 1:* (BODY.PEEK[])\r\n");
  // Another session is served meanwhile.
  assert.deepEqual((await other.ask("SEARCH SUBJECT m39")).at(-1), "OK Search completed.");
  await sessions.served[0];
  assert.ok(store.mailbox("INBOX").calls.filter((c) => c === "read").length < 60, "did not stop reading ahead");
});

test("twenty commands that are none end the session", async (t) => {
  const sessions = await place(t, new MemoryStore());
  const client = await sessions.login();
  for (let i = 0; i < 20; i++) client.send(`b${i} FROBNICATE\r\n`);
  for (let i = 0; i < 20; i++) assert.equal(await client.response(), `b${i} BAD Unknown command.`);
  assert.equal(await client.response(), "* BYE Too many invalid IMAP commands.");
  assert.equal(await client.response(), undefined);
});

test("a mailbox that becomes unreadable costs its messages, not the session", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([mail("one")]);
  const client = await selected(await place(t, store));
  store.mailbox("INBOX").faults.set("read", "io");
  assert.deepEqual(await client.ask("FETCH 1 (FLAGS BODY.PEEK[])"), ["NO [SERVERBUG] no read today"]);
  store.mailbox("INBOX").faults.delete("read");
  assert.match((await client.ask("FETCH 1 (BODY.PEEK[HEADER])"))[0] ?? "", /Subject: one/);
});

test("search text that is not in its charset is refused; without a charset 8 bits are read as they can be", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([mail("caf\u00e9"), mail("odd \ufffd")]);
  const client = await selected(await place(t, store));
  for (const charset of ["CHARSET UTF-8 ", "CHARSET utf-8 OR SEEN ", "CHARSET SHIFT_JIS NOT "]) assert.match((await client.ask(`SEARCH ${charset}SUBJECT {2+}\r\n\xe9\xff`))[0] ?? "", /^BAD /, charset);
  assert.match((await client.ask("SORT (DATE) UTF-8 BODY {1+}\r\n\xe9"))[0] ?? "", /^BAD /);
  assert.deepEqual(await client.ask("SEARCH CHARSET UTF-8 SUBJECT {3+}\r\n\xef\xbf\xbd"), ["* SEARCH 2", "OK Search completed."]);
  assert.deepEqual(await client.ask("SEARCH SUBJECT {1+}\r\n\xe9"), ["* SEARCH 1", "OK Search completed."]);
});

test("the day sent is the sender's, read from the message or from what is kept of it", async (t) => {
  const store = new MemoryStore();
  const dated = (date: string): ReturnType<typeof mail> => ({ ...mail("x"), octets: Buffer.from(`Date: ${date}\nSubject: x\n\nx\n`) });
  store.mailbox("INBOX").add([dated("Wed, 1 Jan 2020 23:30:00 -1200"), dated("Thu, 2 Jan 2020 00:30:00 +1400"), mail("undated"), dated("Tue, 31 Dec 2019 23:59:60 +0000")]);
  const client = await selected(await place(t, store));
  const found = async (): Promise<unknown> => [await client.ask("SEARCH SENTON 1-Jan-2020"), await client.ask("SEARCH SENTSINCE 2-Jan-2020"), await client.ask("SEARCH SENTBEFORE 1-Jan-2020")].map((r) => r[0]);
  const expected = ["* SEARCH 1", "* SEARCH 2", "* SEARCH 4"];
  assert.deepEqual(await found(), expected);
  await client.ask("FETCH 1:* (ENVELOPE)");
  assert.deepEqual(await found(), expected);
});

test("the day a message came is the server's", async (t) => {
  const zone = process.env["TZ"];
  t.after(() => void (zone === undefined ? delete process.env["TZ"] : (process.env["TZ"] = zone)));
  process.env["TZ"] = "Pacific/Kiritimati";
  const store = new MemoryStore();
  store.mailbox("INBOX").add([{ ...mail("x"), internalDate: Date.UTC(2020, 0, 1, 12) }]);
  const client = await selected(await place(t, store));
  assert.deepEqual([await client.ask("SEARCH ON 1-Jan-2020"), await client.ask("SEARCH ON 2-Jan-2020")].map((r) => r[0]), ["* SEARCH", "* SEARCH 1"]);
});

test("headers and structures are kept, messages are read once for them", async (t) => {
  const store = new MemoryStore();
  const inbox = store.mailbox("INBOX");
  inbox.add([mail("one"), mail("two")]);
  const client = await selected(await place(t, store));
  const reads = (): number => inbox.calls.filter((c) => c === "read").length;
  const first = await client.ask("FETCH 1:2 (ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (Subject)])");
  assert.equal(reads(), 2);
  assert.deepEqual(await client.ask("FETCH 1:2 (ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (Subject)])"), first);
  assert.deepEqual((await client.ask("SEARCH SUBJECT two SENTBEFORE 1-Jan-2000")).at(-1), "OK Search completed.");
  assert.deepEqual((await client.ask("SEARCH NOT SUBJECT one")), ["* SEARCH 2", "OK Search completed."]);
  assert.equal(reads(), 2);
});

test("another UIDVALIDITY ends the session: nothing the client knows is true any more", async (t) => {
  const store = new MemoryStore();
  const client = await selected(await place(t, store));
  store.mailbox("INBOX").uidValidity++;
  client.send("a NOOP\r\n");
  assert.match((await client.response()) ?? "", /^\* BYE UIDVALIDITY/);
  assert.equal(await client.response(), undefined);
});
