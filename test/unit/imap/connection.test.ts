/** imapd and a session over real sockets: what a dialogue in text can not show. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import { connect as tlsConnect, createSecureContext, type SecureContext } from "node:tls";
import { Connection } from "../../../src/agent/imap/connection.ts";
import { selfSigned } from "../../../src/cli/certificate.ts";
import { receiveStraight } from "../../../src/sys/straight.ts";
import { MemoryStore } from "./memory-store.ts";
import { startPlace, type Place } from "./place.ts";
import { Client } from "./session.ts";

let made: Promise<SecureContext> | undefined;
const context = (): Promise<SecureContext> => (made ??= selfSigned(["localhost"], new Date()).then((pem) => createSecureContext(pem)));

async function place(t: TestContext, values: Readonly<Record<string, string>> = {}, store = new MemoryStore()): Promise<Place> {
  const p = await startPlace(store, values, await context());
  t.after(() => p.close());
  return p;
}

async function secured(client: Client): Promise<Client> {
  client.socket.removeAllListeners("data");
  const socket = tlsConnect({ socket: client.socket, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  return new Client(socket);
}

test("STARTTLS: capabilities change, login says TLS in the log", async (t) => {
  const p = await place(t, { login_trusted_networks: "192.0.2.1" });
  const clear = await p.connect();
  assert.match((await clear.response()) ?? "", /^\* OK \[CAPABILITY IMAP4rev1 SASL-IR LITERAL\+ ID ENABLE IDLE STARTTLS LOGINDISABLED\]/);
  assert.match((await clear.ask("STARTTLS")).at(-1) ?? "", /^OK/);
  const client = await secured(clear);
  assert.deepEqual((await client.ask("CAPABILITY"))[0], "* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN");
  assert.match((await client.ask("STARTTLS")).at(-1) ?? "", /^BAD/);
  assert.match((await client.ask("LOGIN alice alice")).at(-1) ?? "", /^OK \[CAPABILITY /);
  assert.match((await client.ask("LOGOUT")).at(-1) ?? "", /^OK/);
  assert.equal(await client.response(), undefined);
  assert.ok(p.log.some((l) => /^Login: user=<alice>, method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, TLS, session=<.{16}>$/.test(l)), p.log.join("\n"));
  assert.equal(p.asked[0]?.["secured"], true);
});

test("STARTTLS throws away what came in clear behind it (RFC 3501 §6.2.1)", async (t) => {
  const p = await place(t);
  const clear = await p.connect();
  await clear.response();
  clear.send("a STARTTLS\r\nb LOGIN alice alice\r\nc LOGIN {5}\r\n");
  assert.match((await clear.response()) ?? "", /^a OK/);
  const client = await secured(clear);
  assert.match((await client.ask("NOOP")).at(-1) ?? "", /^OK/);
  assert.deepEqual(p.asked, []);
});

test("TLS from the first octet, and clear text there", async (t) => {
  const p = await place(t);
  const socket = tlsConnect({ port: p.tlsPort, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const client = new Client(socket);
  assert.match((await client.response()) ?? "", /^\* OK/);
  assert.match((await client.ask("AUTHENTICATE PLAIN AGFsaWNlAGFsaWNl")).at(-1) ?? "", /^OK/);
  socket.destroy();
  const clear = connect(p.tlsPort, "127.0.0.1");
  await once(clear, "connect");
  const wrong = new Client(clear);
  wrong.send("a NOOP\r\n");
  await p.served();
  assert.match(p.log.at(-1) ?? "", /^Disconnected: TLS handshaking: /);
});

test("a client that ends its side behind LOGOUT still gets every answer", async (t) => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([{ octets: Buffer.from(`Subject: x\n\n${"y\n".repeat(500_000)}`), flags: new Set(), internalDate: 0 }]);
  const p = await place(t, {}, store);
  const client = await p.connect();
  client.socket.end("a LOGIN alice alice\r\nb SELECT INBOX\r\nc FETCH 1 BODY[]\r\nd LOGOUT\r\n");
  const all: string[] = [];
  for (let r = await client.response(); r !== undefined; r = await client.response()) all.push(r);
  assert.ok(all.find((r) => r.startsWith("* 1 FETCH (BODY[] {1500014}"))?.endsWith("y\r\n FLAGS (\\Seen \\Recent))"));
  assert.match(all.at(-1) ?? "", /^d OK/);
});

test("a client that says nothing is sent away", async (t) => {
  const p = await place(t, { login_timeout: "50ms" });
  const client = await p.connect();
  await client.response();
  assert.equal(await client.response(), "* BYE Disconnected for inactivity.");
  assert.equal(await client.response(), undefined);
});

test("more connections than allowed are told so", async (t) => {
  const p = await place(t, { login_connection_limit: "1" });
  const first = await p.connect();
  await first.response();
  const second = await p.connect();
  assert.match((await second.response()) ?? "", /^\* BYE \[UNAVAILABLE\]/);
  assert.equal(await second.response(), undefined);
  assert.match((await first.ask("NOOP")).at(-1) ?? "", /^OK/);
});

test("names and passwords keep their octets, quoted or not", async (t) => {
  const p = await place(t);
  const client = await p.connect();
  await client.response();
  await client.ask('LOGIN "al ice\\"" {9+}\r\np\xc3\xa4ss "\\x');
  assert.equal(p.asked[0]?.["user"], 'al ice"');
  assert.equal(p.asked[0]?.["password"], 'p\u00e4ss "\\x');
});

test("what a client sends while nobody waits for it is read up to a bound, and all of it later", async () => {
  let sent = 0;
  const chunk = Buffer.alloc(16_384, "x");
  const client = new Duplex({ read: () => void (sent < 100 ? (sent++, client.push(chunk)) : client.push(null)), write: (_octets, _encoding, written) => written() });
  const connection = new Connection(client, new AbortController().signal);
  assert.equal(await connection.wait(60_000), "data");
  for (let n = 0; n < 200; n++) await new Promise((resolve) => setImmediate(resolve));
  const before = connection.octetsIn;
  assert.ok(before < 200_000, `${before} octets were read`);
  let received = connection.received().length;
  while ((await connection.wait(60_000)) === "data") received += connection.received().length;
  assert.equal(received, 100 * chunk.length);
  await connection.close();
});

test("each wait ends when its time is over, whatever ended the one before", async () => {
  const client = new Duplex({ read: () => {}, write: (_octets, _encoding, written) => written() });
  const connection = new Connection(client, new AbortController().signal);
  assert.equal(await connection.wait(20), "timeout");
  assert.equal(await connection.wait(20), "timeout");
  setImmediate(() => client.push("a"));
  assert.equal(await connection.wait(60_000), "data");
  connection.received();
  assert.equal(await connection.wait(21), "timeout");
  connection.cut();
  await connection.close();
});

test("what comes while a session waits awake, and what comes when it sleeps, is read once and in order", { timeout: 60_000 }, async (t) => {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  t.after(() => client.destroy());
  const connection = new Connection(socket, new AbortController().signal);
  let got = "";
  let want = "";
  for (let n = 0; n < 50; n++) {
    const text = `${n} `;
    want += text;
    // By now it may be asleep, or awake; the answer says how far it has read.
    setImmediate(() => client.write(text));
    await connection.waitAwake(n % 3 === 0 ? 0 : 60_000);
    while (got.length < want.length) {
      assert.equal(await connection.wait(60_000), "data");
      got += connection.received().toString();
    }
    connection.write(text);
    connection.answer();
    assert.equal(String((await once(client, "data"))[0]), text);
  }
  assert.equal(got, want);
  // The end is met too.
  setImmediate(() => client.end());
  await connection.waitAwake(60_000);
  assert.equal(await connection.wait(60_000), "end");
  await connection.close();
});

test("over a socket that has closed already there is nothing to wait for", { timeout: 60_000 }, async () => {
  const client = new Duplex({ read: () => {}, write: (_octets, _encoding, written) => written() });
  client.destroy();
  await once(client, "close");
  const connection = new Connection(client, new AbortController().signal);
  assert.equal(connection.gone, true);
  connection.write("a");
  assert.equal(await connection.wait(60_000), "end");
  await connection.waitAwake(60_000);
  await connection.close();
});

test("a command that is here is read, and an answer is sent, without a turn of the event loop", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "connection-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const server = createServer({ pauseOnConnect: true }).listen(join(directory, "socket"));
  await once(server, "listening");
  const client = connect(join(directory, "socket"));
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  t.after(() => client.destroy());
  const connection = new Connection(socket, new AbortController().signal);
  if (client.connecting) await once(client, "connect");
  const turn = t.mock.method(globalThis, "setImmediate");
  client.on("data", () => assert.fail("it was read already")).resume();
  client.write("question");
  await connection.waitAwake(60_000);
  assert.equal(turn.mock.callCount(), 0);
  assert.equal(String(connection.received()), "question");
  connection.write("answer");
  connection.answer();
  assert.equal(String(receiveStraight(client)), "answer");
  connection.cut();
});
