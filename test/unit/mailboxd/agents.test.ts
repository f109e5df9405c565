import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test, type TestContext } from "node:test";
import type { Settings } from "../../../src/config/table.ts";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import { Agents } from "../../../src/mailboxd/agents.ts";
import { readHello } from "../../../src/mailboxd/hello.ts";
import { Spare } from "../../../src/mailboxd/spare.ts";
import { settingsWith } from "../users/settings.ts";
import { startFixture } from "./fixture/start.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-agents-"));
after(() => rmSync(directory, { recursive: true }));

const userOf = (name: string): MailUser => ({ name, uid: 1, gid: 1, home: "/", mail: "maildir:/x", shell: "", agent: name });

/** mailboxd's middle: a socket to connect to, agents behind it. The hello is {"user": name}. */
class Bench {
  readonly log: string[] = [];
  readonly ended: number[] = [];
  readonly asked: string[] = [];
  readonly pids: number[] = [];
  readonly #clients: Socket[] = [];
  readonly agents: Agents;
  readonly #server;
  readonly #path = join(directory, `s${Math.random().toString(36).slice(2)}`);
  dies: string | undefined;
  /** Of one that is kept ready. */
  readonly spares: number[] = [];
  readonly spare: Spare;
  #hear: (() => void)[] = [];

  constructor(t: TestContext, settings: Settings) {
    const say = (line: string): void => {
      this.log.push(line);
      for (const hear of this.#hear.splice(0)) hear();
    };
    const log = { info: say, warning: say, error: say, debug: say };
    this.spare = new Spare({
      settings: () => settings,
      log,
      spawn: () => {
        const child = startFixture(undefined, false);
        this.spares.push(child.pid ?? -1);
        return child;
      },
    });
    this.agents = new Agents({
      settings: () => settings,
      log,
      spare: this.spare,
      spawn: () => {
        const child = startFixture(this.dies);
        this.pids.push(child.pid ?? -1);
        return child;
      },
      privileged: (op, user, pid) => {
        this.asked.push(`${op} ${user.name} ${this.pids.indexOf(pid)}`);
        if (op === "touch-lock-inbox") throw new Error("EACCES");
        return op === "lock-inbox";
      },
      ended: (pid) => this.ended.push(pid),
    });
    this.#server = createServer((socket) => {
      void readHello(socket).then((hello) => {
        if (hello === undefined) return;
        const { user, session } = hello as { user: string; session?: boolean };
        const who = userOf(user);
        const order = session === true ? ({ kind: "session", user: who, hello: { op: "session", service: "imap", session: "s", remote: "r", local: "l", secured: true } } as const) : ({ kind: "deliver", user: who } as const);
        this.agents.hand({ user: who, order, socket });
      });
    }).listen(this.#path);
    t.after(async () => {
      this.#server.close();
      for (const client of this.#clients) client.destroy();
      await this.agents.stop();
    });
  }

  connect(hello: object): Promise<Line> {
    return this.raw(`${JSON.stringify(hello)}\n`);
  }

  async raw(text: string): Promise<Line> {
    const socket = connect(this.#path);
    await once(socket, "connect");
    socket.write(text);
    this.#clients.push(socket);
    return new Line(socket);
  }

  /** Resolves when a log line matches. */
  async logged(pattern: RegExp): Promise<void> {
    while (!this.log.some((l) => pattern.test(l))) await new Promise<void>((resolve) => this.#hear.push(resolve));
  }
}

class Line {
  readonly socket: Socket;
  readonly #lines: AsyncIterator<string>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** The next line, undefined at the end. */
  async read(): Promise<string | undefined> {
    try {
      const next = await this.#lines.next();
      return next.done === true ? undefined : next.value;
    } catch {
      // ECONNRESET: the agent died with octets of ours unread.
      return undefined;
    }
  }

  async ask(line: string): Promise<string | undefined> {
    this.socket.write(`${line}\n`);
    return this.read();
  }

  async pid(): Promise<number> {
    assert.equal(await this.read(), `{"ok":true}`);
    return Number((await this.ask("who"))?.split(" ")[0]);
  }
}

const settings = settingsWith({ agent_idle_timeout: "60s", agent_limit: "2", agent_spare: "0" });
const impatient = settingsWith({ agent_idle_timeout: "0", agent_limit: "2", agent_spare: "0" });

test("one agent per user serves all of that user's sockets", async (t) => {
  const bench = new Bench(t, settings);
  const lines = await Promise.all([1, 2, 3].map(() => bench.connect({ user: "alice" })));
  const pids = await Promise.all(lines.map((l) => l.pid()));
  assert.deepEqual(new Set(pids).size, 1);
  const bob = await bench.connect({ user: "bob", session: true });
  assert.notEqual(await bob.pid(), pids[0]);
  assert.equal(bench.agents.size, 2);
});

test("what is not one hello and nothing behind it closes the connection", async (t) => {
  const bench = new Bench(t, settings);
  for (const text of [`{"user":"alice"}\nx`, `{"user":"alice"}\n{"user":"bob"}\n`, "nonsense\n", `${"x".repeat(20_000)}\n`]) {
    assert.equal(await (await bench.raw(text)).read(), undefined, text.slice(0, 40));
  }
  assert.equal(bench.agents.size, 0);
});

test("agent_limit: the third user waits until an agent is unused", async (t) => {
  const bench = new Bench(t, settings);
  const alice = await bench.connect({ user: "alice", session: true });
  const bob = await bench.connect({ user: "bob", session: true });
  await alice.pid();
  await bob.pid();
  const carol = await bench.connect({ user: "carol", session: true });
  const carolPid = carol.pid();
  assert.equal(await alice.ask("still there"), `${bench.pids[0]} still there`);
  alice.socket.end();
  assert.equal(await carolPid, bench.pids[2]);
  await bench.logged(/agent of alice .* retired/);
  assert.equal(bench.agents.size, 2);
});

test("agent_limit: an agent that only has deliveries makes room after its turn", async (t) => {
  const bench = new Bench(t, settings);
  const alice = await bench.connect({ user: "alice" });
  const bob = await bench.connect({ user: "bob", session: true });
  await alice.pid();
  await bob.pid();
  const carol = await bench.connect({ user: "carol" });
  // The fixture goes when its peer closes; a real agent ends its deliveries by itself.
  const ended = once(alice.socket, "end");
  setTimeout(() => alice.socket.end(), 1500);
  await carol.pid();
  await ended;
  await bench.logged(/agent of alice .* retired/);
  assert.equal(await bob.ask("x"), `${bench.pids[1]} x`);
});

test("an order never meets an agent that is going", async (t) => {
  const bench = new Bench(t, impatient);
  // With agent_idle_timeout 0 each close retires the agent; connections come all the time meanwhile.
  for (let round = 0; round < 5; round++) {
    const lines = await Promise.all([1, 2, 3, 4].map(() => bench.connect({ user: "alice" })));
    for (const line of lines) {
      await line.pid();
      line.socket.end();
    }
  }
  assert.deepEqual(bench.log.filter((l) => /killed|status [1-9]/.test(l)), []);
});

test("when an agent is killed its sockets close, and those it never took go to the next one", async (t) => {
  const bench = new Bench(t, settings);
  const first = await bench.connect({ user: "alice" });
  const pid = await first.pid();
  first.socket.write("hold\n");
  const later = await Promise.all([1, 2, 3, 4, 5].map(() => bench.connect({ user: "alice" })));
  process.kill(pid, "SIGKILL");
  assert.equal(await first.read(), undefined);
  await bench.logged(/killed by SIGKILL/);
  assert.deepEqual(bench.ended, [pid]);
  const answers = await Promise.all(later.map((line) => line.read()));
  const lost = answers.filter((a) => a === undefined).length;
  // One may have been on its way in the channel.
  assert(lost <= 1, `${lost} lost`);
  for (const [i, answer] of answers.entries()) {
    if (answer === undefined) continue;
    assert.equal(answer, `{"ok":true}`);
    assert.equal(await later[i]?.ask("who"), `${bench.pids[1]} who`);
  }
});

test("an agent that dies at its start is tried again a few times, then not for a while", async (t) => {
  const bench = new Bench(t, settings);
  bench.dies = "at start";
  const line = await bench.connect({ user: "alice" });
  assert.match((await line.read()) ?? "", /"ok":false,"why":"temporary"/);
  assert.equal(bench.pids.length, 4);
  await bench.logged(/exited with status 3; not started again for 1 s/);
  assert.match((await (await bench.connect({ user: "alice" })).read()) ?? "", /temporary/);
  assert.equal(bench.pids.length, 4);
});

test("one kept ready that ends when it is wanted: who waits has another, and it is followed by none for a while", { skip: process.getuid?.() === 0 ? false : "needs root" }, async (t) => {
  const bench = new Bench(t, settingsWith({ agent_spare: "1" }));
  bench.spare.soon();
  await bench.logged(/can be used, pid/);
  const lines = await Promise.all([1, 2, 3].map(() => bench.connect({ user: "alice" })));
  for (const line of lines) assert.equal(await line.pid(), bench.pids[0]);
  assert.deepEqual([bench.pids.length, bench.spares.length, bench.ended], [1, 1, bench.spares]);
  await bench.logged(/agent of alice \(pid \d+\) exited with status 70$/);
  await bench.logged(/no agent is kept ready for 60 s/);
});

test("privileged requests are for users of that agent only", async (t) => {
  const bench = new Bench(t, settings);
  const alice = await bench.connect({ user: "alice" });
  await alice.pid();
  assert.equal(await alice.ask("lock"), "true");
  assert.equal(await alice.ask("unlock"), "false");
  assert.equal(await alice.ask("touch"), "EACCES");
  assert.deepEqual(bench.asked, ["lock-inbox alice 0", "unlock-inbox alice 0", "touch-lock-inbox alice 0"]);
});

test("an agent that says what it must not is cut off, and nothing else happens", async (t) => {
  const bench = new Bench(t, settings);
  const bob = await bench.connect({ user: "bob" });
  await bob.pid();
  const bad = ["null", `{"cmd":"NODE_HANDLE_NACK"}`, `{"cmd":"NODE_HANDLE","type":"net.Socket"}`, `{"kind":"load","sessions":-1,"deliveries":0,"taken":0}`, `{"kind":"privileged","id":1,"op":"rm","user":"alice"}`, `{"kind":"ready","octets":5}`, "no JSON", `"${"x".repeat(2 << 20)}"`];
  for (const [i, said] of bad.entries()) {
    const mallory = await bench.connect({ user: `mallory${i}` });
    await mallory.pid();
    assert.equal(await mallory.ask(`say ${said}`), undefined, said.slice(0, 40));
    await bench.logged(new RegExp(`agent of mallory${i} .* is cut off`));
    await bench.logged(new RegExp(`agent of mallory${i} .* killed by SIGKILL`));
  }
  assert.equal(await bob.ask("x"), `${bench.pids[0]} x`);
});

test("stop retires all agents, and refuses who comes later", async (t) => {
  const bench = new Bench(t, settings);
  const alice = await bench.connect({ user: "alice" });
  await alice.pid();
  const stopped = bench.agents.stop();
  assert.match((await (await bench.connect({ user: "bob" })).read()) ?? "", /shutting down/);
  alice.socket.end();
  await stopped;
  assert.equal(bench.agents.size, 0);
});
