/** Columns of numbers grow, and those that nobody keeps give memory back as they do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Columns } from "../../../src/store/index/columns.ts";

const schema = { uid: "u32", date: "f64", bits: "u8" } as const;

function filled(passing: boolean): Columns<typeof schema> {
  const columns = new Columns(schema, { passing });
  for (let n = 0; n < 1000; n++) columns.add({ uid: n + 1, date: n / 2, bits: n & 0xff });
  return columns;
}

const rowOf = ({ at }: Columns<typeof schema>, row: number): number[] => [at.uid[row] ?? NaN, at.date[row] ?? NaN, at.bits[row] ?? NaN];

for (const passing of [false, true])
  test(`rows are as they were added, and those that stay as they were${passing ? ", where memory is given back" : ""}`, () => {
    const columns = filled(passing);
    assert.equal(columns.length, 1000);
    assert.deepEqual(rowOf(columns, 999), [1000, 499.5, 999 & 0xff]);
    columns.remove([0, 1, 500]);
    assert.deepEqual([columns.length, rowOf(columns, 0), rowOf(columns, 997 - 1)], [997, [3, 1, 2], [1000, 499.5, 999 & 0xff]]);
    columns.reserve(100_000);
    assert.deepEqual([columns.length, rowOf(columns, 0)], [997, [3, 1, 2]]);
  });

test("what was given of columns is good after they grew, but not of passing ones, whose memory is given back at once", () => {
  for (const passing of [false, true]) {
    const columns = filled(passing);
    const { uid } = columns.at;
    columns.reserve(10_000);
    assert.equal(uid.length === 0, passing);
    const whole = columns.numbers(0);
    columns.release();
    assert.equal(whole.length === 0, passing);
    assert.equal(columns.length, 0);
    columns.add({ uid: 7, date: 1, bits: 1 });
    assert.deepEqual(rowOf(columns, 0), [7, 1, 1]);
  }
});
