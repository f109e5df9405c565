/** Sorting and threading as pure functions: against slow and simple ones, and on mail made to be slow. RFC 5256 §3 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Output } from "../../../src/agent/output.ts";
import { writeThreads } from "../../../src/agent/imap/thread.ts";
import { hashId, idOctets } from "../../../src/imap/facts-ids.ts";
import { Forest } from "../../../src/imap/forest.ts";
import { IdNumbers } from "../../../src/imap/id-numbers.ts";
import { rankNumbers, sortByRanks } from "../../../src/imap/sort.ts";
import { mergeTexts, rankTexts } from "../../../src/imap/text-ranks.ts";
import { orderedSubject, references, refs, type Referring } from "../../../src/imap/thread.ts";
import { chance } from "./correspondence.ts";

/** Messages by their identifier and references; dates are their order unless given, subjects differ unless given. */
function mail(list: readonly { id: number; refs: readonly number[]; date?: number; subject?: number; reply?: boolean }[]): Referring {
  const ids = 1 + list.reduce((most, m) => m.refs.reduce((a, b) => Math.max(a, b), Math.max(most, m.id)), -1);
  const refsFrom = [0];
  for (const m of list) refsFrom.push((refsFrom.at(-1) ?? 0) + m.refs.length);
  return {
    count: list.length,
    date: Uint32Array.from(list, (m, i) => m.date ?? i),
    subject: Uint32Array.from(list, (m, i) => m.subject ?? i + 1000),
    noSubject: 0,
    reply: Uint8Array.from(list, (m) => (m.reply === true ? 1 : 0)),
    own: Int32Array.from(list, (m) => m.id),
    refs: Int32Array.from(list.flatMap((m) => m.refs)),
    refsFrom: Uint32Array.from(refsFrom),
    ids,
  };
}

function print(threads: ReturnType<typeof references>): string {
  const sent: Buffer[] = [];
  const out = new Output((octets, written) => {
    sent.push(Buffer.from(octets));
    written();
  });
  writeThreads(out, threads, (n) => n + 1);
  out.flush();
  return Buffer.concat(sent).toString("latin1");
}

test("links, loops, duplicates and missing parents", () => {
  const m = (id: number, ...of: number[]): { id: number; refs: number[] } => ({ id, refs: of });
  assert.equal(print(references(mail([m(0), m(1, 0), m(2, 0, 1), m(3, 0)]))), "(1 (2 3)(4))");
  // A loop: the second link would close it.
  assert.equal(print(references(mail([m(0, 1), m(1, 0)]))), "(2 1)");
  assert.equal(print(references(mail([m(0, 0)]))), "(1)");
  // The second message of an identifier is as one that has none.
  assert.equal(print(references(mail([m(0), m(0), m(1, 0)]))), "(1 3)(2)");
  // A missing parent of two stays as a thread without a first message, of one it goes.
  assert.equal(print(references(mail([m(0, 9), m(1, 9), m(2, 8)]))), "((1)(2))(3)");
  // Missing ones in between are left out.
  assert.equal(print(references(mail([m(0), m(1, 0, 7, 8, 9)]))), "(1 2)");
  // A link from References of another is given up for the message's own (step 1 B).
  assert.equal(print(references(mail([m(2, 0, 1), m(1, 3), m(0), m(3)]))), "(3)(4 2 1)");
  assert.equal(print(references(mail([]))), "");
});

test("threads of one subject are gathered", () => {
  const s = (subject: number, reply: boolean, id = -1, of: number[] = []): { id: number; refs: number[]; subject: number; reply: boolean } => ({ id, refs: of, subject, reply });
  assert.equal(print(references(mail([s(1, false), s(1, true), s(1, true)]))), "(1 (2)(3))");
  assert.equal(print(references(mail([s(1, true), s(1, false)]))), "(2 1)");
  assert.equal(print(references(mail([s(1, false), s(1, false), s(2, false)]))), "((1)(2))(3)");
  assert.equal(print(references(mail([s(0, true), s(0, true)]))), "(1)(2)");
  // Two dummies become one; a message goes to a dummy.
  assert.equal(print(references(mail([s(1, true, 0, [8]), s(2, true, 1, [8]), s(1, true, 2, [9]), s(3, true, 3, [9]), s(1, false)]))), "((1)(2)(3)(4)(5))");
});

test("the order of siblings and threads is by date, of dummies by their first child", () => {
  const m = (id: number, date: number, ...of: number[]): { id: number; refs: number[]; date: number } => ({ id, refs: of, date });
  const list = [m(0, 5), m(1, 9, 0), m(2, 7, 0), m(3, 6), m(4, 8, 9), m(5, 4, 9)];
  assert.equal(print(references(mail(list))), "((6)(5))(1 (3)(2))(4)");
  assert.equal(print(refs(mail(list))), "(4)((6)(5))(1 (3)(2))");
});

test("ORDEREDSUBJECT has no grandchildren", () => {
  const subject = Uint32Array.of(2, 1, 2, 2, 1);
  assert.equal(print(orderedSubject({ count: 5, date: Uint32Array.of(5, 4, 3, 2, 1), subject })), "(5 2)(4 (3)(1))");
});

test("links and cuts are those of a forest that looks all the way up", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const next = chance(seed);
    const nodes = 2 + Math.floor(next() * 40);
    const forest = new Forest(nodes);
    const parent = new Array<number>(nodes).fill(-1);
    for (let step = 0; step < 500; step++) {
      const [child, above] = [Math.floor(next() * nodes), Math.floor(next() * nodes)];
      if (parent[child] !== -1) {
        if (next() < 0.5) continue;
        forest.cut(child);
        parent[child] = -1;
      }
      let at = above;
      while (at !== child && parent[at] !== -1) at = parent[at] ?? -1;
      const fits = at !== child;
      assert.equal(forest.link(child, above), fits);
      if (fits) parent[child] = above;
      assert.deepEqual([...forest.parent], parent);
    }
  }
});

test("a chain of 100,000 messages, in any order, and links that are given up again and again", () => {
  const n = 100_000;
  const m = (id: number, ...of: number[]): { id: number; refs: number[] } => ({ id, refs: of });
  const chain = Array.from({ length: n }, (_, i) => (i === 0 ? m(0) : m(i, i - 1)));
  const expected = `(${Array.from({ length: n }, (_, i) => i + 1).join(" ")})`;
  assert.equal(print(references(mail(chain))), expected);
  const dates = chain.map((x, i) => ({ ...x, date: i }));
  assert.equal(print(references(mail(dates.toReversed()))), `(${Array.from({ length: n }, (_, i) => n - i).join(" ")})`);
  // Half of them are chained by others' References first, and then hang themselves below the end of a chain.
  const half = n / 2;
  const long = Array.from({ length: 100 }, (_, i) => m(-1, ...Array.from({ length: half / 100 + 1 }, (_, j) => half + (i * half) / 100 + j).filter((id) => id < n)));
  const hung = Array.from({ length: half }, (_, i) => m(half + i, half - 1));
  const threads = references(mail([...chain.slice(0, half), ...long, ...hung]));
  assert.equal(print(threads).match(/\d+/g)?.length, n + 100);
});

test("sorting by several ranks keeps the order of equals", () => {
  const a = Uint32Array.of(1, 0, 1, 0, 1);
  const b = Uint32Array.of(0, 2, 1, 2, 0);
  assert.deepEqual([...sortByRanks(5, [{ ranks: a, reverse: false }, { ranks: b, reverse: true }])], [1, 3, 2, 0, 4]);
  assert.deepEqual([...sortByRanks(5, [{ ranks: a, reverse: true }])], [0, 2, 4, 1, 3]);
  assert.deepEqual([...sortByRanks(0, [])], []);
  assert.deepEqual([...rankNumbers(Float64Array.of(5, -1, 5, 1e15))], [1, 0, 1, 2]);
  assert.deepEqual([...rankNumbers(Float64Array.of(-3, -3, 0, 7, 7))], [0, 0, 1, 2, 2]);
  assert.deepEqual([...rankNumbers(Float64Array.of())], []);
  assert.deepEqual([...sortByRanks(4, [{ ranks: Uint32Array.of(0, 0, 1, 2), reverse: false }])], [0, 1, 2, 3]);
  assert.deepEqual([...sortByRanks(4, [{ ranks: Uint32Array.of(0, 0, 1, 2), reverse: true }])], [3, 2, 0, 1]);
});

test("ranks of texts, and of more texts, are those of all at once", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const next = chance(seed);
    const text = (): string => String.fromCharCode(...Array.from({ length: Math.floor(next() * 3) }, () => 97 + Math.floor(next() * 160)));
    const before = Array.from({ length: Math.floor(next() * 50) }, text);
    const after: string[] = [];
    const from: number[] = [];
    const added: string[] = [];
    before.forEach((t, i) => {
      if (next() < 0.8) {
        after.push(t);
        from.push(i);
      }
      if (next() < 0.3) {
        after.push(text());
        from.push(-1);
        added.push(after.at(-1) ?? "");
      }
    });
    const merged = mergeTexts(rankTexts(before), Int32Array.from(from), added);
    assert.deepEqual(after.map((_, i) => merged.keys[merged.ranks[i] ?? -1]), after);
    assert.deepEqual([...merged.keys].sort(), merged.keys);
    assert.equal(new Set(merged.keys).size, merged.keys.length);
  }
});

test("identifiers are numbered as they come", () => {
  const numbers = new IdNumbers();
  const octets = Buffer.alloc(idOctets * 5001);
  for (let i = 0; i < 5000; i++) hashId(`${i}@x`, octets, i * idOctets);
  for (let i = 0; i < 5000; i++) assert.equal(numbers.of(octets, i * idOctets), i);
  for (let i = 0; i < 5000; i++) assert.equal(numbers.of(octets, i * idOctets), i);
  assert.equal(numbers.of(octets, 5000 * idOctets), -1);
  assert.equal(numbers.size, 5000);
});
