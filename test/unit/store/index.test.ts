/** The index file: what is read back is what some moment of writing had, whatever happened to the file since. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, renameSync, statSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { MailIndex, loadTable } from "../../../src/store/index/mail-index.ts";
import { Table } from "../../../src/store/index/table.ts";
import type { ModSeq } from "../../../src/store/mailbox.ts";
import { temporary } from "./support.ts";

const schema = { place: "u8", more: "set" } as const;
type Index = MailIndex<typeof schema>;

/** Small, the same in every run. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** All that a table says. */
function said(table: Table<typeof schema>): unknown {
  const rows = Array.from({ length: table.length }, (_, row) => ({
    uid: table.at.uid[row],
    set: table.setAt(table.at.set[row]),
    more: table.setAt(table.at.more[row]),
    modSeq: table.at.modSeq[row],
    size: table.at.size[row],
    place: table.at.place[row],
    facts: [table.at.factsAt[row], table.at.factsLength[row]],
    name: table.name(row).toString(),
  }));
  return { rows, head: table.head ?? null, modSeq: table.modSeq, since: table.expungedSince(1 as ModSeq), gone: table.expungedSince((table.modSeq - 1) as ModSeq), marks: [...Array.from(table.marks)], cache: table.cache };
}

let time = 1_700_000_000_000_000;

function addOne(table: Table<typeof schema>, uid: number, pick: (below: number) => number): void {
  const name = Buffer.from(`name-${uid}-${"x".repeat(pick(9))}`);
  table.add({
    uid, set: table.numberOf(`flags ${pick(5)}`), more: table.numberOf(pick(2) === 0 ? "" : `more ${pick(100)}`), modSeq: table.nextModSeq(time++), size: pick(2) === 0 ? NaN : pick(10_000),
    date: NaN, saved: uid * 1000, factsAt: pick(5), factsLength: pick(3), nameAt: table.keep(name), nameLength: name.length, place: pick(2),
  });
}

/** A few changes, as a mailbox would make them. */
function change(table: Table<typeof schema>, pick: (below: number) => number): void {
  for (let n = pick(6); n > 0; n--) addOne(table, Math.max(table.length === 0 ? 0 : table.at.uid[table.length - 1], (table.head as number | undefined) ?? 0) + 1 + pick(3), pick);
  if (table.length > 0) table.head = table.at.uid[table.length - 1];
  for (let n = pick(4); n > 0 && table.length > 0; n--) {
    const row = pick(table.length);
    table.set("set", row, table.numberOf(`flags ${pick(9)}`));
    table.set("modSeq", row, table.nextModSeq(time++));
    if (pick(2) === 0) table.set("size", row, pick(10_000));
    if (pick(3) === 0) table.set("factsLength", row, pick(10));
  }
  const gone = Array.from({ length: table.length }, (_, row) => row).filter(() => pick(6) === 0);
  table.remove(gone, table.nextModSeq(time++));
  if (pick(3) === 0) table.mark(pick(1000));
  if (pick(20) === 0) table.unmark();
  if (pick(4) === 0) table.cache = { inode: String(pick(9)), end: pick(1000) };
}

function open(path: string, lines: string[] = []): Index {
  return new MailIndex(schema, { path: () => path, log: (line) => lines.push(line) });
}

/** A file written in some saves, and what the table said at each of them. */
function written(path: string, seed: number, saves: number): { octets: Buffer; states: string[] } {
  const pick = chance(seed);
  const index = open(path);
  const states: string[] = [];
  for (let n = 0; n < saves; n++) {
    change(index.table, pick);
    if (n === 0) index.table.head = 0;
    index.save();
    states.push(JSON.stringify(said(index.table)));
  }
  index.close();
  return { octets: readFileSync(path), states };
}

const reloaded = (octets: Buffer): { verdict: string; state: string } => {
  const table = new Table(schema, 1);
  const copy = Buffer.from(new ArrayBuffer(octets.length));
  octets.copy(copy);
  const { verdict } = loadTable(table, copy);
  return { verdict, state: verdict === "right" ? JSON.stringify(said(table)) : "" };
};

test("what was saved is read back, however it was changed", (t) => {
  const directory = temporary(t);
  for (let seed = 1; seed <= 60; seed++) {
    const path = `${directory}/${seed}`;
    const { states } = written(path, seed, 1 + (seed % 12));
    const again = open(path);
    assert.equal(JSON.stringify(said(again.table)), states.at(-1));
    // It goes on from there.
    const pick = chance(seed + 1000);
    change(again.table, pick);
    again.save();
    change(again.table, pick);
    again.close();
    const third = open(path);
    assert.deepEqual(said(third.table), said(again.table));
    third.close();
  }
});

test("rows can be read later: the end of the file says how many there are", (t) => {
  const directory = temporary(t);
  for (let seed = 1; seed <= 20; seed++) {
    const path = `${directory}/${seed}`;
    const { states } = written(path, seed, 1 + (seed % 12));
    const lines: string[] = [];
    const later = new MailIndex(schema, { path: () => path, log: (line) => lines.push(line), deferred: true });
    const state = JSON.parse(states.at(-1) ?? "") as { rows: unknown[]; head: unknown; modSeq: number };
    assert.deepEqual(later.outline, { head: state.head, rows: state.rows.length, modSeq: state.modSeq });
    assert.throws(() => later.table, /not loaded/);
    const before = readFileSync(path);
    later.save();
    assert.deepEqual(readFileSync(path), before);
    assert.ok(later.load());
    assert.equal(JSON.stringify(said(later.table)), states.at(-1));
    assert.equal(later.outline, undefined);
    later.close();
    assert.deepEqual(lines, []);
  }
});

test("rows that are not as the end of the file says are not taken for them", (t) => {
  const directory = temporary(t);
  const { octets } = written(`${directory}/good`, 12, 6);
  const verdicts = new Set<boolean>();
  for (let at = 0; at < octets.length; at += 7) {
    const path = `${directory}/${at}`;
    const spoilt = Buffer.from(octets);
    spoilt[at] ^= 0x40;
    writeFileSync(path, spoilt);
    const lines: string[] = [];
    const later = new MailIndex(schema, { path: () => path, log: (line) => lines.push(line), deferred: true });
    if (later.outline !== undefined) {
      const { modSeq } = later.outline;
      const right = later.load();
      verdicts.add(right);
      assert.equal(right, false, `octet ${at}`);
      assert.match(lines.join("\n"), /^index .*damaged/);
      assert.ok(later.modSeq <= modSeq || later.table.length === 0);
    } else verdicts.add(true);
    later.close();
    unlinkSync(path);
  }
  assert.equal(verdicts.size, 2);
});

test("cut off anywhere: the state of an earlier save, or nothing", (t) => {
  const directory = temporary(t);
  for (const seed of [3, 4]) {
    const { octets, states } = written(`${directory}/${seed}`, seed, 6);
    const seen = new Set<string>();
    for (let length = 0; length <= octets.length; length++) {
      const { verdict, state } = reloaded(octets.subarray(0, length));
      assert.notEqual(verdict, "wrong", `cut at ${length}`);
      if (verdict === "right") assert.ok(states.includes(state), `cut at ${length}`);
      seen.add(state);
    }
    assert.equal(seen.size, new Set(states).size + 1);
  }
});

test("a change that was made for another file is not believed", (t) => {
  const directory = temporary(t);
  const path = `${directory}/index`;
  const { octets } = written(path, 10, 4);
  const index = open(path);
  index.table.mark(1);
  index.save();
  index.close();
  const added = readFileSync(path).subarray(octets.length);
  assert.ok(added.length > 0);
  assert.equal(reloaded(Buffer.concat([octets, added])).verdict, "right");
  const other = written(`${directory}/other`, 11, 4).octets;
  assert.equal(reloaded(Buffer.concat([other, added])).verdict, "wrong");
});

test("any octet changed: the state of an earlier save, or made anew", (t) => {
  const directory = temporary(t);
  const { octets, states } = written(`${directory}/index`, 7, 6);
  const verdicts = new Set<string>();
  for (let at = 0; at < octets.length; at++) {
    for (const bit of [1, 0x80]) {
      const spoilt = Buffer.from(octets);
      spoilt[at] ^= bit;
      const { verdict, state } = reloaded(spoilt);
      verdicts.add(verdict);
      if (verdict === "right") assert.ok(states.includes(state), `octet ${at}`);
    }
  }
  assert.ok(verdicts.has("wrong") && verdicts.has("right"));
});

test("noise, zeros, other files: made anew, and the log says so", (t) => {
  const directory = temporary(t);
  const { octets } = written(`${directory}/good`, 9, 3);
  const pick = chance(11);
  const noise = Buffer.from(Array.from({ length: 5000 }, () => pick(256)));
  for (const [name, content] of Object.entries({ noise, text: Buffer.from("hello\n".repeat(100)), twice: Buffer.concat([octets, noise]) })) {
    writeFileSync(`${directory}/${name}`, content);
    const lines: string[] = [];
    const index = open(`${directory}/${name}`, lines);
    assert.equal(index.table.length, 0);
    assert.match(lines.join("\n"), /damaged, made anew$/);
    addOne(index.table, 5, pick);
    index.close();
    assert.equal(open(`${directory}/${name}`).table.length, 1);
  }
  writeFileSync(`${directory}/zeros`, Buffer.concat([octets, Buffer.alloc(4096)]));
  assert.ok(open(`${directory}/zeros`).table.length > 0, "zeros at the end are a block that never came");
});

test("right octets that make no sense are not believed", () => {
  const table = new Table(schema, 1);
  const pick = chance(1);
  for (const uid of [1, 2, 3]) addOne(table, uid, pick);
  const good = table.everything();
  const take = (change: Partial<typeof good>): boolean => {
    const other = new Table(schema, 1);
    return other.take({ ...good, added: good.added.map((column) => column.slice()), ...change }) && other.loaded();
  };
  const put = (column: number, values: Uint32Array): { added: (typeof good.added)[number][] } => ({ added: good.added.map((one, i) => (i === column ? values : one.slice())) });
  assert.ok(take({}));
  assert.ok(!take(put(0, Uint32Array.of(1, 1, 2))), "UIDs ascend");
  assert.ok(!take(put(0, Uint32Array.of(0, 1, 2))), "UID 0");
  assert.ok(!take(put(1, Uint32Array.of(0, 1, 999))), "a set that is not there");
  assert.ok(!take({ heap: good.heap.subarray(0, 3) }), "names beyond the heap");
  assert.ok(!take({ removed: Uint32Array.of(7) }), "a row that is not there");
});

test("changes are added, and a snapshot takes their place when they outgrow it", (t) => {
  const path = `${temporary(t)}/index`;
  const index = open(path);
  const pick = chance(5);
  for (let uid = 1; uid <= 2000; uid++) addOne(index.table, uid, pick);
  index.save();
  const { size, ino } = statSync(path);
  index.table.set("size", 7, 4711);
  index.save();
  const grown = statSync(path);
  assert.equal(grown.ino, ino);
  assert.ok(grown.size > size && grown.size < size + 1000);
  let snapshots = 0;
  for (let n = 0, last = grown.size; n < 100; n++) {
    for (let row = 0; row < 2000; row++) index.table.set("size", row, n * row);
    index.save();
    if (statSync(path).size < last) snapshots++;
    last = statSync(path).size;
  }
  assert.ok(snapshots > 2 && snapshots < 50, `${snapshots} snapshots`);
  assert.ok(statSync(path).size < 3 * size + 300_000);
  assert.equal(open(path).writing, false, "the lock moved along");
  index.close();
  assert.deepEqual(said(open(path).table), said(index.table));
});

test("nothing changed, nothing written", (t) => {
  const path = `${temporary(t)}/index`;
  const index = open(path);
  addOne(index.table, 1, chance(1));
  index.save();
  const { size, mtimeNs } = statSync(path, { bigint: true });
  index.save();
  index.table.set("uid", 0, 1);
  index.close();
  assert.deepEqual([statSync(path, { bigint: true }).size, statSync(path, { bigint: true }).mtimeNs], [size, mtimeNs]);
});

test("one writes, the others read", (t) => {
  const path = `${temporary(t)}/index`;
  const first = open(path);
  addOne(first.table, 1, chance(1));
  first.save();
  const second = open(path);
  assert.deepEqual([first.writing, second.writing], [true, false]);
  assert.deepEqual(said(second.table), said(first.table));
  addOne(second.table, 2, chance(1));
  second.close();
  assert.equal(open(path).table.length, 1);
  first.close();
  assert.equal(open(path).writing, true);
});

test("removed under our feet it is written again; another's in its place is let alone", (t) => {
  const path = `${temporary(t)}/index`;
  const index = open(path);
  addOne(index.table, 1, chance(1));
  index.save();
  unlinkSync(path);
  addOne(index.table, 2, chance(1));
  index.save();
  assert.equal(open(path).table.length, 2);
  writeFileSync(`${path}.other`, "another's");
  renameSync(`${path}.other`, path);
  addOne(index.table, 3, chance(1));
  index.save();
  assert.equal(readFileSync(path, "utf8"), "another's");
  assert.equal(index.writing, false);
});

test("expunges are remembered by MODSEQ, as far back as is told", () => {
  const table = new Table(schema, 1000);
  const pick = chance(1);
  for (let uid = 1; uid <= 70_000; uid++) addOne(table, uid, pick);
  const before = table.modSeq;
  table.remove([1, 3], table.nextModSeq(1));
  assert.deepEqual(table.expungedSince(before), [2, 4]);
  assert.deepEqual(table.expungedSince(table.modSeq), []);
  assert.equal(table.expungedSince(999 as ModSeq), undefined);
  const later = table.modSeq;
  for (let n = 0; n < 66_000; n++) table.remove([table.length - 1], table.nextModSeq(1));
  assert.equal(table.expungedSince(before), undefined, "forgotten");
  assert.equal(table.expungedSince(later), undefined);
  const known = table.expungedSince((table.modSeq - 100) as ModSeq);
  assert.equal(known?.length, 100);
});

test("MODSEQs ascend although the clock goes back, and over a reset", (t) => {
  const index = open(`${temporary(t)}/index`);
  const { table } = index;
  const first = table.nextModSeq(5_000_000_000_000_000);
  assert.equal(table.nextModSeq(1), first + 1);
  index.reset();
  assert.ok(index.table.modSeq > first + 1);
});

test("strings and names that no message has any more go", (t) => {
  const path = `${temporary(t)}/index`;
  const index = open(path);
  addOne(index.table, 1, chance(1));
  for (let n = 0; n < 5000; n++) index.table.set("set", 0, index.table.numberOf(`only once ${n}`));
  for (let uid = 2; uid < 3000; uid++) addOne(index.table, uid, chance(uid));
  index.table.remove(Array.from({ length: 2990 }, (_, i) => i + 1), index.table.nextModSeq(1));
  index.close();
  const again = open(path);
  assert.equal(again.table.setAt(again.table.at.set[0]), "only once 4999");
  assert.deepEqual(said(again.table), said(index.table));
  again.table.head = "one more";
  again.close();
  assert.ok(statSync(path).size < 100_000);
  assert.deepEqual(said(open(path).table), said(again.table));
});

test("no file can be made: works without, says so once", (t: TestContext) => {
  const lines: string[] = [];
  const index = open(`${temporary(t)}/nowhere/index`, lines);
  addOne(index.table, 1, chance(1));
  index.save();
  index.save();
  index.close();
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^index .*ENOENT$/);
});

test("a full disk: no throw, and written when there is room", { skip: process.getuid!() === 0 ? false : "only root can mount" }, (t) => {
  const root = temporary(t);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=640k", "none", root]).status !== 0) return t.skip("tmpfs can not be mounted");
  try {
    const lines: string[] = [];
    const index = open(`${root}/index`, lines);
    const pick = chance(2);
    for (let uid = 1; uid <= 100; uid++) addOne(index.table, uid, pick);
    index.save();
    const small = readFileSync(`${root}/index`);
    writeFileSync(`${root}/filler`, Buffer.alloc(560_000));
    for (let uid = 101; uid <= 3000; uid++) addOne(index.table, uid, pick);
    index.save();
    index.save();
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /ENOSPC/);
    assert.ok(readFileSync(`${root}/index`).equals(small), "as it was before");
    // Where even a snapshot has no room, and then has.
    unlinkSync(`${root}/index`);
    writeFileSync(`${root}/more`, Buffer.alloc(30_000));
    index.save();
    assert.deepEqual(readdirSync(root).filter((name) => name.endsWith(".tmp")), []);
    truncateSync(`${root}/filler`, 0);
    index.close();
    assert.deepEqual(said(open(`${root}/index`).table), said(index.table));
  } finally {
    spawnSync("umount", ["-l", root]);
  }
});
