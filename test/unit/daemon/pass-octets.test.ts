import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { OctetSource } from "../../../src/daemon/octet-source.ts";
import { passOctets } from "../../../src/daemon/pass-octets.ts";
import { connectUnix } from "../../../src/daemon/peer.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-pass-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

function listening(at: string | number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true });
  servers.push(server);
  return new Promise((resolve) => server.listen(typeof at === "number" ? { port: at, host: "127.0.0.1" } : { path: at }, () => resolve(server)));
}

const accepted = async (server: Server): Promise<Socket> => ((await once(server, "connection")) as [Socket])[0];

interface Relay {
  /** The far ends. */
  readonly client: Socket;
  readonly agent: Socket;
  /** Settles when passOctets does. */
  readonly over: Promise<void>;
}

let count = 0;

/** A client at one end and an agent at the other of a relay. */
async function relay(first = Buffer.alloc(0), alreadySaid = Buffer.alloc(0)): Promise<Relay> {
  const [front, back] = [await listening(0), await listening(`${directory}/${String(count++)}`)];
  const address = front.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const atFront = accepted(front);
  const client = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
  const near = await atFront;
  const atBack = accepted(back);
  const source = new OctetSource(() => assert.fail("nothing is to be heard yet"));
  const socket = await connectUnix(String(back.address()), undefined, source.onread);
  const agent = await atBack;
  for (const end of [client, near, socket, agent]) end.on("error", () => {});
  return { client, agent, over: passOctets(near, { socket, source, first: alreadySaid }, first) };
}

/** Everything up to the end of the other's side; ours stays open. */
async function all(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

/** Large buffers: what differs is not printed. */
function same(got: Buffer, wanted: Buffer): void {
  assert.equal(got.length, wanted.length);
  assert.ok(got.equals(wanted), "other octets");
}

test("what the two sides say arrives whole and in order, however it is cut", async () => {
  const { client, agent, over } = await relay(Buffer.from("first"), Buffer.from("greeting"));
  const [up, down] = [randomBytes(3_000_000), randomBytes(9_000_000)];
  const [heardByAgent, heardByClient] = [all(agent), all(client)];
  client.end(up);
  for (let at = 0, size = 1; at < down.length; at += size, size = (size * 7 + 1) % 300_007) agent.write(down.subarray(at, at + size));
  agent.end();
  same(await heardByAgent, Buffer.concat([Buffer.from("first"), up]));
  same(await heardByClient, Buffer.concat([Buffer.from("greeting"), down]));
  await over;
});

test("many relays at once do not mix their octets", async () => {
  const relays = await Promise.all(Array.from({ length: 12 }, () => relay()));
  const texts = relays.map((_, i) => Buffer.alloc(2_000_000, `relay ${String(i)} `));
  const heard = relays.map(({ client }) => all(client));
  for (const [i, { agent, client }] of relays.entries()) {
    agent.end(texts[i]);
    client.end();
    agent.resume();
  }
  for (const [i, text] of (await Promise.all(heard)).entries()) same(text, texts[i] ?? Buffer.alloc(0));
  await Promise.all(relays.map(({ over }) => over));
});

/** False when the octets have not left this process while others had many turns. */
async function written(socket: Socket, octets: Buffer): Promise<boolean> {
  let done = false;
  socket.write(octets, () => {
    done = true;
  });
  for (let turns = 0; turns < 2000 && !done; turns++) await new Promise((resolve) => setImmediate(resolve));
  return done;
}

test("a client that does not read stops its agent, and goes on when it reads", async () => {
  const { client, agent, over } = await relay();
  client.pause();
  const piece = randomBytes(1 << 20);
  let taken = 0;
  const pieces = 64;
  // What is under way is in buffers of the kernel and of the relay; then the agent's socket takes no more.
  for (; taken < pieces && (await written(agent, piece)); taken++);
  assert.ok(taken < 16, `${String(taken)} MiB went into buffers`);
  taken++;
  const heard = all(client.resume());
  for (; taken < pieces; taken++) agent.write(piece);
  agent.end();
  client.end();
  agent.resume();
  const got = await heard;
  same(got, Buffer.concat(Array.from({ length: pieces }, () => piece)));
  await over;
});

test("a client that has ended its side still gets the answers", async () => {
  const { client, agent, over } = await relay();
  const heard = all(client);
  client.end("last command");
  assert.equal((await all(agent)).toString(), "last command");
  agent.end("answer");
  assert.equal((await heard).toString(), "answer");
  await over;
});

for (const broken of ["client", "agent"] as const) {
  test(`a broken ${broken} takes the other side with it`, async () => {
    const ends = await relay();
    const other = broken === "client" ? ends.agent : ends.client;
    other.resume().on("end", () => other.end());
    const closed = once(other, "close");
    if (broken === "client") ends.client.resetAndDestroy();
    else ends.agent.destroy();
    await closed;
    await ends.over;
  });
}
