import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { foldRecords, recordLine, type StoredEnvelope } from "../../../src/spool/format.ts";
import { isQueueId, queueIds } from "../../../src/spool/queue-id.ts";
import { readQueueFile } from "../../../src/spool/read.ts";
import { systemCalls } from "../../../src/spool/calls.ts";
import { SpoolWriter } from "../../../src/spool/write.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-format-"));
mkdirSync(join(directory, "q"));
after(() => rmSync(directory, { recursive: true }));

const envelope: fc.Arbitrary<StoredEnvelope> = fc.record(
  {
    id: fc.string(),
    arrived: fc.nat(),
    sender: fc.string({ unit: "binary" }).filter((s) => s.isWellFormed()),
    recipients: fc.array(fc.record({ address: fc.string(), original: fc.string(), direct: fc.constant<true>(true) }, { requiredKeys: ["address"], noNullPrototype: true })),
    bodyType: fc.constantFrom("7BIT" as const, "8BITMIME" as const),
    hops: fc.nat(),
  },
  { requiredKeys: ["id", "arrived", "sender", "recipients"], noNullPrototype: true },
);

// Pieces that look like what frames them.
const piece = fc.oneof(fc.uint8Array({ maxLength: 400 }).map((a) => Buffer.from(a)), fc.constantFrom("PHQ1 ", "\nend 00000000000000 00000000\n", "\n", '{"done":["x"]}\n', "\0").map((t) => Buffer.from(t)));

let count = 0;

async function written(e: StoredEnvelope, pieces: readonly Buffer[]): Promise<string> {
  const path = join(directory, "q", String(++count));
  const writer = new SpoolWriter(e, path, systemCalls, undefined);
  for (const p of pieces) await writer.write(p);
  const { file, body } = await writer.commit();
  assert.equal(file.octets, Buffer.concat(pieces).length);
  if (body !== undefined) assert.deepEqual(Buffer.concat(body), Buffer.concat(pieces));
  return path;
}

test("what is written is read back", async () => {
  await fc.assert(
    fc.asyncProperty(envelope, fc.array(piece, { maxLength: 8 }), async (e, pieces) => {
      const path = await written(e, pieces);
      const found = await readQueueFile(path, true);
      assert.ok(found.kind === "complete", JSON.stringify(found));
      assert.deepEqual(found.file.envelope, e);
      const bytes = readFileSync(path);
      assert.deepEqual(bytes.subarray(found.file.bodyOffset, found.file.bodyOffset + found.file.octets), Buffer.concat(pieces));
      assert.equal(found.file.end, bytes.length);
    }),
    { numRuns: 60 },
  );
});

test("a long message is streamed, and the same file comes out as from one piece", async () => {
  const e: StoredEnvelope = { id: "x", arrived: 1, sender: "a@b", recipients: [{ address: "c@d" }] };
  const pieces = Array.from({ length: 30 }, (_, i) => Buffer.alloc(20_000 + i, i));
  const streamed = readFileSync(await written(e, pieces));
  const whole = readFileSync(await written(e, [Buffer.concat(pieces)]));
  assert.deepEqual(streamed, whole);
});

test("every proper beginning of a file is half-written, and a changed octet is corrupt", async () => {
  const e: StoredEnvelope = { id: "x", arrived: 1, sender: "a@b", recipients: [{ address: "c@d" }] };
  const bytes = readFileSync(await written(e, [Buffer.from("Subject: x\n\n\nend 00000000000012 00000000\n")]));
  const path = join(directory, "cut");
  for (let n = 0; n < bytes.length; n++) {
    writeFileSync(path, bytes.subarray(0, n));
    assert.equal((await readQueueFile(path, false)).kind, "half-written", `${n} octets`);
  }
  for (let n = 0; n < bytes.length; n++) {
    const changed = Buffer.from(bytes);
    changed[n] = (changed[n] ?? 0) ^ 1;
    writeFileSync(path, changed);
    assert.notEqual((await readQueueFile(path, true)).kind, "complete", `octet ${n}`);
  }
});

test("a file whose count never reached the disk is half-written", async () => {
  const e: StoredEnvelope = { id: "x", arrived: 1, sender: "a@b", recipients: [{ address: "c@d" }] };
  const bytes = readFileSync(await written(e, [Buffer.from("x\n")]));
  bytes.fill("-", 5, 19);
  const path = join(directory, "uncounted");
  writeFileSync(path, bytes);
  assert.equal((await readQueueFile(path, true)).kind, "half-written");
  writeFileSync(path, Buffer.alloc(5000));
  assert.equal((await readQueueFile(path, true)).kind, "half-written");
});

test("records add up, and a torn one is left out", () => {
  const lines = Buffer.concat([recordLine({ done: ["user:a"] }), recordLine({ tries: 1, done: ["user:b"], pending: [{ to: "c@d", text: "later" }] })]);
  const torn = Buffer.concat([lines, Buffer.from('{"tries":2,"pen')]);
  const { history, length } = foldRecords(torn);
  assert.equal(length, lines.length);
  assert.deepEqual([...history.done], ["user:a", "user:b"]);
  assert.equal(history.tries, 1);
  assert.deepEqual(history.pending, [{ to: "c@d", text: "later" }]);
});

test("targets that are done add up; members nobody knows and pieces that make no sense are passed over", () => {
  const lines = [recordLine({ partly: [{ key: "user:a", targets: [String.raw`\a`] }, { key: "user:b", targets: ["/f"] }] }), Buffer.from('{"partly":[7,{"key":"user:c"},{"key":"user:a","targets":["|x",1]}],"news":1}\n'), Buffer.from('{"partly":{}}\n')];
  const { history, length } = foldRecords(Buffer.concat(lines));
  assert.equal(length, Buffer.concat(lines).length);
  assert.deepEqual([...history.partly].map(([key, targets]) => [key, [...targets]]), [["user:a", [String.raw`\a`, "|x"]], ["user:b", ["/f"]]]);
  assert.equal(foldRecords(recordLine({ done: ["user:a"] })).history.partly.size, 0);
});

test("queue ids rise, differ between lives, and are recognised", () => {
  let clock = 1_800_000_000_000;
  const next = queueIds(() => clock, 0.5);
  const ids = Array.from({ length: 3000 }, () => next());
  clock -= 60_000;
  ids.push(next());
  assert.deepEqual([...ids].sort(), ids);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.ok(isQueueId(id), id);
  assert.notEqual(queueIds(() => clock, 0.25)().slice(-4), ids[0]?.slice(-4));
  for (const bad of ["", "lock", "4jWhYf3QFDzWQ2", "4jWhYf3QFDzWQ2Fa", "AAAAAAAAAAzAAAA", "4jWhYf3QFD/WQ2F"]) assert.ok(!isQueueId(bad), bad);
});
