/** The cache file: facts come back as they were kept or not at all, whatever happened to the file. */
import assert from "node:assert/strict";
import { appendFileSync, closeSync, copyFileSync, existsSync, openSync, readFileSync, statSync, truncateSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { CacheFile } from "../../../src/store/index/cache-file.ts";
import { appendFacts, encodeRecords } from "../../../src/store/index/facts-record.ts";
import { MailIndex } from "../../../src/store/index/mail-index.ts";
import { temporary } from "./support.ts";

interface Place {
  readonly index: MailIndex<Record<never, never>>;
  readonly cache: CacheFile<Record<never, never>>;
  readonly path: string;
  readonly lines: string[];
  facts(uid: number): string | undefined;
  keep(uid: number, facts: string): void;
}

const keyOf = (uid: number): Buffer => Buffer.from(`key ${uid}`);
const factsOf = (uid: number): string => `facts of ${uid} ${"y".repeat(uid % 50)}`;

function place(t: TestContext, directory = temporary(t), count = 100): Place {
  const lines: string[] = [];
  const path = `${directory}/cache`;
  const log = (line: string): unknown => lines.push(line);
  const index = new MailIndex({}, { path: () => `${directory}/index`, log });
  for (let uid = index.table.length + 1; uid <= count; uid++)
    index.table.add({ uid, set: 0, modSeq: index.table.nextModSeq(1), size: NaN, date: NaN, saved: NaN, factsAt: 0, factsLength: 0, nameAt: index.table.keep(keyOf(uid)), nameLength: keyOf(uid).length });
  const cache = new CacheFile(index, { path: () => path, log }, { keyOf: (row) => index.table.name(row), isKey: (row, octets, from, to) => index.table.name(row).equals(octets.subarray(from, to)), rowOf: (key) => index.table.rowOf(Number(/^key (\d+)$/.exec(key.toString())?.[1] ?? -1)) });
  t.after(() => {
    cache.close();
    index.close();
  });
  return { index, cache, path, lines, facts: (uid) => cache.facts(index.table.rowOf(uid))?.toString(), keep: (uid, facts) => cache.keep(index.table.rowOf(uid), Buffer.from(facts)) };
}

test("kept facts come back, at once and from the file", (t) => {
  const { cache, facts, keep } = place(t);
  for (let uid = 1; uid <= 50; uid++) keep(uid, factsOf(uid));
  assert.equal(facts(50), factsOf(50));
  cache.save();
  for (let uid = 1; uid <= 50; uid++) assert.equal(facts(uid), factsOf(uid));
  for (const uid of [50, 3, 49, 1]) assert.equal(facts(uid), factsOf(uid));
  assert.equal(facts(51), undefined);
});

test("much that waits is written a moment later, very much at once", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { facts, keep, path } = place(t);
  keep(1, "x".repeat(100_000));
  t.mock.timers.tick(60_000);
  assert.equal(existsSync(path), false);
  for (let uid = 2; uid <= 4; uid++) keep(uid, "y".repeat(100_000));
  assert.equal(existsSync(path), false);
  t.mock.timers.tick(2000);
  assert.ok(statSync(path).size > 400_000);
  for (let uid = 5; uid <= 30; uid++) keep(uid, "z".repeat(100_000));
  assert.ok(statSync(path).size > 2_000_000);
  for (let uid = 1; uid <= 30; uid++) assert.equal(facts(uid)?.length, 100_000);
});

test("handed out octets stay as they are", (t) => {
  const { cache, index, keep } = place(t);
  for (let uid = 1; uid <= 100; uid++) keep(uid, factsOf(uid));
  cache.save();
  const all = Array.from({ length: 100 }, (_, row) => cache.facts(row));
  for (let row = 99; row >= 0; row--) cache.facts(row);
  assert.deepEqual(all.map(String), Array.from({ length: 100 }, (_, i) => factsOf(i + 1)));
  assert.equal(index.table.length, 100);
});

test("a delivery adds a record that the open mailbox finds", (t) => {
  const { cache, facts, path } = place(t);
  assert.equal(facts(7), undefined);
  appendFacts(path, [{ key: keyOf(7), facts: Buffer.from("seven") }, { key: Buffer.from("another mailbox's"), facts: Buffer.from("x") }]);
  cache.note();
  assert.equal(facts(7), "seven");
});

test("a lost index finds all facts again; a lost cache file costs the facts only", (t) => {
  const directory = temporary(t);
  const first = place(t, directory);
  for (let uid = 1; uid <= 100; uid++) first.keep(uid, factsOf(uid));
  first.cache.close();
  first.index.close();
  unlinkSync(`${directory}/index`);
  const second = place(t, directory);
  for (let uid = 1; uid <= 100; uid++) assert.equal(second.facts(uid), factsOf(uid));
  second.cache.close();
  second.index.close();
  unlinkSync(`${directory}/cache`);
  const third = place(t, directory);
  assert.equal(third.facts(5), undefined);
  third.keep(5, "five");
  third.cache.save();
  assert.equal(third.facts(5), "five");
  assert.equal(third.facts(6), undefined);
  assert.deepEqual(third.lines, []);
});

test("another mailbox's cache file in place of ours says nothing", (t) => {
  const [one, other] = [temporary(t), temporary(t)];
  const first = place(t, one);
  first.keep(3, "three");
  first.cache.save();
  appendFacts(`${other}/cache`, [{ key: Buffer.from("key 3?"), facts: Buffer.from("wrong") }]);
  copyFileSync(`${other}/cache`, first.path);
  first.cache.close();
  assert.equal(first.facts(3), undefined);
});

test("cut off or spoilt anywhere: right facts or none, and what is added then is found", (t) => {
  const directory = temporary(t);
  const records = [1, 2, 3, 4, 5].map((uid) => encodeRecords([{ key: keyOf(uid), facts: Buffer.from(factsOf(uid)) }]));
  const octets = Buffer.concat(records);
  const spoilt = Array.from({ length: octets.length }, (_, at) => {
    const copy = Buffer.from(octets);
    copy[at] ^= 0x41;
    return copy;
  });
  const cut = Array.from({ length: octets.length }, (_, at) => octets.subarray(0, at));
  for (const [i, content] of [...spoilt, ...cut].entries()) {
    writeFileSync(`${directory}/cache`, content);
    const { facts, cache, index } = place(t, directory);
    appendFacts(`${directory}/cache`, [{ key: keyOf(9), facts: Buffer.from("nine") }, { key: keyOf(10), facts: Buffer.from("z".repeat(300)) }]);
    let known = 0;
    for (let uid = 1; uid <= 5; uid++) {
      const found = facts(uid);
      if (found !== undefined) assert.equal(found, factsOf(uid));
      if (found !== undefined) known++;
    }
    if (i < octets.length) assert.ok(known === 4, `octet ${i}: ${known} of 5`);
    assert.equal(facts(10)?.length, 300, `${i}`);
    cache.close();
    index.close();
    unlinkSync(`${directory}/cache`);
    unlinkSync(`${directory}/index`);
  }
});

test("facts that were found right once are looked at again when somebody wrote to the file", (t) => {
  const { cache, facts, keep, path } = place(t);
  // More than is read ahead.
  const long = (uid: number): string => `${factsOf(uid)} ${"z".repeat(40_000)}`;
  for (let uid = 1; uid <= 100; uid++) keep(uid, long(uid));
  cache.save();
  for (let times = 0; times < 3; times++) for (let uid = 1; uid <= 100; uid++) assert.ok(facts(uid) === long(uid));
  const fd = openSync(path, "r+");
  const spoilt = [20, 60];
  for (const uid of spoilt) writeSync(fd, "Z", readFileSync(path).indexOf(`facts of ${uid} `) + 1000);
  closeSync(fd);
  const right = Array.from({ length: 100 }, (_, i) => i + 1).filter((uid) => facts(uid) === long(uid));
  assert.deepEqual(right, Array.from({ length: 100 }, (_, i) => i + 1).filter((uid) => !spoilt.includes(uid)));
  for (const uid of spoilt) assert.equal(facts(uid), undefined);
});

test("noise in the place where the table thinks a record is", (t) => {
  const { cache, facts, keep, path } = place(t);
  keep(1, "one");
  cache.save();
  assert.equal(facts(1), "one");
  cache.close();
  writeFileSync(path, Buffer.alloc(statSync(path).size, "PHF1"));
  assert.equal(facts(1), undefined);
});

test("a file that is mostly dead is compacted, and everything is found after that", async (t) => {
  const { index, cache, facts, keep, path } = place(t, temporary(t), 3000);
  const facts1k = (uid: number): string => `${uid} `.repeat(200);
  for (let uid = 1; uid <= 3000; uid++) keep(uid, facts1k(uid));
  cache.save();
  const { size } = statSync(path);
  index.table.remove(Array.from({ length: 2800 }, (_, i) => i), index.table.nextModSeq(1));
  keep(2990, "already there");
  for (let n = 0; statSync(path).size >= size && n < 100; n++) {
    appendFacts(path, [{ key: Buffer.from("nobody"), facts: Buffer.alloc(100_000) }]);
    keep(2999 - n, "again");
    cache.save();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(statSync(path).size < size / 4);
  for (let uid = 2802; uid <= 2880; uid++) assert.equal(facts(uid), facts1k(uid));
  for (let uid = 2881; uid <= 3000; uid++) assert.ok([facts1k(uid), "again", "already there", undefined].includes(facts(uid)));
  assert.equal(existsSync(`${path}.tmp`), false);
});

test("what does not fit is not kept, and nothing throws", (t) => {
  const { cache, facts, keep, path, lines } = place(t);
  keep(1, "");
  keep(2, "x".repeat(2 << 20));
  cache.save();
  assert.deepEqual([facts(1), facts(2)], [undefined, undefined]);
  appendFileSync(path, "");
  truncateSync(path, 0);
  keep(3, "three");
  cache.save();
  assert.equal(facts(3), "three");
  assert.deepEqual(lines, []);
});
