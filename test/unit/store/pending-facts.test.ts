/** Facts that wait to be written: what is handed over are whole records of messages that are there, whatever was put, replaced and dropped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordAt } from "../../../src/store/index/facts-record.ts";
import { PendingFacts, type Waiting } from "../../../src/store/index/pending-facts.ts";

const keyOf = (uid: number): Buffer => Buffer.from(`key ${uid}`);

/** Key and facts of each record, in their order. */
function read({ records, places }: Waiting): [string, string][] {
  const found: [string, string][] = [];
  let at = 0;
  for (const place of places.values()) {
    assert.equal(place, at);
    const record = recordAt(records, at);
    assert.ok(typeof record === "object");
    found.push([record.key.toString(), record.facts.toString()]);
    at = record.end;
  }
  assert.equal(at, records.length);
  return found;
}

test("facts put, replaced, dropped by chance", () => {
  let seed = 1;
  const upTo = (n: number): number => (seed = (seed * 48_271) % 2_147_483_647) % n;
  const pending = new PendingFacts();
  const gone = new Set<number>();
  let model = new Map<number, string>();
  for (let n = 0; n < 20_000; n++) {
    const uid = upTo(200);
    const what = upTo(100);
    if (what < 80) {
      const facts = String.fromCharCode(97 + upTo(26)).repeat(1 + upTo(500));
      const buffer = Buffer.from(facts);
      pending.put(uid, keyOf(uid), buffer);
      // It was copied.
      buffer.fill(0);
      model.delete(uid);
      model.set(uid, facts);
    } else if (what < 95) {
      pending.drop(uid);
      model.delete(uid);
    } else if (what < 97) gone.add(uid);
    else if (what < 99) {
      const there = [...model].filter(([one]) => !gone.has(one));
      assert.deepEqual(read(pending.waiting((one) => !gone.has(one))), there.map(([one, facts]) => [keyOf(one).toString(), facts]));
      model = new Map(there);
      gone.clear();
    } else {
      pending.clear(upTo(2) === 0);
      model.clear();
    }
    const one = upTo(200);
    assert.equal(pending.get(one)?.toString(), model.get(one));
    assert.equal(pending.lengthOf(one), model.get(one)?.length ?? 0);
    assert.equal(pending.octets, [...model].reduce((sum, [key, facts]) => sum + 16 + keyOf(key).length + facts.length, 0));
  }
});
