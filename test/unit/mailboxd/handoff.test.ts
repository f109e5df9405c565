/** authd, mailboxd and a real agent, as processes, without root. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { passClient } from "../../../src/daemon/pass-client.ts";
import { WirePeer } from "../../../src/daemon/peer.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-handoff-"));
const run = join(directory, "run");
const children: ChildProcess[] = [];
let auth: WirePeer;

async function start(name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, `../../../src/${name}/main.ts`)], { env: { PATH: process.env.PATH, POSTHORN_CONFIG: join(directory, "posthorn.conf") }, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.push(child);
  await once(child, "message");
  return child;
}

let mailboxd: ChildProcess;

before(async () => {
  mkdirSync(run);
  writeFileSync(join(directory, "users"), `alice:{PLAIN}a::::${directory}/alice\nbob:{PLAIN}b::::${directory}/bob\nhomeless:{PLAIN}h:\n`);
  writeFileSync(
    join(directory, "posthorn.conf"),
    `user_database = file\nusers_file = ${directory}/users\nrun_directory = ${run}\nlog = ${directory}/log\nmail_max_userip_connections = 2\nshutdown_timeout = 3s\n`,
  );
  [, mailboxd] = await Promise.all([start("authd"), start("mailboxd")]);
  auth = new WirePeer(join(run, "auth"));
});

after(async () => {
  auth.close();
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill();
    await once(child, "exit");
  }
  rmSync(directory, { recursive: true });
});

/** Resolves when the log holds it: a program writes its log after its answer. The test's own time limit ends the waiting. */
async function logged(pattern: RegExp): Promise<void> {
  while (!pattern.test(readFileSync(join(directory, "log"), "utf8"))) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function ticketOf(user: string, password: string, service = "imap"): Promise<string> {
  const { value } = await auth.request({ op: "auth", service, mechanism: "PLAIN", user, authzid: "", password, remote: "192.0.2.1", secured: true });
  return String((value as { ticket?: string }).ticket);
}

/** Connects, says hello, resolves with the socket and the first line. */
async function hello(name: "session" | "deliver", frame: object): Promise<{ readonly socket: Socket; readonly first: unknown; readonly lines: AsyncIterator<string> }> {
  const socket = connect(join(run, name));
  socket.on("error", () => {});
  socket.write(`${JSON.stringify(frame)}\n`);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const { value } = (await lines.next()) as { value: string | undefined };
  return { socket, first: value === undefined ? undefined : JSON.parse(value), lines };
}

const session = (ticket: string, more: object = {}): Promise<Awaited<ReturnType<typeof hello>>> =>
  hello("session", { op: "session", ticket, service: "imap", session: "0123456789abcdef", remote: "192.0.2.1", local: "192.0.2.2", secured: true, tag: "a1", ...more });

const expired = { ok: false, why: "temporary", text: "login has expired" };

test("a ticket opens one session of its service", { timeout: 20_000 }, async () => {
  const ticket = await ticketOf("alice", "a");
  const { socket, first, lines } = await session(ticket);
  assert.deepEqual(first, { ok: true });
  assert.match(String((await lines.next()).value), /^a1 OK /);
  socket.destroy();
  assert.deepEqual((await session(ticket)).first, expired);
  assert.deepEqual((await session("f".repeat(32))).first, expired);
  assert.deepEqual((await session(await ticketOf("alice", "a", "pop3"))).first, expired);
  await logged(/mailboxd\[\d+\]: warning: 0123456789abcdef: ticket is for pop3/);
});

test("the client's own connection goes to the agent, which speaks on it", { timeout: 20_000 }, async () => {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [near] = await accepted;
  const { socket, first } = await session(await ticketOf("alice", "a"), { secured: false, pass: true });
  assert.deepEqual(first, { ok: true });
  passClient(near, socket, Buffer.from("a2 LOGOUT\r\n"));
  const lines: string[] = [];
  for await (const line of createInterface({ input: client })) lines.push(line);
  assert.match(lines[0] ?? "", /^a1 OK /);
  assert.deepEqual(lines.slice(1), ["* BYE Logging out", "a2 OK Logout completed."]);
  server.close();
  const leaving = await session(await ticketOf("alice", "a"), { secured: false, pass: true });
  leaving.socket.destroy();
  await logged(/imap\(alice\)<0123456789abcdef>: the client left while it was logged in/);
});

test("POP3 sessions and deliveries come to the same agent", { timeout: 20_000 }, async () => {
  const pop = await session(await ticketOf("bob", "b", "pop3"), { service: "pop3" });
  assert.deepEqual(pop.first, { ok: true });
  const deliver = await hello("deliver", { op: "deliver", user: "bob" });
  assert.deepEqual(deliver.first, { ok: true });
  pop.socket.destroy();
  deliver.socket.destroy();
});

test("mail for nobody, and for somebody whose place can not be told", { timeout: 20_000 }, async () => {
  assert.deepEqual((await hello("deliver", { op: "deliver", user: "carol" })).first, { ok: false, why: "nouser", text: "no such user" });
  assert.deepEqual((await hello("deliver", { op: "deliver", user: "../alice" })).first, { ok: false, why: "nouser", text: "no such user" });
  assert.deepEqual((await hello("deliver", { op: "deliver", user: "homeless" })).first, { ok: false, why: "temporary", text: "mailbox is not available" });
  await logged(/deliver: homeless: user "homeless" has no home directory/);
});

test("malformed hellos", { timeout: 20_000 }, async () => {
  assert.equal((await hello("deliver", { op: "session", user: "alice" })).first, undefined);
  assert.equal((await hello("session", { op: "deliver", user: "alice" })).first, undefined);
  assert.equal((await session(await ticketOf("alice", "a"), { service: "smtp" })).first, undefined);
});

test("mail_max_userip_connections counts one user's sessions from one address", { timeout: 20_000 }, async () => {
  const remote = "192.0.2.5";
  const open = [await session(await ticketOf("alice", "a"), { remote }), await session(await ticketOf("alice", "a"), { remote })];
  const third = await session(await ticketOf("alice", "a"), { remote });
  assert.equal((third.first as { why: string }).why, "limit");
  const elsewhere = await session(await ticketOf("alice", "a"), { remote: "192.0.2.9" });
  const somebody = await session(await ticketOf("bob", "b"), { remote });
  for (const { first } of [...open, elsewhere, somebody]) assert.deepEqual(first, { ok: true });
  for (const { socket } of [...open, elsewhere, somebody]) socket.destroy();
});

test("mailboxd can be stopped, or killed, and its agent ends", { timeout: 20_000 }, async () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const { socket, first } = await session(await ticketOf("alice", "a"));
    assert.deepEqual(first, { ok: true });
    const agent = Number(readFileSync(`/proc/${mailboxd.pid}/task/${mailboxd.pid}/children`, "utf8").trim());
    assert(agent > 0);
    const closed = once(socket, "close");
    const ended = once(mailboxd, "exit");
    mailboxd.kill(signal);
    const [status, by] = (await ended) as [number | null, string | null];
    assert.deepEqual([status, by], signal === "SIGTERM" ? [0, null] : [null, "SIGKILL"]);
    await closed;
    while (existsSync(`/proc/${agent}`)) await new Promise((resolve) => setTimeout(resolve, 20));
    mailboxd = await start("mailboxd");
  }
});
