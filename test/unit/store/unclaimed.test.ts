import assert from "node:assert/strict";
import { test } from "node:test";
import { Table } from "../../../src/store/index/table.ts";
import { addRow } from "../../../src/store/maildir/new-rows.ts";
import { inCur, inNew, maildirSchema, nowhere, type Place } from "../../../src/store/maildir/row.ts";
import { unclaimed } from "../../../src/store/maildir/unclaimed.ts";
import { UidRuns } from "../../../src/store/uid-runs.ts";

/** Messages with the UIDs 1, 2, ... where these say. */
function tableOf(places: readonly Place[]): Table<typeof maildirSchema> {
  const table = new Table(maildirSchema, 1);
  const name = Buffer.from("1700000000.1.host");
  places.forEach((place, i) => addRow(table, { uid: i + 1, place, set: 0, modSeq: 1 }, name, 0, name.length, ""));
  return table;
}

const found = (table: Table<typeof maildirSchema>, ...others: (readonly [number, number])[]): unknown => {
  const runs = new UidRuns();
  for (const [from, to] of others) runs.addRange(from, to);
  const { uids, fresh } = unclaimed(table, runs);
  return { uids: [...uids], fresh };
};

test("what is in new/, and what is known to be unclaimed and is in cur/", () => {
  const table = tableOf([inNew, inCur, inCur, nowhere, inCur, inNew]);
  assert.deepEqual(found(table), { uids: [1, 6], fresh: [0, 5] });
  assert.deepEqual(found(table, [2, 7]), { uids: [1, 2, 3, 5, 6], fresh: [0, 5] });
  assert.deepEqual(found(table, [3, 4], [9, 12]), { uids: [1, 3, 6], fresh: [0, 5] });
});

test("all in cur/, and of a range some that are gone", () => {
  const table = tableOf([inCur, inCur, inCur, inCur]);
  assert.deepEqual(found(table, [1, 5]), { uids: [1, 2, 3, 4], fresh: [] });
  table.remove([1], undefined);
  assert.deepEqual(found(table, [1, 5]), { uids: [1, 3, 4], fresh: [] });
  assert.deepEqual(found(table, [2, 3]), { uids: [], fresh: [] });
  assert.deepEqual(found(table), { uids: [], fresh: [] });
});
