import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { mailHosts, nameService, type NameService } from "../../../src/deliver/dns.ts";

interface Zone {
  readonly mx?: readonly (readonly [number, string])[];
  readonly a?: readonly string[];
  /** RFC 1035 §4.1.1 RCODE. */
  readonly rcode?: number;
}

const encodeName = (name: string): Buffer => Buffer.concat([...name.split(".").filter((l) => l !== "").map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l)])), Buffer.from([0])]);

const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);

/** A name server for these zones on loopback: RFC 1035 §4. Names it does not know do not exist. */
async function nameServer(t: TestContext, zones: Readonly<Record<string, Zone>>): Promise<NameService> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    let at = 12;
    const labels: string[] = [];
    for (let n = query[at] ?? 0; n > 0; n = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + n));
      at += n + 1;
    }
    const type = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    const zone = zones[labels.join(".").toLowerCase()];
    const datas = type === 15 ? (zone?.mx ?? []).map(([preference, host]) => Buffer.concat([u16(preference), encodeName(host)])) : type === 1 ? (zone?.a ?? []).map((a) => Buffer.from(a.split(".").map(Number))) : [];
    const answers = datas.map((data) => Buffer.concat([Buffer.from([0xc0, 12]), u16(type), u16(1), Buffer.from([0, 0, 0, 60]), u16(data.length), data]));
    const flags = 0x8180 | (zone === undefined ? 3 : (zone.rcode ?? 0));
    socket.send(Buffer.concat([query.subarray(0, 2), u16(flags), u16(1), u16(answers.length), u16(0), u16(0), question, ...answers]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return nameService([`127.0.0.1:${socket.address().port}`]);
}

const nobody = (): boolean => false;
const ask = (names: NameService, domain: string, self: (n: string) => boolean = nobody): ReturnType<typeof mailHosts> => mailHosts(names, domain, "mx", self, () => 0);

test("mail exchangers", async (t) => {
  const names = await nameServer(t, {
    "two.test": { mx: [[20, "b.two.test"], [10, "a.two.test"]] },
    "a.two.test": { a: ["192.0.2.1", "192.0.2.2"] },
    "b.two.test": { a: ["192.0.2.3"] },
    "plain.test": { a: ["192.0.2.4"] },
    "null.test": { mx: [[0, "."]], a: ["192.0.2.5"] },
    "dangling.test": { mx: [[10, "gone.test"]] , a: ["192.0.2.6"] },
    "broken.test": { rcode: 2 },
    "behind.test": { mx: [[10, "a.two.test"], [20, "me.test"], [30, "b.two.test"]] },
    "empty.test": {},
  });

  await t.test("by preference, every address", async () => {
    assert.deepEqual(await ask(names, "two.test"), [
      { host: "a.two.test", address: "192.0.2.1" },
      { host: "a.two.test", address: "192.0.2.2" },
      { host: "b.two.test", address: "192.0.2.3" },
    ]);
  });
  await t.test("without MX the host itself", async () => {
    assert.deepEqual(await ask(names, "plain.test"), [{ host: "plain.test", address: "192.0.2.4" }]);
  });
  const failures: Readonly<Record<string, string>> = {
    "null.test": "bounced 5.1.10",
    "missing.test": "bounced 5.4.4",
    "empty.test": "bounced 5.4.4",
    "dangling.test": "bounced 5.4.4",
    "broken.test": "deferred 4.4.3",
  };
  for (const [domain, expected] of Object.entries(failures)) {
    await t.test(`${domain}: ${expected}`, async () => {
      const outcome = await ask(names, domain);
      assert.ok("kind" in outcome);
      assert.equal(`${outcome.kind} ${outcome.status}`, expected);
    });
  }
  await t.test("exchangers behind ourselves are left out", async () => {
    assert.deepEqual(await ask(names, "behind.test", (n) => n === "me.test"), [{ host: "a.two.test", address: "192.0.2.1" }, { host: "a.two.test", address: "192.0.2.2" }]);
    const own = await ask(names, "plain.test", (n) => n === "192.0.2.4");
    assert.ok("kind" in own && own.status === "5.4.6");
    const first = await ask(names, "two.test", (n) => n === "a.two.test");
    assert.ok("kind" in first && first.status === "5.4.6");
  });
  await t.test("an address needs no DNS", async () => {
    assert.deepEqual(await mailHosts(names, "192.0.2.9", "host", nobody, () => 0), [{ host: "192.0.2.9", address: "192.0.2.9" }]);
  });
});
