import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WirePeer } from "../../../src/daemon/peer.ts";
import type { AuthReply, AuthRequest } from "../../../src/daemon/protocol.ts";
import { ticketLife, Tickets } from "../../../src/authd/tickets.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-authd-"));
const run = join(directory, "run");
let authd: ChildProcess;
let auth: WirePeer;
let master: WirePeer;

before(async () => {
  mkdirSync(run);
  writeFileSync(join(directory, "users"), "alice:{PLAIN}Sesam42::::/a\nbob@example.org:{PLAIN}b::::/b\ncarol:{PLAIN}c::::/c::nologin\n");
  writeFileSync(join(directory, "posthorn.conf"), `user_database = file\nusers_file = ${directory}/users\nrun_directory = ${run}\nlog = ${directory}/log\nauth_failure_delay = 20ms\n`);
  authd = spawn(process.execPath, [join(import.meta.dirname, "../../../src/authd/main.ts")], { env: { ...process.env, POSTHORN_CONFIG: join(directory, "posthorn.conf") }, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  await once(authd, "message");
  auth = new WirePeer(join(run, "auth"));
  master = new WirePeer(join(run, "auth-master"));
});

after(async () => {
  auth.close();
  master.close();
  authd.kill();
  await once(authd, "exit");
  rmSync(directory, { recursive: true });
});

async function login(user: string, password: string, more: Partial<AuthRequest> = {}): Promise<AuthReply> {
  const request: Omit<AuthRequest, "id"> = { op: "auth", service: "imap", mechanism: "PLAIN", user, authzid: "", password, remote: "127.0.0.1", secured: true, ...more };
  const { value } = await auth.request(request);
  const { id: _, ...reply } = value as AuthReply;
  return reply as AuthReply;
}

async function redeem(ticket: string): Promise<object> {
  const { value } = await master.request({ op: "redeem", ticket });
  return { ...value, id: 0 };
}

test("a password is worth a ticket, and a ticket one session", async () => {
  const reply = await login("alice", "Sesam42");
  assert(reply.ok);
  assert.equal(reply.user, "alice");
  assert.match(reply.ticket, /^[0-9a-f]{32}$/);
  assert.deepEqual(await redeem(reply.ticket), { id: 0, ok: true, user: "alice", service: "imap" });
  assert.deepEqual(await redeem(reply.ticket), { id: 0, ok: false });
  assert.deepEqual(await redeem("0".repeat(32)), { id: 0, ok: false });
});

test("names are canonical, SMTP needs no ticket", async () => {
  const reply = await login("Bob@Example.ORG", "b", { service: "pop3" });
  assert(reply.ok);
  assert.equal(reply.user, "bob@example.org");
  assert.deepEqual(await redeem(reply.ticket), { id: 0, ok: true, user: "bob@example.org", service: "pop3" });
  assert.deepEqual(await login("alice", "Sesam42", { service: "smtp" }), { ok: true, user: "alice", ticket: "" });
});

test("refusals, their log lines, and no password in the log", { timeout: 20_000 }, async () => {
  const no = { ok: false, why: "credentials" };
  assert.deepEqual(await login("alice", "Sesam43"), no);
  assert.deepEqual(await login("mallory", "Sesam42"), no);
  assert.deepEqual(await login("../alice", "Sesam42"), no);
  assert.deepEqual(await login("al\nice", "Sesam42"), no);
  assert.deepEqual(await login("alice", "Sesam42", { authzid: "bob@example.org" }), no);
  assert.deepEqual(await login("carol", "c"), { ok: false, why: "disabled" });
  const same = await login("alice", "Sesam42", { authzid: "Alice" });
  assert(same.ok);
  // A program writes its log after its answer.
  const read = (): string => readFileSync(join(directory, "log"), "utf8");
  while (!read().includes("may not act as")) await new Promise((resolve) => setTimeout(resolve, 10));
  const log = read();
  assert.match(log, /posthorn\/auth\[\d+\]: passwd-file\(alice,127\.0\.0\.1\): Password mismatch\n/);
  assert.match(log, /passwd-file\(mallory,127\.0\.0\.1\): unknown user\n/);
  assert.match(log, /passwd-file\(al\\x0aice,127\.0\.0\.1\): unknown user\n/);
  assert.match(log, /passwd-file\(alice,127\.0\.0\.1\): may not act as bob@example\.org\n/);
  assert.doesNotMatch(log, /Sesam/);
});

test("many at once, out of order", async () => {
  const replies = await Promise.all(Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? login("alice", "wrong") : login("alice", "Sesam42"))));
  // More than are verified at once may ask: the rest hears "temporary".
  for (const [i, reply] of replies.entries()) assert(reply.ok ? i % 3 !== 0 : reply.why === "temporary" || i % 3 === 0);
  assert(replies.filter((r) => r.ok).length > 100);
});

test("malformed frames close the connection, and only it", async () => {
  for (const name of ["auth", "auth-master"]) {
    for (const text of ["nonsense\n", "{}\n", "null\n", `{"id":1,"op":"auth"}\n`, `{"id":1,"op":"auth","octets":5}\n`, `{"id":-1,"op":"redeem","ticket":"x"}\n`, `{"id":1,"op":"redeem","ticket":5}\n`, "\xff\n"]) {
      const socket = connect(join(run, name));
      socket.on("error", () => {});
      socket.write(text);
      await once(socket, "close");
    }
  }
  assert((await login("alice", "Sesam42")).ok);
});

test("tickets expire and are bounded", () => {
  let now = 0;
  const tickets = new Tickets(() => now);
  const first = tickets.issue("alice", "imap") ?? "";
  now = ticketLife - 1;
  const second = tickets.issue("alice", "imap") ?? "";
  assert.notEqual(first, second);
  now = ticketLife;
  assert.equal(tickets.redeem(first), undefined);
  assert.deepEqual(tickets.redeem(second), { user: "alice", service: "imap" });
  for (let i = 0; i < 20_000; i++) assert.notEqual(tickets.issue("bob", "imap"), undefined);
  assert.equal(tickets.issue("bob", "imap"), undefined);
  now += ticketLife;
  assert.notEqual(tickets.issue("bob", "imap"), undefined);
});
