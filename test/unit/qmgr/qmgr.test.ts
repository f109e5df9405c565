import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import { bounced, deferred, sent } from "../../../src/deliver/outcome.ts";
import { queueBounce } from "../../../src/mtad/bounce/bounce.ts";
import { IntakeFault, type Envelope, type Intake } from "../../../src/mtad/intake.ts";
import { Destinations } from "../../../src/mtad/qmgr/destinations.ts";
import { insertForward, type InsertParts } from "../../../src/mtad/qmgr/insert.ts";
import { localTransport } from "../../../src/mtad/qmgr/local.ts";
import { QueueManager } from "../../../src/mtad/qmgr/qmgr.ts";
import { queueIntake } from "../../../src/mtad/qmgr/queue-intake.ts";
import type { Deliver, Result } from "../../../src/mtad/qmgr/transport.ts";
import { Router } from "../../../src/route/router.ts";
import { systemCalls } from "../../../src/spool/calls.ts";
import { checksum, endRecord, envelopeLine, header } from "../../../src/spool/format.ts";
import { Spool } from "../../../src/spool/spool.ts";

const hour = 3_600_000;
const user = (name: string): MailUser => ({ name, uid: 1, gid: 1, home: "", mail: "", shell: "", agent: "virtual" });

interface Delivery {
  readonly id: string;
  readonly to: string;
  readonly sender: string;
  readonly body: string;
}

/** A queue with everything but agents and network: `fate` says what becomes of a recipient. */
class Site {
  readonly directory: string;
  readonly log: string[] = [];
  readonly delivered: Delivery[] = [];
  /** Targets that deliveries came with as done already. */
  readonly done: (readonly string[])[] = [];
  fate: (address: string) => Partial<Result> | undefined = () => undefined;
  now = 1_800_000_000_000;
  #hold: Promise<void> = Promise.resolve();
  spool!: Spool;
  queue!: QueueManager;
  intake!: Intake;

  constructor(t: TestContext) {
    this.directory = mkdtempSync(join(tmpdir(), "posthorn-qmgr-"));
    t.after(async () => {
      await this.stop();
      rmSync(this.directory, { recursive: true });
    });
  }

  async start(limits: { readonly active?: number; readonly memory?: number } = {}, calls = systemCalls): Promise<this> {
    const now = (): number => this.now;
    const spool = (this.spool = Spool.open(this.directory, { now, calls }));
    const log = (ident: string): { info(l: string): void; warning(l: string): void; error(l: string): void; debug(l: string): void } => {
      const write = (line: string): void => void this.log.push(`${ident}: ${line}`);
      return { info: write, warning: write, error: write, debug: write };
    };
    const router = new Router(
      { myhostname: "mail.example.org", myorigin: "example.org", mydestination: ["example.org"], relay_domains: ["partner.test"], relayhost: "", recipient_delimiter: "+", default_privs: "nobody", allow_mail_to_commands: [], double_bounce_sender: "double-bounce", ownAddresses: [] },
      { alias: () => undefined, include: () => [], user: (n) => (["alice", "bob", "carol", "postmaster"].includes(n) ? user(n) : undefined), privileged: () => undefined, transport: () => undefined },
    );
    const inserts: InsertParts = { spool, now, myhostname: "mail.example.org", myorigin: "example.org", accepted: (m) => this.queue.accept(m) };
    const deliver: Deliver = async (group, message) => {
      await this.#hold;
      let body = "";
      for await (const piece of message.source.pieces()) body += piece.toString();
      const results = group.deliveries.map((d) => {
        this.delivered.push({ id: message.envelope.id, to: d.address, sender: group.sender, body });
        if (d.kind === "local" && d.done !== undefined) this.done.push(d.done);
        return { outcome: sent("ok"), relay: "local", connecting: 0, ...this.fate(d.address) };
      });
      return { results, unreachable: false };
    };
    const destinations = new Destinations(20, 1000, now);
    this.queue = new QueueManager(
      {
        spool,
        now,
        log,
        plan: (recipients) => router.plan(recipients),
        destinations,
        deliverLocal: deliver,
        deliverRemote: deliver,
        forward: (message, delivery, sender, addresses) => insertForward(inserts, message, delivery, sender, addresses),
        bounce: (message, sender, failures) => queueBounce(inserts, { double_bounce_sender: "double-bounce", notify_postmaster: "postmaster" }, log("bounce"), message, sender, failures),
        backoff: () => ({ minimal: hour, maximal: 4 * hour, lifetime: 24 * hour }),
      },
      { active: limits.active ?? 100, runDelay: 1_000_000, memory: limits.memory ?? 1 << 20, retryAfterFault: 10 },
    );
    this.intake = queueIntake({ spool, router: () => router, minfree: () => 0, accepted: (m) => this.queue.accept(m) });
    await this.queue.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.queue.stop();
    this.spool.close();
    this.stop = () => Promise.resolve();
  }

  /** As a crash would leave it: the queue manager is forgotten, the lock goes. */
  async restart(): Promise<void> {
    await this.queue.stop();
    this.spool.close();
    await this.start();
  }

  /** Deliveries wait until the returned function is called. */
  hold(): () => void {
    let release = (): void => {};
    this.#hold = new Promise((resolve) => (release = resolve));
    return release;
  }

  async send(sender: string, recipients: readonly string[], body = "Subject: x\n\nhello\n"): Promise<string> {
    const envelope: Envelope = { sender, recipients, bodyType: undefined, arrived: this.now, facts: { service: "smtp", address: "", trusted: true, user: undefined, sender } };
    const writer = this.intake.begin(envelope);
    await writer.write(Buffer.from(body));
    await writer.commit();
    return writer.queueId;
  }

  files(queue: "incoming" | "active" | "deferred" | "corrupt"): string[] {
    return readdirSync(join(this.directory, queue));
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    for (;;) {
      const before = this.log.length;
      for (let i = 0; i < 60; i++) await new Promise((resolve) => setTimeout(resolve, 1));
      if (this.log.length === before && this.files("incoming").length + this.files("active").length === 0) return;
    }
  }

  /** Resolves when the log says so, or after 20 s: then the test's own assertion tells. */
  async heard(pattern: RegExp): Promise<void> {
    const limit = Date.now() + 20_000;
    while (!pattern.test(this.said) && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
    await this.settled();
  }

  get said(): string {
    return this.log.join("\n");
  }
}

test("fresh mail is delivered and its file goes", async (t) => {
  const site = await new Site(t).start();
  const id = await site.send("s@far.test", ["alice@example.org"]);
  await site.settled();
  assert.deepEqual(site.delivered, [{ id, to: "alice@example.org", sender: "s@far.test", body: "Subject: x\n\nhello\n" }]);
  assert.deepEqual(site.files("deferred"), []);
  assert.match(site.said, new RegExp(`^qmgr: ${id}: from=<s@far\\.test>, size=18, nrcpt=1 \\(queue active\\)\nlocal: ${id}: to=<alice@example\\.org>, relay=local, delay=0, delays=0/0/0/0, dsn=2\\.0\\.0, status=sent \\(ok\\)\nqmgr: ${id}: removed$`));
});

test("a long message and one over the memory limit are read from their files", async (t) => {
  const site = await new Site(t).start({ memory: 10 });
  const body = "0123456789\n".repeat(40_000);
  await site.send("s@far.test", ["alice@example.org"], body);
  await site.send("s@far.test", ["alice@example.org"], "short but over ten octets\n");
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => d.body.length).sort((a, b) => a - b), [26, body.length]);
});

test("who is done stays done: the rest is tried again when due, also by another life of the program", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a.startsWith("bob") ? { outcome: deferred("4.2.2", "full") } : undefined);
  const id = await site.send("s@far.test", ["alice@example.org", "bob@example.org", "carol@example.org"]);
  await site.settled();
  assert.deepEqual(site.files("deferred"), [id]);
  assert.equal(site.spool.due(id), site.now + hour);
  assert.deepEqual(await site.queue.list(), [{ queueId: id, queue: "deferred", arrived: site.now, octets: 18, sender: "s@far.test", recipients: [{ address: "bob@example.org", reason: "full" }] }]);

  site.delivered.length = 0;
  await site.restart();
  await site.settled();
  assert.equal(site.delivered.length, 0);

  site.now += hour + 1;
  await site.restart();
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => d.to), ["bob@example.org"]);
  assert.equal(site.spool.due(id), site.now + 2 * hour);

  site.delivered.length = 0;
  site.fate = () => undefined;
  await site.queue.flush();
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => d.to), ["bob@example.org"]);
  assert.deepEqual(site.files("deferred"), []);
});

test("a failure is returned to the sender, with the null sender", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a === "bob@example.org" ? { outcome: bounced("5.2.1", "disabled") } : undefined);
  const id = await site.send("carol@example.org", ["alice@example.org", "bob@example.org"]);
  await site.settled();
  const bounce = site.delivered.find((d) => d.to === "carol@example.org");
  assert.equal(bounce?.sender, "");
  assert.match(bounce.body, /^Received: by mail\.example\.org \(Posthorn\)\n\tid /);
  assert.match(bounce.body, /\nFinal-Recipient: rfc822; bob@example\.org\nAction: failed\nStatus: 5\.2\.1\n/);
  assert.ok(!bounce.body.includes("alice@example.org"));
  assert.match(site.said, new RegExp(`bounce: ${id}: sender non-delivery notification: ${bounce.id}`));
  assert.deepEqual(site.files("deferred"), []);
});

test("a bounce that bounces goes to the postmaster, and if that fails nowhere", async (t) => {
  const site = await new Site(t).start();
  site.fate = () => ({ outcome: bounced("5.2.1", "disabled") });
  await site.send("carol@example.org", ["alice@example.org"]);
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => `${d.sender} -> ${d.to}`), ["carol@example.org -> alice@example.org", " -> carol@example.org", "double-bounce@mail.example.org -> postmaster@example.org"]);
  assert.match(site.said, /undeliverable postmaster notification discarded/);
  assert.deepEqual([site.files("incoming"), site.files("deferred")], [[], []]);
});

test("a clock that was set back does not hold mail for years", async (t) => {
  const site = await new Site(t).start();
  site.fate = () => ({ outcome: deferred("4.2.2", "full") });
  await site.send("s@far.test", ["alice@example.org"]);
  await site.settled();
  site.now -= 1000 * hour;
  site.fate = () => undefined;
  await site.restart();
  await site.settled();
  assert.deepEqual(site.files("deferred"), []);
});

test("decisions at RCPT", async (t) => {
  const site = await new Site(t).start();
  const facts = { service: "smtp", address: "192.0.2.1", trusted: false, user: undefined, sender: "" } as const;
  assert.deepEqual(await site.intake.decide("alice@example.org", facts), { kind: "accept" });
  assert.deepEqual(await site.intake.decide("ghost@example.org", facts), { kind: "refuse", code: "550", status: "5.1.1", text: "<ghost@example.org>: Recipient address rejected: User unknown in local recipient table" });
  assert.deepEqual(await site.intake.decide("x@far.test", facts), { kind: "refuse", code: "554", status: "5.7.1", text: "<x@far.test>: Relay access denied" });
  assert.deepEqual(await site.intake.decide("x@far.test", { ...facts, trusted: true }), { kind: "accept" });
  assert.deepEqual(await site.intake.decide("x@partner.test", facts), { kind: "accept" });
  for (const routed of ['"x@far.test"@partner.test', "x%far.test@partner.test", "far.test!x@partner.test"]) {
    assert.deepEqual(await site.intake.decide(routed, facts), { kind: "refuse", code: "554", status: "5.7.1", text: `<${routed}>: Relay access denied` });
    assert.deepEqual(await site.intake.decide(routed, { ...facts, trusted: true }), { kind: "accept" });
  }
  assert.deepEqual(await site.intake.decide("x@far.test", { ...facts, user: "alice" }), { kind: "accept" });
});

test("mail that is too old is returned", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a.startsWith("alice") ? { outcome: deferred("4.2.2", "full") } : undefined);
  const id = await site.send("carol@example.org", ["alice@example.org"]);
  await site.settled();
  site.now += 25 * hour;
  await site.queue.flush();
  await site.heard(/status=expired/);
  assert.match(site.said, new RegExp(`qmgr: ${id}: from=<carol@example\\.org>, status=expired, returned to sender`));
  assert.match(site.delivered.at(-1)?.body ?? "", /Status: 5\.4\.7\n/);
  assert.deepEqual(site.files("deferred"), []);
});

test("a forward is a new message, durable before the delivery counts", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a === "alice@example.org" ? { forwards: ["bob", String.raw`\carol`, "out@far.test"] } : undefined);
  const id = await site.send("s@far.test", ["alice@example.org"]);
  await site.settled();
  const copies = site.delivered.filter((d) => d.id !== id);
  assert.deepEqual(copies.map((d) => d.to).sort(), ["bob@example.org", "carol@example.org", "out@far.test"]);
  for (const copy of copies) {
    assert.equal(copy.sender, "s@far.test");
    assert.match(copy.body, /^Received: by mail\.example\.org \(Posthorn\)\n\tid \w+; .*\nDelivered-To: alice@example\.org\nSubject: x\n\nhello\n$/);
  }
  assert.match(site.said, new RegExp(`local: ${id}: to=<alice@example\\.org>, .*status=sent \\(forwarded as ${copies[0]?.id}\\)`));
});

test("an agent can not put lines into what others are told of its user's forwards", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a.startsWith("alice") ? { outcome: sent("forwarded"), forwards: ["bob+x\nBcc: all@example.org", "carol\r+y"] } : undefined);
  await site.send("s@far.test", ["alice@example.org"]);
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => d.to).filter((to) => /[\u0000-\u001f]/.test(to)), []);
  assert.ok(site.delivered.some((d) => d.to === "bob+x?Bcc: all@example.org"));
});

test("a way out that breaks puts the message off and ends nothing", async (t) => {
  const site = await new Site(t).start();
  let broken = true;
  site.fate = () => {
    if (broken) throw new Error("bug in a transport");
    return undefined;
  };
  await site.send("s@far.test", ["alice@example.org"]);
  const limit = Date.now() + 5000;
  while (!site.said.includes("try broken off") && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(site.said, /try broken off: .*bug in a transport/);
  broken = false;
  await site.heard(/removed/);
  assert.equal(site.delivered.at(-1)?.to, "alice@example.org");
});

test("forwards that nothing else stops end after a while", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a === "alice@example.org" ? { forwards: ["alice"] } : undefined);
  await site.send("", ["alice@example.org"]);
  await site.settled();
  assert.equal(site.delivered.filter((d) => d.to === "alice@example.org").length, 51);
  assert.match(site.said, /dsn=5\.4\.6, status=bounced \(mail forwarding loop/);
});

test("a forward that can not be queued keeps the message", async (t) => {
  let full = false;
  const calls = { ...systemCalls, fsync: (fd: number) => (full ? Promise.reject(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })) : systemCalls.fsync(fd)) };
  const site = await new Site(t).start({}, calls);
  site.fate = (a) => {
    full = a === "alice@example.org" && site.delivered.length < 3;
    return a === "alice@example.org" ? { forwards: ["bob"] } : undefined;
  };
  await site.send("s@far.test", ["alice@example.org"]);
  await site.settled();
  assert.ok(site.delivered.filter((d) => d.to === "alice@example.org").length >= 3);
  assert.equal(site.delivered.filter((d) => d.to === "bob@example.org").length, 1);
});

test("targets that are done are told to the next tries, across a restart", async (t) => {
  const site = await new Site(t).start();
  const fates: (Partial<Result> | undefined)[] = [
    { outcome: deferred("4.3.0", "|later: not now"), also: [sent("delivered to maildir")], done: [String.raw`\alice`], forwards: ["bob"] },
    { outcome: deferred("4.3.0", "|later: not now"), done: ["/file"] },
    undefined,
  ];
  site.fate = (a) => (a === "alice@example.org" ? fates.shift() : undefined);
  const id = await site.send("s@far.test", ["alice@example.org", "carol@example.org"]);
  await site.settled();
  assert.match(site.said, new RegExp(`local: ${id}: to=<alice@example\\.org>, .*status=sent \\(delivered to maildir\\)`));
  assert.match(site.said, new RegExp(`local: ${id}: to=<alice@example\\.org>, .*status=sent \\(forwarded as \\w+\\)`));
  assert.match(site.said, new RegExp(`local: ${id}: to=<alice@example\\.org>, .*status=deferred \\(\\|later: not now\\)`));
  await site.queue.flush();
  await site.settled();
  await site.restart();
  await site.queue.flush();
  await site.settled();
  assert.deepEqual(site.done, [[String.raw`\alice`, "bob"], [String.raw`\alice`, "bob", "/file"]]);
  assert.deepEqual(["alice", "bob", "carol"].map((n) => site.delivered.filter((d) => d.to === `${n}@example.org`).length), [3, 1, 1]);
  assert.deepEqual(site.files("deferred"), []);
  assert.doesNotMatch(site.said, /bounce:/);
});

test("a target that bounces is told to the sender once, and the others are tried again", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a !== "alice@example.org" ? undefined : site.done.length > 0 ? {} : { outcome: deferred("4.3.0", "|later: not now"), also: [bounced("5.1.1", "|never: no such user")], done: ["|never"] });
  await site.send("bob@example.org", ["alice@example.org"]);
  await site.settled();
  assert.equal(site.files("deferred").length, 1);
  await site.queue.flush();
  await site.settled();
  assert.deepEqual(site.done, [["|never"]]);
  const reports = site.delivered.filter((d) => d.to === "bob@example.org");
  assert.equal(reports.length, 1);
  assert.match(reports[0]?.body ?? "", /Status: 5\.1\.1\n[^]*never: no such user/);
  assert.deepEqual(site.files("deferred"), []);
});

test("forwards are queued whatever became of the other targets", async (t) => {
  const site = await new Site(t).start();
  site.fate = (a) => (a === "alice@example.org" ? { outcome: bounced("5.1.1", "|never: no such user"), forwards: ["carol"] } : undefined);
  await site.send("bob@example.org", ["alice@example.org"]);
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => d.to).sort(), ["alice@example.org", "bob@example.org", "carol@example.org"]);
  assert.match(site.said, /status=sent \(forwarded as \w+\)/);
});

test("a forward that can not be queued repeats neither the mailbox nor the mail of others", async (t) => {
  let full = false;
  const calls = { ...systemCalls, fsync: (fd: number) => (full ? Promise.reject(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })) : systemCalls.fsync(fd)) };
  const site = await new Site(t).start({}, calls);
  site.fate = (a) => {
    full = site.done.length < 2;
    return a === "alice@example.org" ? { done: [String.raw`\alice`], forwards: ["bob"] } : undefined;
  };
  await site.send("s@far.test", ["alice@example.org", "carol@example.org"]);
  await site.settled();
  assert.deepEqual(site.done, [[String.raw`\alice`], [String.raw`\alice`]]);
  assert.deepEqual(["bob", "carol"].map((n) => site.delivered.filter((d) => d.to === `${n}@example.org`).length), [1, 1]);
});

test("what is remembered of targets has a bound, and a deferral with too much is still one", async (t) => {
  const site = await new Site(t).start();
  const many = Array.from({ length: 200 }, (_, i) => `/${String(i)}/${"x".repeat(1000)}`);
  site.fate = () => (site.done.length < 2 ? { outcome: deferred("4.3.0", "not now"), done: many } : undefined);
  await site.send("s@far.test", ["alice@example.org"]);
  for (let i = 0; i < 3; i++) {
    await site.settled();
    await site.queue.flush();
  }
  await site.settled();
  for (const done of site.done) assert.deepEqual(done, many.slice(0, done.length));
  assert.ok(site.done.length === 2 && site.done.every((d) => d.length > 100 && d.length < 140));
  assert.deepEqual(site.files("deferred"), []);
});

test("a full disk is told to the client, and nothing is left", async (t) => {
  const site = await new Site(t).start({}, { ...systemCalls, writev: () => Promise.reject(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })) });
  await assert.rejects(site.send("s@far.test", ["alice@example.org"]), (fault) => fault instanceof IntakeFault && fault.kind === "no-space");
  assert.deepEqual(site.files("incoming"), []);
});

test("while records can not be written nobody gets the message again and again", async (t) => {
  let broken = false;
  const fails = (): Promise<never> => Promise.reject(Object.assign(new Error("EROFS"), { code: "EROFS" }));
  const site = await new Site(t).start({}, {
    ...systemCalls,
    pwrite: (...args) => (broken ? fails() : systemCalls.pwrite(...args)),
    unlink: (path) => (broken ? fails() : systemCalls.unlink(path)),
  });
  broken = true;
  site.fate = (address) => (address.startsWith("bob") ? { outcome: bounced("5.1.1", "no") } : undefined);
  await site.send("carol@example.org", ["alice@example.org", "bob@example.org"]);
  const limit = Date.now() + 10_000;
  while (site.log.filter((l) => l.includes("try broken off")).length < 4 && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(site.delivered.map((d) => d.to).filter((to) => !to.startsWith("carol")), ["alice@example.org", "bob@example.org"]);
  assert.equal(site.log.filter((l) => l.includes("sender non-delivery notification")).length, 1);
  broken = false;
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => d.to).sort(), ["alice@example.org", "bob@example.org", "carol@example.org"]);
});

test("a message tried very often is still one, and its file does not grow without end", async (t) => {
  const site = await new Site(t).start();
  const reason = "busy ".repeat(100);
  site.fate = (address) => (address.startsWith("alice") ? undefined : { outcome: deferred("4.2.0", reason) });
  const others = Array.from({ length: 400 }, (_, i) => `x${i}@example.net`);
  const id = await site.send("carol@example.org", ["alice@example.org", ...others]);
  const file = join(site.directory, "deferred", id);
  for (let tries = 1; tries <= 12; tries++) {
    const limit = Date.now() + 5000;
    while (!(site.files("deferred").length === 1 && site.log.filter((l) => l.includes("to=<x399@")).length === tries) && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (tries < 12) await site.queue.flush();
  }
  assert.ok(statSync(file).size < 1_600_000, String(statSync(file).size));
  await site.restart();
  site.fate = () => undefined;
  await site.queue.flush();
  await site.heard(new RegExp(`${id}: removed`));
  assert.equal(site.delivered.filter((d) => d.to === "alice@example.org").length, 1);
});

test("one queue file that can not be opened does not keep mtad from starting", async (t) => {
  const site = await new Site(t).start();
  await site.stop();
  const other = "4ZqTVS1nVrz0000";
  symlinkSync("nowhere", join(site.directory, "incoming", other));
  await site.start();
  assert.match(site.said, new RegExp(`${other}: can not be read`));
  rmSync(join(site.directory, "incoming", other));
  await site.queue.stop();
  site.spool.close();
});

test("a long queue is taken up without opening all of it at once", async (t) => {
  const site = await new Site(t).start();
  await site.queue.stop();
  const body = Buffer.from("Subject: x\n\nhello\n");
  for (let i = 0; i < 1500; i++) {
    const id = site.spool.nextId();
    const line = envelopeLine({ id, arrived: site.now, sender: "carol@example.org", recipients: [{ address: "alice@example.org" }] });
    writeFileSync(join(site.directory, "deferred", id), Buffer.concat([header(line, body.length), body, endRecord(body.length, checksum(body, checksum(line)))]));
  }
  site.spool.close();
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, readdirSync("/proc/self/fd").length)), 1);
  await site.start({ active: 2000 });
  await site.queue.flush();
  const limit = Date.now() + 20_000;
  while (site.log.filter((l) => l.endsWith("removed")).length < 1500 && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 1));
  clearInterval(watch);
  assert.equal(site.delivered.length, 1500);
  assert.ok(most < 400, `${most} descriptors`);
});

test("only so many at once; the others wait in the queue and are delivered", async (t) => {
  const site = await new Site(t).start({ active: 2 });
  const release = site.hold();
  for (let i = 0; i < 10; i++) await site.send("s@far.test", ["alice@example.org"]);
  assert.equal(site.log.filter((l) => l.includes("queue active")).length, 2);
  release();
  await site.settled();
  assert.equal(site.delivered.length, 10);
  assert.equal(new Set(site.delivered.map((d) => d.id)).size, 10);
});

test("what a crash leaves: half-written is swept, whole is delivered, corrupt is set aside", async (t) => {
  const site = await new Site(t).start();
  const release = site.hold();
  const ids: string[] = [];
  for (let i = 0; i < 6; i++) ids.push(await site.send("s@far.test", ["alice@example.org"], `${i}\n`));
  const [whole = "", half = "", bad = "", empty = "", active = "", done = ""] = ids;
  const contents = new Map(ids.map((id) => [id, readFileSync(site.spool.path("incoming", id))]));
  release();
  await site.settled();
  await site.queue.stop();
  site.spool.close();

  const path = (queue: string, id: string): string => join(site.directory, queue, id);
  for (const id of [whole, half, bad]) writeFileSync(path("incoming", id), contents.get(id) ?? "");
  truncateSync(path("incoming", half), (contents.get(half)?.length ?? 0) - 1);
  writeFileSync(path("incoming", bad), Buffer.from(contents.get(bad)?.toString("latin1").replace("2\n\nend", "X\n\nend") ?? ""));
  writeFileSync(path("incoming", empty), "");
  writeFileSync(path("active", active), contents.get(active) ?? "");
  writeFileSync(path("active", done), `${contents.get(done)?.toString() ?? ""}{"done":["user:alice"]}\n`);
  writeFileSync(path("incoming", "not-ours"), "x");
  site.delivered.length = 0;
  site.log.length = 0;
  await site.start();
  while (existsSync(path("incoming", whole)) || existsSync(path("active", active)) || existsSync(path("active", done))) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(site.delivered.map((d) => d.id).sort(), [whole, active].sort());
  assert.deepEqual(site.files("corrupt"), [bad]);
  assert.deepEqual([site.files("incoming"), site.files("active")], [["not-ours"], []]);
  assert.match(site.said, new RegExp(`${half}: removed: half-written`));
  assert.match(site.said, new RegExp(`${bad}: wrong checksum; moved to`));
  rmSync(path("incoming", "not-ours"));
});

test("stopping: what is under way ends, the rest stays for the next start", async (t) => {
  const site = await new Site(t).start({ active: 1 });
  const release = site.hold();
  const first = await site.send("s@far.test", ["alice@example.org"]);
  const second = await site.send("s@far.test", ["alice@example.org"]);
  const stopped = site.queue.stop();
  release();
  await stopped;
  assert.deepEqual(site.delivered.map((d) => d.id), [first]);
  assert.deepEqual(site.files("incoming"), [second]);
  site.spool.close();
  await site.start();
  await site.settled();
  assert.deepEqual(site.delivered.map((d) => d.id), [first, second]);
});

test("the local transport tries again while an agent is gone, and stops in order", async () => {
  const asked: string[][] = [];
  const agents = {
    deliver: (_: MailUser, job: { readonly recipients: readonly { readonly user: string }[] }) => {
      asked.push(job.recipients.map((r) => r.user));
      const index = asked.length === 1 ? 1 : 0;
      const replies = job.recipients.map((_r, i) => (i === index && asked.length < 4 ? ({ id: 1, op: "delivered", index: i, outcome: sent("ok") } as const) : undefined));
      return Promise.resolve({ replies, fault: replies.includes(undefined) ? ({ kind: "lost", text: "gone" } as const) : undefined });
    },
  };
  const delivery = (name: string) => ({ kind: "local", key: name, address: `${name}@x`, original: `${name}@x`, user: user(name), extension: "", direct: false, to: { kind: "user" } }) as const;
  const group = { kind: "local", destination: "local:virtual", sender: "", deliveries: ["a", "b", "c"].map(delivery) } as const;
  const message = { envelope: { id: "q", arrived: 0, sender: "", recipients: [] }, source: { octets: 0, memory: [], pieces: async function* () {} } };
  const all = await localTransport(agents, () => Promise.resolve(true), () => 100)(group, message);
  assert.deepEqual(asked, [["a", "b", "c"], ["a", "c"], ["c"]]);
  assert.deepEqual(all.results.map((r) => r?.outcome.kind), ["sent", "sent", "sent"]);
  const lost = await localTransport(agents, () => Promise.resolve(true), () => 100)(group, message);
  assert.deepEqual(lost.results.map((r) => r?.outcome.status), ["4.3.0", "4.3.0", "4.3.0"]);
  const cut = await localTransport(agents, () => Promise.resolve(false), () => 100)(group, message);
  assert.deepEqual(cut.results, [undefined, undefined, undefined]);
  const large = await localTransport(agents, () => Promise.resolve(true), () => -1)(group, message);
  assert.deepEqual(large.results.map((r) => r?.outcome.status), ["5.3.4", "5.3.4", "5.3.4"]);
});
