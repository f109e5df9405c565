import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { passClient, receiveClient } from "../../../src/daemon/pass-client.ts";
import { sendDescriptor } from "../../../src/sys/pass-descriptor.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-pass-client-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Both ends of a new connection, over TCP or a Unix socket. */
async function connection(kind: "tcp" | "unix"): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  servers.push(server);
  if (kind === "tcp") server.listen(0, "127.0.0.1");
  else server.listen(join(directory, String(servers.length)));
  await once(server, "listening");
  const address = server.address();
  if (address === null) throw new Error("not listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const far = typeof address === "string" ? connect({ path: address, allowHalfOpen: true }) : connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
  const [near] = await accepted;
  for (const end of [near, far]) end.on("error", () => {});
  return { near, far };
}

async function all(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Descriptors of /dev/null. */
const open = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === "/dev/null";
    } catch {
      return false;
    }
  }).length;

test("the agent has the connection, and first what the client said before", async () => {
  for (const said of ["", "a SELECT INBOX\r\n", "x".repeat(900_000)]) {
    const [client, wire] = [await connection("tcp"), await connection("unix")];
    const receiving = receiveClient(wire.far);
    passClient(client.near, wire.near, Buffer.from(said));
    const agent = await receiving;
    assert(agent !== undefined);
    assert.equal(client.near.destroyed, true);
    client.far.end("and later");
    agent.end("answer");
    assert.equal(await all(agent), `${said}and later`);
    assert.equal(await all(client.far), "answer");
    for (const end of [agent, client.far, wire.far, wire.near]) end.destroy();
  }
});

test("a client that has ended its side is still answered", async () => {
  const [client, wire] = [await connection("tcp"), await connection("unix")];
  client.far.end("b LOGOUT\r\n");
  client.near.resume();
  const chunks: Buffer[] = [];
  client.near.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(client.near, "end");
  const receiving = receiveClient(wire.far);
  passClient(client.near, wire.near, Buffer.concat(chunks));
  const agent = await receiving;
  assert(agent !== undefined);
  assert.equal(await all(agent), "b LOGOUT\r\n");
  agent.end("b OK\r\n");
  assert.equal(await all(client.far), "b OK\r\n");
  for (const end of [agent, client.far, wire.far, wire.near]) end.destroy();
});

test("nothing comes: the other end leaves, sends octets alone, or passes what is no connection", async () => {
  const file = openSync("/dev/null", "r");
  const noSocket = { _handle: { fd: file } } as unknown as Socket;
  const before = open();
  const peers: ((wire: Socket) => unknown)[] = [(wire) => wire.destroy(), (wire) => wire.write("octets"), (wire) => sendDescriptor(wire, Buffer.of(0), noSocket)];
  for (const peer of peers) {
    const wire = await connection("unix");
    const receiving = receiveClient(wire.far);
    peer(wire.near);
    assert.equal(await receiving, undefined);
    wire.near.destroy();
  }
  assert.equal(open(), before, "a descriptor is left open");
  closeSync(file);
});

test("of two descriptors that come at once none is taken or left open", async () => {
  const path = join(directory, "two");
  const server = createServer({ pauseOnConnect: true }).listen(path);
  servers.push(server);
  const before = open();
  const two = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\nf = open('/dev/null')\nsocket.send_fds(s, [b'0'], [f.fileno()] * 2)\ns.recv(1)";
  const child = spawn("python3", ["-c", two, path], { stdio: ["ignore", "inherit", "inherit"] });
  const [channel] = (await once(server, "connection")) as [Socket];
  assert.equal(await receiveClient(channel), undefined);
  await once(child, "exit");
  assert.equal(open(), before);
});

test("a client that is gone can not be passed on", async () => {
  const [client, wire] = [await connection("tcp"), await connection("unix")];
  client.near.destroy();
  assert.throws(() => passClient(client.near, wire.near, Buffer.alloc(0)), /socket is closed/);
  for (const end of [client.far, wire.far, wire.near]) end.destroy();
});
