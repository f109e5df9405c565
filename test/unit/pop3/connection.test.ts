/** pop3d and a session over real sockets: what a dialogue in text can not show. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { connect as tlsConnect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { selfSigned } from "../../../src/cli/certificate.ts";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { MemoryMailbox } from "./memory-mailbox.ts";
import { Client, startPlace, type Place } from "./place.ts";

let made: Promise<SecureContext> | undefined;
const context = (): Promise<SecureContext> => (made ??= selfSigned(["localhost"], new Date()).then((pem) => createSecureContext(pem)));

async function place(t: TestContext, mailbox: MemoryMailbox, values: Readonly<Record<string, string>> = {}, tls = false): Promise<Place> {
  const p = await startPlace(mailbox, values, tls ? await context() : undefined);
  t.after(() => p.close());
  return p;
}

async function clientOf(t: TestContext, p: Place, port = p.port): Promise<Client> {
  const client = await Client.to(port);
  t.after(() => client.socket.destroy());
  return client;
}

async function loggedIn(t: TestContext, p: Place, user = "alice"): Promise<Client> {
  const client = await clientOf(t, p);
  assert.match((await client.line()) ?? "", /^\+OK/);
  assert.equal(await client.ask(`USER ${user}`), "+OK");
  assert.equal(await client.ask(`PASS ${user}`), "+OK Logged in.");
  return client;
}

async function secured(client: Client): Promise<Client> {
  client.socket.removeAllListeners("data");
  const socket: TLSSocket = tlsConnect({ socket: client.socket, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  return new Client(socket);
}

test("STLS: capabilities change, login says TLS in the log", async (t) => {
  const p = await place(t, new MemoryMailbox(["Subject: x\n\nhi\n"]), { login_trusted_networks: "192.0.2.1" }, true);
  const clear = await clientOf(t, p);
  await clear.line();
  clear.send("CAPA\r\n");
  assert.deepEqual(await clear.multiline(), ["+OK", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "STLS"]);
  assert.match((await clear.ask("USER alice")) ?? "", /^-ERR \[AUTH\]/);
  assert.match((await clear.ask("STLS")) ?? "", /^\+OK/);
  const client = await secured(clear);
  client.send("CAPA\r\n");
  assert.deepEqual(await client.multiline(), ["+OK", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER", "SASL PLAIN LOGIN"]);
  assert.match((await client.ask("STLS")) ?? "", /^-ERR/);
  client.send("USER alice\r\nPASS alice\r\nRETR 1\r\nQUIT\r\n");
  assert.equal(await client.line(), "+OK");
  assert.equal(await client.line(), "+OK Logged in.");
  assert.deepEqual(await client.multiline(), ["+OK 18 octets", "Subject: x", "", "hi"]);
  assert.equal(await client.line(), "+OK Logging out.");
  assert.equal(await client.line(), undefined);
  assert.ok(p.log.some((l) => /^Login: user=<alice>, method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, TLS, session=<.{16}>$/.test(l)), p.log.join("\n"));
  assert.equal(p.asked[0]?.secured, true);
});

test("STLS throws away what came in clear behind it (RFC 2595 §4)", async (t) => {
  const p = await place(t, new MemoryMailbox(), {}, true);
  const clear = await clientOf(t, p);
  await clear.line();
  assert.match((await clear.ask("STLS\r\nUSER alice\r\nPASS alice")) ?? "", /^\+OK Begin/);
  const client = await secured(clear);
  assert.equal(await client.ask("QUIT"), "+OK Logging out.");
  assert.deepEqual(p.asked, []);
});

test("TLS from the first octet", async (t) => {
  const p = await place(t, new MemoryMailbox(), {}, true);
  const client = await secured(await clientOf(t, p, p.tlsPort));
  assert.equal(await client.line(), "+OK Posthorn ready.");
  assert.equal(await client.ask("AUTH PLAIN AGFsaWNlAGFsaWNl"), "+OK Logged in.");
  assert.equal(await client.ask("QUIT"), "+OK Logging out.");
  await p.served(1);
});

test("a client that speaks clear text to the TLS port, or leaves in the handshake, is logged and gone", async (t) => {
  const p = await place(t, new MemoryMailbox(), {}, true);
  const client = await clientOf(t, p, p.tlsPort);
  client.send("USER alice\r\n");
  await p.served(1);
  assert.match(p.log.at(-1) ?? "", /^Disconnected: TLS handshaking: .* \(no auth attempts in \d+ secs\): user=<>, rip=127\.0\.0\.1, lip=127\.0\.0\.1, session=<.{16}>$/);
  const leaver = await clientOf(t, p, p.tlsPort);
  leaver.socket.destroy();
  await p.served(2);
  assert.match(p.log.at(-1) ?? "", /TLS handshaking/);
});

test("a client that ends its side behind QUIT still gets every answer", async (t) => {
  const mailbox = new MemoryMailbox(["Subject: x\n\n" + "y\n".repeat(100_000)]);
  const p = await place(t, mailbox);
  const client = await clientOf(t, p);
  client.socket.end("USER alice\r\nPASS alice\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n");
  assert.deepEqual([await client.line(), await client.line(), await client.line()], ["+OK Posthorn ready.", "+OK", "+OK Logged in."]);
  assert.equal((await client.multiline()).length, 100_003);
  assert.match((await client.line()) ?? "", /^\+OK Marked/);
  assert.match((await client.line()) ?? "", /^\+OK Logging out/);
  assert.equal(await client.line(), undefined);
  assert.deepEqual(mailbox.messages, []);
});

test("a large message comes whole to a client that reads late", async (t) => {
  const line = ".".repeat(70);
  const text = `Subject: large\n\n${`${line}\n`.repeat(60_000)}`;
  const p = await place(t, new MemoryMailbox([text]));
  const client = await loggedIn(t, p);
  client.socket.pause();
  client.send("RETR 1\r\nNOOP\r\n");
  setImmediate(() => client.socket.resume());
  const lines = await client.multiline();
  assert.equal(lines.length, 60_003);
  assert.ok(lines.slice(3).every((l) => l === `.${line}`));
  assert.equal(await client.line(), "+OK");
});

test("a client that reads nothing at all is cut off, and nothing is deleted", async (t) => {
  const mailbox = new MemoryMailbox([`Subject: large\n\n${"x\n".repeat(4_000_000)}`]);
  const p = await place(t, mailbox, { pop3_idle_timeout: "200ms" });
  const client = await loggedIn(t, p);
  client.socket.pause();
  client.send("DELE 1\r\nRSET\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n");
  // The maildrop is free again once the session has given up.
  for (let reply: string | undefined = "[IN-USE]"; reply?.includes("[IN-USE]") === true; ) {
    const other = await clientOf(t, p);
    await other.line();
    await other.ask("USER alice");
    reply = await other.ask("PASS alice");
    other.socket.destroy();
  }
  client.socket.destroy();
  await p.served(1);
  assert.equal(mailbox.messages.length, 1);
  assert.equal(mailbox.messages[0]?.flags.has("\\Seen"), false);
});

test("autologout says nothing and deletes nothing (RFC 1939 §3)", async (t) => {
  const mailbox = new MemoryMailbox(["a: b\n\nc\n"]);
  const p = await place(t, mailbox, { pop3_idle_timeout: "100ms" });
  const client = await loggedIn(t, p);
  assert.match((await client.ask("DELE 1")) ?? "", /^\+OK/);
  assert.equal(await client.line(), undefined);
  client.socket.end();
  await p.served(1);
  assert.equal(mailbox.messages.length, 1);
});

test("login_timeout ends who never logs in", async (t) => {
  const p = await place(t, new MemoryMailbox(), { login_timeout: "100ms" });
  const client = await clientOf(t, p);
  await client.line();
  assert.match((await client.line()) ?? "", /^-ERR \[SYS\/TEMP\] Disconnected for inactivity/);
  assert.equal(await client.line(), undefined);
  client.socket.end();
  await p.served(1);
  assert.match(p.log.at(-1) ?? "", /^Disconnected: Inactivity \(no auth attempts/);
});

test("store faults: RETR and QUIT say so, the mail stays, the session goes on", async (t) => {
  const mailbox = new MemoryMailbox(["a: b\n\nc\n", "a: b\n\nd\n"]);
  const p = await place(t, mailbox);
  const client = await loggedIn(t, p);
  mailbox.fault = { of: "read", fault: new StoreFault("io", "Input/output error.") };
  assert.equal(await client.ask("RETR 1"), "-ERR [SYS/TEMP] Input/output error.");
  assert.match((await client.ask("DELE 1")) ?? "", /^\+OK/);
  mailbox.fault = { of: "expunge", fault: new StoreFault("no-space", "Quota exceeded.") };
  assert.equal(await client.ask("QUIT"), "-ERR [SYS/TEMP] Some deleted messages not removed.");
  assert.equal(await client.line(), undefined);
  assert.equal(mailbox.messages.length, 2);
});

test("a mailbox that can not be opened, and the next session which can", async (t) => {
  const mailbox = new MemoryMailbox();
  const p = await place(t, mailbox);
  for (const [kind, code] of [["in-use", "IN-USE"], ["permission", "SYS/PERM"], ["io", "SYS/TEMP"]] as const) {
    mailbox.fault = { of: "refresh", fault: new StoreFault(kind, "No.") };
    const client = await clientOf(t, p);
    await client.line();
    await client.ask("USER alice");
    assert.ok((await client.ask("PASS alice"))?.startsWith(`-ERR [${code}] `), kind);
    assert.equal(await client.line(), undefined);
    client.socket.end();
  }
  const client = await loggedIn(t, p);
  assert.equal(await client.ask("STAT"), "+OK 0 0");
});

test("a message that arrives during the session is not seen by it (RFC 1939 §4)", async (t) => {
  const mailbox = new MemoryMailbox(["a: b\n\nc\n"]);
  const p = await place(t, mailbox);
  const client = await loggedIn(t, p);
  mailbox.add(Buffer.from("new: one\n\nx\n"));
  assert.equal(await client.ask("STAT"), "+OK 1 11");
  assert.match((await client.ask("DELE 1")) ?? "", /^\+OK/);
  assert.match((await client.ask("QUIT")) ?? "", /^\+OK/);
  assert.deepEqual(mailbox.messages.map((m) => m.uid), [2]);
});

test("the maildrop is free when QUIT is answered", async (t) => {
  const p = await place(t, new MemoryMailbox());
  for (let i = 0; i < 20; i++) {
    const client = await loggedIn(t, p);
    assert.equal(await client.ask("QUIT"), "+OK Logging out.");
  }
});

test("mail_max_userip_connections and login_connection_limit", async (t) => {
  const p = await place(t, new MemoryMailbox(), { mail_max_userip_connections: "1", login_connection_limit: "3", pop3_lock_session: "no" });
  const first = await loggedIn(t, p);
  const second = await clientOf(t, p);
  await second.line();
  await second.ask("USER alice");
  assert.match((await second.ask("PASS alice")) ?? "", /^-ERR \[IN-USE\] Maximum number of connections/);
  await second.ask("USER bob");
  assert.equal(await second.ask("PASS bob"), "+OK Logged in.");
  // Those two are with the agent now, and count no more among pop3d's.
  const before = [await clientOf(t, p), await clientOf(t, p), await clientOf(t, p)];
  for (const client of before) assert.match((await client.line()) ?? "", /^\+OK/);
  const refused = await clientOf(t, p);
  assert.match((await refused.line()) ?? "", /^-ERR \[SYS\/TEMP\] Too many connections/);
  assert.equal(await refused.line(), undefined);
  before[0]?.socket.destroy();
  await p.served(3);
  await first.ask("QUIT");
  await p.session(1);
  const again = await loggedIn(t, p);
  assert.equal(await again.ask("QUIT"), "+OK Logging out.");
});

test("a client that leaves before the answer still counts as an attempt", async (t) => {
  const p = await place(t, new MemoryMailbox());
  const client = await clientOf(t, p);
  await client.line();
  await client.ask("USER alice");
  client.send("PASS held\r\n");
  const answer = await p.held();
  const closed = once(client.socket, "close");
  client.socket.resetAndDestroy();
  await closed;
  answer();
  await p.served(1);
  assert.match(p.log.at(-1) ?? "", /^Disconnected \(auth failed, 1 attempts in \d+ secs\): user=<alice>/);
});

test("when the program stops, sessions are told and end without deleting", async (t) => {
  const mailbox = new MemoryMailbox(["a: b\n\nc\n"]);
  const p = await place(t, mailbox);
  const client = await loggedIn(t, p);
  await client.ask("DELE 1");
  p.stopping.abort();
  assert.equal(await client.line(), "-ERR [SYS/TEMP] Server shutting down.");
  assert.equal(await client.line(), undefined);
  assert.equal(mailbox.messages.length, 1);
});

test("unique-ids are of the maildrop as it was, and are not asked again; a header that can not be read refuses them, not the session", async (t) => {
  const mailbox = new MemoryMailbox(["Subject: one\nMessage-ID: <1@x>\n\nx\n", "Subject: two\nMessage-ID: <2@x>\n\ny\n"]);
  const p = await place(t, mailbox, { pop3_uidl_format: "%m" });
  const client = await loggedIn(t, p);
  mailbox.fault = { of: "read", fault: new StoreFault("io", "can not be read") };
  assert.match((await client.ask("UIDL")) ?? "", /^-ERR \[SYS\/TEMP\]/);
  client.send("UIDL\r\n");
  const ids = await client.multiline();
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 3);
  await mailbox.expunge([mailbox.messages[0]?.uid as never]);
  client.send("UIDL\r\n");
  assert.deepEqual(await client.multiline(), ids);
  assert.equal(await client.ask("UIDL 2"), `+OK ${ids[2] ?? ""}`);
});
