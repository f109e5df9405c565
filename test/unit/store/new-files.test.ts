/** Files that get UIDs on their way from a directory to rows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Columns } from "../../../src/store/index/columns.ts";
import { Table } from "../../../src/store/index/table.ts";
import { addRow, PreparedRows } from "../../../src/store/maildir/new-rows.ts";
import { inOrder } from "../../../src/store/maildir/order.ts";
import { baseOf, inCur, maildirSchema } from "../../../src/store/maildir/row.ts";
import { Strangers } from "../../../src/store/maildir/scan.ts";

/** @param expected octets that each batch of a hundred is said to have at most, or what they have */
function strangersOf(names: readonly string[], expected?: number): Strangers {
  const strangers = new Strangers();
  names.forEach((name, i) => {
    if (i % 100 === 0) strangers.expect(expected ?? names.slice(i, i + 100).reduce((sum, one) => sum + one.length, 0));
    strangers.add(Buffer.from(`x${name}y`), 1, 1 + name.length, inCur, i % 3);
  });
  return strangers;
}

const named = ({ names, from, to, length }: Strangers): string[] => Array.from({ length }, (_, i) => names.toString("latin1", from[i], to[i]));

test("names are kept, whatever was expected", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `${i}`.repeat(1 + (i % 7)));
  for (const expected of [undefined, 0, 7, 1 << 20]) {
    const strangers = strangersOf(names, expected);
    assert.deepEqual(named(strangers), names);
    assert.deepEqual([...strangers.set.subarray(0, 1000)], names.map((_, i) => i % 3));
  }
});

test("prepared rows are none until they are added, behind others and in an empty table", () => {
  const names = ["1700000001.1.host,S=9,W=10", "1700000003.1.host", "1700000002.1.host,W=7"];
  const sorted = [names[0], names[2], names[1]];
  for (const before of [0, 2]) {
    const table = new Table(maildirSchema, 1);
    const other = Buffer.from("1600000000.1.other");
    for (let i = 0; i < before; i++) addRow(table, { uid: i + 1, place: inCur, set: 0, modSeq: 1 }, other, 0, other.length, "");
    // Room that rows had which are gone again has what they had.
    table.add({ uid: 90, set: 5, modSeq: 5, size: 5, date: 5, saved: 5, factsAt: 5, factsLength: 5, nameAt: 0, nameLength: 0, place: inCur, more: 5, baseLength: 0 });
    table.remove([before], undefined);
    const rows = new PreparedRows(table, 11, 42, inOrder(strangersOf(names)));
    assert.equal(table.length, before);
    assert.equal(rows.add(), before);
    const { uid, modSeq, size, saved, factsAt, factsLength, more } = table.at;
    const added = Array.from({ length: 3 }, (_, i) => before + i);
    assert.equal(table.length, before + 3);
    assert.deepEqual(added.map((row) => [uid[row], modSeq[row], baseOf(table, row)]), sorted.map((name, i) => [11 + i, 42, name]));
    assert.deepEqual(added.map((row) => [size[row], saved[row]]), [[10, 1_700_000_001_000], [7, 1_700_000_002_000], [NaN, 1_700_000_003_000]]);
    assert.deepEqual(added.map((row) => [factsAt[row], factsLength[row], more[row]]), [[0, 0, 0], [0, 0, 0], [0, 0, 0]]);
    assert.equal(table.changes()?.addedRows, before + 3, "the file has none of them");
    if (before > 0) assert.equal(baseOf(table, 0), "1600000000.1.other");
  }
});

test("whether a column is 0", () => {
  const columns = new Columns({ one: "u32" } as const);
  assert.equal(columns.isZero(0), true);
  for (let i = 0; i < 5; i++) columns.add({ one: 0 });
  assert.equal(columns.isZero(0), true);
  for (const [row, value] of [[0, 1], [4, 1 << 24], [2, 0x01010101]]) {
    columns.set(0, row, value);
    assert.equal(columns.isZero(0), false);
    columns.set(0, row, 0);
  }
  for (let row = 0; row < 5; row++) columns.set(0, row, 0x01010101);
  assert.equal(columns.isZero(0), false);
});
