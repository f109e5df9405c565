import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { DeliverJob, MailUser } from "../../../src/daemon/protocol.ts";
import { sendFrame, WireFramer } from "../../../src/daemon/wire.ts";
import { Agents, type AgentJob } from "../../../src/deliver/agents.ts";
import type { MessageSource } from "../../../src/deliver/source.ts";

const user = (name: string, agent = "virtual"): MailUser => ({ name, uid: 1, gid: 1, home: "/", mail: "", shell: "", agent });
const job = (...names: string[]): AgentJob => ({ queueId: "q", sender: "", arrived: 1, recipients: names.map((n) => ({ user: n, recipient: `${n}@x`, original: `${n}@x`, extension: "", to: { kind: "user" } })) });

function source(body: Buffer, memory: boolean): MessageSource {
  return {
    octets: body.length,
    memory: memory ? [body] : undefined,
    async *pieces() {
      for (let at = 0; at < body.length; at += 65536) yield body.subarray(at, at + 65536);
    },
  };
}

type Behaviour = (job: DeliverJob, body: Buffer, socket: Socket) => void;

const never: Behaviour = () => assert.fail("a job came");

const ok = (job: DeliverJob, index: number): object => ({ id: job.id, op: "delivered", index, outcome: { kind: "sent", status: "2.0.0", text: "delivered" } });

/** mailboxd and agent in one, on a socket of its own. */
async function peer(t: TestContext, hello: (user: string) => object, behave: Behaviour): Promise<{ agents: Agents; server: Server; hellos: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-agents-"));
  const path = join(directory, "deliver");
  const hellos: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const framer = new WireFramer(1 << 28);
    let greeted = false;
    socket.on("data", (chunk) => {
      for (const { value, body } of framer.push(chunk)) {
        if (greeted) behave(value as DeliverJob, body, socket);
        else {
          greeted = true;
          hellos.push((value as { user: string }).user);
          sendFrame(socket, hello((value as { user: string }).user));
        }
      }
    });
  }).listen(path);
  await once(server, "listening");
  const agents = new Agents({ path, idle: 20, jobLimit: 5000, patience: 100 });
  t.after(() => {
    agents.close();
    for (const s of sockets) s.destroy();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { agents, server, hellos };
}

test("many jobs on one connection, replies in any order; short and long messages stay whole", async (t) => {
  const bodies: number[] = [];
  const jobs: DeliverJob[] = [];
  const { agents, hellos } = await peer(t, () => ({ ok: true }), (j, body, socket) => {
    assert.ok(body.every((c) => c === body.length % 251));
    bodies.push(body.length);
    jobs.push(j);
    if (jobs.length === 20) for (const late of jobs.reverse()) late.recipients.forEach((_, i) => sendFrame(socket, ok(late, late.recipients.length - 1 - i)));
  });
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) => {
      const octets = i % 4 === 0 ? 300_000 + i : 100 + i;
      return agents.deliver(user("alice"), job("alice", "bob"), source(Buffer.alloc(octets, octets % 251), i % 4 !== 0));
    }),
  );
  for (const r of results) assert.deepEqual(r.replies.map((x) => x?.outcome.kind), ["sent", "sent"]);
  assert.equal(bodies.length, 20);
  assert.deepEqual(hellos, ["alice"]);
});

test("agents of different users have a connection each; an idle one is closed and made again", async (t) => {
  const { agents, server, hellos } = await peer(t, () => ({ ok: true }), (j, _, socket) => sendFrame(socket, ok(j, 0)));
  const message = source(Buffer.from("x"), true);
  await Promise.all([agents.deliver(user("alice", "uid:1"), job("alice"), message), agents.deliver(user("bob", "uid:2"), job("bob"), message)]);
  assert.deepEqual([...hellos].sort(), ["alice", "bob"]);
  while ((await new Promise<number>((resolve) => server.getConnections((_, n) => resolve(n)))) > 0) await new Promise((resolve) => setImmediate(resolve));
  const again = await agents.deliver(user("alice", "uid:1"), job("alice"), message);
  assert.equal(again.replies[0]?.outcome.kind, "sent");
  assert.equal(hellos.length, 3);
});

test("an agent that dies leaves its jobs without reply, but not the replies it gave", async (t) => {
  const { agents } = await peer(t, () => ({ ok: true }), (j, _, socket) => {
    sendFrame(socket, ok(j, 1));
    socket.end();
  });
  const result = await agents.deliver(user("alice"), job("alice", "bob"), source(Buffer.from("x"), true));
  assert.deepEqual(result.replies.map((r) => r?.outcome.kind), [undefined, "sent"]);
  assert.equal(result.fault?.kind, "lost");
});

test("no such user, try later, nobody there", async (t) => {
  const { agents, server } = await peer(t, (name) => ({ ok: false, why: name === "ghost" ? "nouser" : "temporary", text: "no" }), never);
  const message = source(Buffer.from("x"), true);
  assert.deepEqual((await agents.deliver(user("ghost"), job("ghost"), message)).fault, { kind: "nouser", text: "no" });
  assert.deepEqual((await agents.deliver(user("alice"), job("alice"), message)).fault, { kind: "temporary", text: "no" });
  // Both wait for one hand-off in the ghost's name: alice is not unknown because the ghost is.
  const [ghost, alice] = await Promise.all([agents.deliver(user("ghost"), job("ghost"), message), agents.deliver(user("alice"), job("alice"), message)]);
  assert.equal(ghost.fault?.kind, "nouser");
  assert.equal(alice.fault?.kind, "temporary");
  server.close();
  assert.equal((await agents.deliver(user("alice"), job("alice"), message)).fault?.kind, "lost");
});

test("what else became of the targets of a .forward; done goes with the job", async (t) => {
  const done = [String.raw`\alice`];
  const also = [{ kind: "bounced", status: "5.1.1", text: "no" }];
  const { agents } = await peer(t, () => ({ ok: true }), (j, _, socket) => sendFrame(socket, { ...ok(j, 0), also, done: j.recipients[0]?.done, forwards: ["bob", 1] }));
  const plain = job("alice");
  const result = await agents.deliver(user("alice"), { ...plain, recipients: plain.recipients.map((r) => ({ ...r, done })) }, source(Buffer.from("x"), true));
  assert.deepEqual([result.replies[0]?.also, result.replies[0]?.done, result.replies[0]?.forwards], [also, done, ["bob"]]);
});

test("replies that make no sense end the connection", async (t) => {
  const bad: readonly ((j: DeliverJob) => object)[] = [
    (j) => ({ ...ok(j, 0), index: 7 }),
    (j) => ({ ...ok(j, 0), index: -1 }),
    (j) => ({ ...ok(j, 0), id: 99 }),
    (j) => ({ ...ok(j, 0), outcome: { kind: "sent", status: "5.0.0", text: "" } }),
    (j) => ({ ...ok(j, 0), outcome: { kind: "gone", status: "2.0.0", text: "" } }),
    (j) => ({ ...ok(j, 0), outcome: undefined }),
    (j) => ({ ...ok(j, 0), also: ["bounced"] }),
    (j) => ({ ...ok(j, 0), also: [{ kind: "bounced", status: "2.0.0", text: "" }] }),
    () => ["x"],
  ];
  let n = 0;
  const { agents } = await peer(t, () => ({ ok: true }), (j, _, socket) => sendFrame(socket, bad[n]?.(j) ?? {}));
  for (; n < bad.length; n++) {
    const result = await agents.deliver(user("alice"), job("alice"), source(Buffer.from("x"), true));
    assert.equal(result.fault?.kind, "lost", String(n));
    assert.deepEqual(result.replies, [undefined]);
  }
});

test("a queue file that is shorter than it says never becomes a message", async (t) => {
  const { agents } = await peer(t, () => ({ ok: true }), never);
  const short: MessageSource = { ...source(Buffer.from("short"), false), octets: 100 };
  assert.equal((await agents.deliver(user("alice"), job("alice"), short)).fault?.kind, "lost");
});
