/** Words are looked up without a thread, which has the index to itself where there is one. */
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { test } from "node:test";
import { indexFiles } from "../../../src/store/fulltext/stamp.ts";
import { candidatesFor, letter, put, startIndexed, type Indexed } from "./support.ts";

const word = (n: number): string => `word-${n}-of-them`;
const threads = (): number => readdirSync("/proc/self/task").length;

async function built(hereUpTo?: number): Promise<Indexed> {
  const indexed = startIndexed({}, undefined, hereUpTo);
  indexed.store.mailbox("INBOX").add([1, 2, 3].map((n) => put(letter(`subject ${n}`, word(n)))));
  await indexed.fulltext.build("INBOX");
  return indexed.again();
}

const find = (indexed: Indexed, n: number) => candidatesFor(indexed.fulltext, indexed.store.mailbox("INBOX"), "body", word(n));

test("a look-up starts no thread; one that is started for more has the index, and looks words up", async () => {
  const indexed = await built();
  try {
    const before = threads();
    assert.deepEqual([await find(indexed, 2), await find(indexed, 3)], [[2], [3]]);
    assert.equal(threads(), before);
    indexed.store.mailbox("INBOX").add([put(letter("subject 4", word(4)))]);
    assert.deepEqual(await find(indexed, 1), [1, 4], "the new one is to be read");
    const building = indexed.fulltext.build("INBOX");
    assert.deepEqual(await find(indexed, 2), [2, 4]);
    await building;
    assert.ok(threads() > before);
    assert.deepEqual([await find(indexed, 1), await find(indexed, 4)], [[1], [4]]);
    const again = await indexed.again();
    assert.deepEqual(await find(again, 4), [4]);
    assert.deepEqual(again.notes, [], "it was left as it should be, by either");
    await again.close();
  } finally {
    await indexed.close();
  }
});

test("a large index is the thread's", async () => {
  const small = await built();
  const { size } = statSync(indexFiles(small.side).database);
  await small.close();
  const indexed = await built(size);
  try {
    const before = threads();
    assert.deepEqual(await find(indexed, 2), [2]);
    assert.ok(threads() > before);
  } finally {
    await indexed.close();
  }
});

test("searches at once are all answered, whichever looks them up", async () => {
  const indexed = await built();
  try {
    indexed.store.mailbox("INBOX").add([put(letter("subject 4", word(4)))]);
    const building = indexed.fulltext.build("INBOX");
    const found = await Promise.all([1, 2, 3, 1, 2, 3].map((n) => find(indexed, n)));
    for (const [i, uids] of found.entries()) assert.ok(uids?.includes(((i % 3) + 1) as never) === true, `${i}: ${uids}`);
    await building;
    assert.deepEqual(await find(indexed, 4), [4]);
  } finally {
    await indexed.close();
  }
});
