import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync, appendFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { systemCalls } from "../../../src/spool/calls.ts";
import { QueueInUse, Spool, type SpoolOptions } from "../../../src/spool/spool.ts";

function open(t: TestContext, options?: SpoolOptions): Spool {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-spool-"));
  const spool = Spool.open(directory, options);
  t.after(() => {
    spool.close();
    rmSync(directory, { recursive: true });
  });
  return spool;
}

async function accept(spool: Spool, body = "Subject: x\n\nhello\n"): Promise<string> {
  const id = spool.nextId();
  const writer = spool.begin({ id, arrived: 5, sender: "a@b", recipients: [{ address: "c@d" }] });
  await writer.write(Buffer.from(body));
  await writer.commit();
  return id;
}

const fails = (code: string) => (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));

test("files are 0600, directories 0700, and the queue can be had once", async (t) => {
  const spool = open(t);
  const id = await accept(spool);
  assert.equal(statSync(spool.path("incoming", id)).mode & 0o777, 0o600);
  assert.equal(statSync(spool.path("deferred", "")).mode & 0o777, 0o700);
  assert.throws(() => Spool.open(spool.directory), QueueInUse);
});

test("a disk that is full at any call leaves nothing behind", async (t) => {
  for (const broken of ["open", "writev", "fsync", "pwrite"] as const) {
    const spool = open(t, { calls: { ...systemCalls, [broken]: fails("ENOSPC") } });
    const writer = spool.begin({ id: spool.nextId(), arrived: 5, sender: "", recipients: [{ address: "c@d" }] });
    for (let i = 0; i < 40; i++) await writer.write(Buffer.alloc(10_000, 97));
    await assert.rejects(writer.commit(), { code: "ENOSPC" });
    await writer.abort();
    assert.deepEqual(readdirSync(spool.path("incoming", "")), [], broken);
  }
});

test("an envelope that could not be read back is not accepted", async (t) => {
  const spool = open(t);
  const recipients = Array.from({ length: 70_000 }, (_, i) => ({ address: `${"x".repeat(230)}${i}@example.org` }));
  const writer = spool.begin({ id: spool.nextId(), arrived: 5, sender: "", recipients });
  await writer.write(Buffer.alloc(300_000, 97));
  await assert.rejects(writer.commit(), { code: "EFBIG" });
  assert.deepEqual(readdirSync(spool.path("incoming", "")), []);
});

test("an aborted message was never there", async (t) => {
  const spool = open(t);
  const writer = spool.begin({ id: spool.nextId(), arrived: 5, sender: "", recipients: [{ address: "c@d" }] });
  void writer.write(Buffer.alloc(300_000));
  await writer.abort();
  assert.deepEqual(readdirSync(spool.path("incoming", "")), []);
});

test("a message moves, keeps its records, and goes", async (t) => {
  const spool = open(t);
  const id = await accept(spool);
  const found = await spool.read("incoming", id, true);
  assert.ok(found?.kind === "complete");
  const file = await spool.append("incoming", id, found.file, { done: ["user:x"] });
  appendFileSync(spool.path("incoming", id), '{"torn');
  await spool.append("incoming", id, file, { tries: 1, pending: [{ to: "c@d", text: "no" }] });
  spool.move("incoming", "deferred", id, 1_900_000_000_000);
  assert.equal(existsSync(spool.path("incoming", id)), false);
  assert.equal(spool.due(id), 1_900_000_000_000);
  const again = await spool.read("deferred", id, true);
  assert.ok(again?.kind === "complete");
  assert.deepEqual([...again.history.done], ["user:x"]);
  assert.equal(again.history.tries, 1);
  await spool.remove("deferred", id);
  await spool.remove("deferred", id);
  assert.equal(await spool.read("deferred", id), undefined);
  assert.equal(spool.due(id), undefined);
});

test("the body comes in pieces", async (t) => {
  const spool = open(t);
  const body = "0123456789abcdef\n".repeat(20_000);
  const id = await accept(spool, body);
  const found = await spool.read("incoming", id);
  assert.ok(found?.kind === "complete");
  const pieces: Buffer[] = [];
  for await (const piece of spool.body("incoming", id, found.file)) pieces.push(piece);
  assert.ok(pieces.length > 1);
  assert.equal(Buffer.concat(pieces).toString(), body);
});

test("strange names are told and left alone", async (t) => {
  const spool = open(t);
  const id = await accept(spool);
  writeFileSync(spool.path("incoming", "core"), "");
  const strange: string[] = [];
  assert.deepEqual(spool.ids("incoming", (n) => strange.push(n)), [id]);
  assert.deepEqual(strange, ["core"]);
});
