import assert from "node:assert/strict";
import { test } from "node:test";
import { Unclaimed } from "../../../src/store/maildir/unclaimed.ts";

const members = (unclaimed: Unclaimed): number[] => Array.from({ length: 40 }, (_, uid) => uid).filter((uid) => unclaimed.has(uid));

test("UIDs that follow each other, and others", () => {
  const unclaimed = new Unclaimed();
  assert.equal(unclaimed.none, true);
  unclaimed.addRange(10, 13);
  unclaimed.add(13);
  unclaimed.add(3);
  unclaimed.addRange(20, 22);
  unclaimed.addRange(14, 16);
  unclaimed.addRange(30, 30);
  assert.deepEqual(members(unclaimed), [3, 10, 11, 12, 13, 14, 15, 20, 21]);
  assert.equal(unclaimed.none, false);
  unclaimed.clear();
  assert.deepEqual(members(unclaimed), []);
  assert.equal(unclaimed.none, true);
  unclaimed.add(5);
  assert.deepEqual(members(unclaimed), [5]);
});
