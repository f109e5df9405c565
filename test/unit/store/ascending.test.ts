/** Places of UIDs, with none, few and most of them missing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstFrom } from "../../../src/store/index/ascending.ts";

test("the first that is as high or higher, wherever UIDs are missing", () => {
  for (const [least, most] of [[1, 1], [1, 2], [1, 50], [1, 100_000]] as const) {
    for (let length = 0; length < 40; length++) {
      const uids: number[] = [];
      for (let last = length % 5; uids.length < length; uids.push(last)) last += least + ((uids.length * 7919 + length) % most);
      const column = Uint32Array.from([...uids, 0, 0]);
      const asked = new Set([0, 1, 0xffff_ffff, ...uids.flatMap((uid) => [uid - 1, uid, uid + 1])]);
      for (const uid of asked) {
        const first = uids.findIndex((one) => one >= uid);
        assert.equal(firstFrom(column, length, uid), first < 0 ? length : first, `${uid} of ${uids.join(" ")}`);
      }
    }
  }
});
