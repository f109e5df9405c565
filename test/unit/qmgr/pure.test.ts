import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import type { Delivery } from "../../../src/route/router.ts";
import { nextTry } from "../../../src/mtad/qmgr/backoff.ts";
import { Destinations } from "../../../src/mtad/qmgr/destinations.ts";
import { groupsOf, recipientLimit, type LocalDelivery, type RemoteDelivery } from "../../../src/mtad/qmgr/groups.ts";
import * as lines from "../../../src/mtad/qmgr/log-lines.ts";
import type { Delivered } from "../../../src/mtad/qmgr/transport.ts";

const minute = 60_000;
const backoff = { minimal: 5 * minute, maximal: 66 * minute, lifetime: 5 * 24 * 60 * minute };

test("waits double from the least to the most", () => {
  const waits = [1, 2, 3, 4, 5, 50, 5000].map((failures) => Number(nextTry(0, failures, 1000, backoff)) - 1000);
  assert.deepEqual(waits, [5, 10, 20, 40, 66, 66, 66].map((m) => m * minute));
  assert.equal(nextTry(0, 1, backoff.lifetime, backoff), "expired");
});

test("a message is tried until its time is up, never in the past, never more often than the least wait", () => {
  const spans = fc.record({ minimal: fc.integer({ min: 1, max: 1e6 }), maximal: fc.integer({ min: 1, max: 1e7 }), lifetime: fc.integer({ min: 0, max: 1e9 }) });
  fc.assert(
    fc.property(spans, fc.nat(1e9), (b, arrived) => {
      let now = arrived;
      let tries = 0;
      for (;;) {
        const next = nextTry(arrived, ++tries, now, b);
        if (next === "expired") break;
        assert.ok(next - now >= b.minimal && next - now <= Math.max(b.maximal, b.minimal), `${next - now}`);
        now = next;
        if (tries > 2000) return;
      }
      assert.ok(now >= arrived + b.lifetime);
      assert.ok(now <= arrived + b.lifetime + b.minimal || tries === 1);
    }),
  );
});

const user = (name: string, agent: string): MailUser => ({ name, uid: 1, gid: 1, home: "", mail: "", shell: "", agent });
const local = (name: string, agent: string, sender?: string): LocalDelivery => ({ kind: "local", key: `user:${name}`, address: `${name}@x`, original: `${name}@x`, user: user(name, agent), extension: "", direct: false, to: { kind: "user" }, ...(sender === undefined ? {} : { sender }) });
const remote = (address: string, destination: string): RemoteDelivery => ({ kind: "remote", key: address, address, original: address, destination, hop: { protocol: "smtp", host: "h", port: undefined, lookup: "mx" } });

test("groups: by destination and sender, at most fifty, everybody in exactly one", () => {
  const many = Array.from({ length: 120 }, (_, i) => remote(`u${i}@far`, "smtp:far:"));
  const groups = groupsOf([local("a", "virtual"), local("b", "virtual"), local("c", "uid:3"), local("d", "virtual", "owner@x"), ...many], "s@x");
  assert.deepEqual(groups.map((g) => `${g.destination} ${g.sender} ${g.deliveries.length}`), ["local:virtual s@x 2", "local:uid:3 s@x 1", "local:virtual owner@x 1", `smtp:far: s@x ${recipientLimit}`, `smtp:far: s@x ${recipientLimit}`, "smtp:far: s@x 20"]);
  assert.equal(new Set(groups.flatMap((g) => g.deliveries as readonly Delivery[])).size, 124);
});

test("nobody hears of the null sender's mail, owner or not", () => {
  assert.deepEqual(groupsOf([local("d", "virtual", "owner@x")], "").map((g) => g.sender), [""]);
});

test("log lines have Postfix's shape", () => {
  assert.equal(lines.queueActive("4j", "", 123, 1), "4j: from=<>, size=123, nrcpt=1 (queue active)");
  const d = { ...local("alice", "virtual"), original: "list@x" };
  const delays = { before: 50, queued: 0, connecting: 0, delivering: 54 };
  assert.equal(lines.delivered("4j", d, "local", delays, { kind: "sent", status: "2.0.0", text: "delivered to maildir" }), "4j: to=<alice@x>, orig_to=<list@x>, relay=local, delay=0.1, delays=0.05/0/0/0.05, dsn=2.0.0, status=sent (delivered to maildir)");
  const deferred = lines.delivered("4j", remote("b@y", "smtp:y:"), "mx.y[1.2.3.4]:25", delays, { kind: "deferred", status: "4.4.2", text: "bad\nline" });
  assert.match(deferred, /^4j: to=<b@y>, relay=mx\.y\[1\.2\.3\.4\]:25, delay=0\.1, .*, dsn=4\.4\.2, status=deferred \(bad\\x0aline\)$/);
  assert.deepEqual([0, 4, 6, 14, 140, 1234, 12_345, 123_456, 1_234_567].map(lines.seconds), ["0", "0", "0.01", "0.01", "0.14", "1.2", "12", "123", "1235"]);
});

interface Held {
  readonly end: (unreachable: boolean) => void;
}

function submit(destinations: Destinations, key: string, started: Held[], skipped: string[]): void {
  destinations.submit(key, {
    run: () => new Promise<Delivered>((resolve) => started.push({ end: (unreachable) => resolve({ results: [{ outcome: { kind: "deferred", status: "4.4.1", text: "refused" }, relay: "none", connecting: 0 }], unreachable }) })),
    skip: (why) => skipped.push(why.kind === "unreachable" ? why.text : why.kind),
  });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a destination gets so many at once, more with success, up to the limit", async () => {
  const destinations = new Destinations(8, 1000, () => 0);
  const started: Held[] = [];
  for (let i = 0; i < 30; i++) submit(destinations, "smtp:a", started, []);
  assert.equal(started.length, 5);
  let most = 0;
  while (started.length > 0) {
    most = Math.max(most, started.length);
    started.shift()?.end(false);
    await turn();
  }
  assert.equal(most, 8);
});

test("an unreachable destination is left alone for a while, others are not", async () => {
  let now = 0;
  const destinations = new Destinations(1, 1000, () => now);
  const [started, skipped]: [Held[], string[]] = [[], []];
  submit(destinations, "smtp:a", started, skipped);
  submit(destinations, "smtp:a", started, skipped);
  submit(destinations, "smtp:b", started, skipped);
  assert.equal(started.length, 2);
  started[0]?.end(true);
  await turn();
  assert.deepEqual(skipped, ["refused"]);
  submit(destinations, "smtp:a", started, skipped);
  assert.deepEqual(skipped, ["refused", "refused"]);
  destinations.forgive();
  submit(destinations, "smtp:a", started, skipped);
  assert.equal(started.length, 3);
  started[2]?.end(true);
  await turn();
  now = 1001;
  submit(destinations, "smtp:a", started, skipped);
  assert.equal(started.length, 4);
});

test("stop: what waits is told, what runs is awaited", async () => {
  const destinations = new Destinations(1, 1000, () => 0);
  const [started, skipped]: [Held[], string[]] = [[], []];
  submit(destinations, "smtp:a", started, skipped);
  submit(destinations, "smtp:a", started, skipped);
  let stopped = false;
  const stop = destinations.stop().then(() => (stopped = true));
  submit(destinations, "smtp:b", started, skipped);
  await turn();
  assert.deepEqual([skipped, stopped], [["stopping", "stopping"], false]);
  started[0]?.end(false);
  await stop;
});
