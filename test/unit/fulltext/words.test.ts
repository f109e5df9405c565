/** Words, blocks and segments: what is found in them is what a look at the texts finds. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { blocksOf, eachWord, placesOf, wordsHolding } from "../../../src/store/fulltext/blocks.ts";
import { FulltextDatabase } from "../../../src/store/fulltext/database.ts";
import { needleOf } from "../../../src/store/fulltext/needle.ts";
import { WordTable } from "../../../src/store/fulltext/words.ts";

const spaces = /[\t\n\r ]+/;
const text = fc.array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom("A", "B", "AB", "BA", "ABA") }, { weight: 3, arbitrary: fc.constantFrom(" ", "\n", "\r\n", "\t", "  ") }, { weight: 1, arbitrary: fc.constantFrom("É", "漢", "😀", "\0", "\u000b", "\u00a0") }), { maxLength: 40 }).map((pieces) => pieces.join(""));

function tableOf(texts: readonly string[]): WordTable {
  const table = new WordTable();
  for (const [n, one] of texts.entries()) table.addText(n, Buffer.from(one));
  return table;
}

test("a table has each word once, with every text it is in", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 12 }), (texts) => {
      const table = tableOf(texts);
      const known = new Map(Array.from({ length: table.count }, (_, n) => [table.word(n).toString(), table.texts(n)]));
      const expected = new Map<string, number[]>();
      for (const [n, one] of texts.entries()) for (const word of new Set(one.split(spaces).filter((w) => w !== ""))) expected.set(word, [...(expected.get(word) ?? []), n]);
      assert.deepEqual(known, expected);
      assert.equal(known.size, table.count);
    }),
  );
});

test("blocks give back the table, and are found in by parts, ends and whole words", () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 12 }), fc.constantFrom("A", "AB", "BAB", "\nA", "A\n", "\nAB\n", "漢", "\0"), (texts, wanted) => {
      const table = tableOf(texts);
      const again = new Map<string, readonly number[]>();
      const found = new Set<number>();
      for (const block of blocksOf(table)) {
        eachWord(block, (from, to, places) => again.set(block.words.toString("utf8", from, to), places));
        placesOf(block.places, wordsHolding(block.words, Buffer.from(wanted)), (place) => found.add(place));
      }
      assert.deepEqual(again, new Map(Array.from({ length: table.count }, (_, n) => [table.word(n).toString(), table.texts(n)])));
      const expected = texts.flatMap((one, n) => (one.split(spaces).some((word) => word !== "" && `\n${word}\n`.includes(wanted)) ? [n] : []));
      assert.deepEqual([...found].sort((a, b) => a - b), expected);
    }),
    { numRuns: 300 },
  );
});

test("many words, long ones, and many texts of one word", () => {
  const texts = Array.from({ length: 3000 }, (_, n) => `common w${n} ${"x".repeat(n === 7 ? 100_000 : 3)}${n}`);
  const table = tableOf(texts);
  assert.equal(table.count, 6001);
  const blocks = [...blocksOf(table)];
  const holding = (wanted: string): number[] => {
    const found: number[] = [];
    for (const { words, places } of blocks) placesOf(places, wordsHolding(words, Buffer.from(wanted)), (place) => found.push(place));
    return found.sort((a, b) => a - b);
  };
  assert.deepEqual(holding("common"), texts.map((_, n) => n));
  assert.deepEqual(holding("\nw299\n"), [299]);
  assert.deepEqual(holding("xxxx"), [7]);
  assert.ok(blocks.every(({ words }) => words.length < 8192 || words.includes("xxxx")));
});

test("what a text asks of words", () => {
  const asked = (wanted: string) => {
    const needle = needleOf(wanted);
    return needle === undefined ? undefined : [needle.exact, ...needle.pieces.map(({ octets, query }) => [octets.toString(), query])];
  };
  assert.deepEqual(asked("WORD"), [true, ["WORD", '"WOR" AND "ORD"']]);
  assert.deepEqual(asked("É"), [true, ["É", undefined]]);
  assert.deepEqual(asked("OF THE  LAW"), [false, ["\nTHE\n", '"THE"'], ["\nLAW", '"LAW"']], "no look at all blocks for two letters");
  assert.deepEqual(asked("A OF"), [false, ["\nOF", undefined], ["A\n", undefined]]);
  assert.equal(asked("THAT ".repeat(100))?.length, 9);
  assert.deepEqual(asked(" A"), [false, ["\nA", undefined]]);
  assert.deepEqual(asked("A\r\n"), [false, ["A\n", undefined]]);
  assert.deepEqual(asked("\v"), [true, ["\v", undefined]], "not what divides words here");
  assert.equal(asked(" \t"), undefined);
  assert.equal(asked("\ud83dA"), undefined);
});

test("small segments are put together, and half-empty ones made anew, without a change to what is found", () => {
  const side = mkdtempSync(join(tmpdir(), "fulltext-segments-"));
  const folder = { mailbox: "id", validity: 1, name: "INBOX" };
  const database = FulltextDatabase.open(side, "text", assert.fail);
  const mail = (n: number): Buffer => Buffer.from(`Subject: all s${n}\r\n\r\nall t${n} ${n % 3 === 0 ? "third" : ""}\r\n`);
  const add = (some: readonly number[], what = mail): void => {
    const octets = some.map(what);
    database.add(folder, some.map((uid, i) => ({ uid, mark: 9, length: octets[i]?.length ?? 0 })), Buffer.concat(octets));
    database.flush();
  };
  const found = (wanted: string, place: "header" | "body" | "text" = "text"): number[] => [...(database.look(folder, 0, [{ text: wanted, place }]).hits[0] ?? assert.fail())];
  const segments = (): number => database.segmentCount(folder);
  try {
    const uids: number[] = [];
    for (let at = 1; at <= 400; at += 10) {
      const some = Array.from({ length: 10 }, (_, n) => at + n);
      uids.push(...some);
      add(some);
      while (database.tidy());
    }
    assert.ok(segments() < 12, `${segments()} segments of 40`);
    assert.deepEqual(found("ALL"), uids);
    assert.deepEqual(found("THIRD", "body"), uids.filter((uid) => uid % 3 === 0));
    assert.deepEqual(found("THIRD", "header"), []);
    assert.deepEqual(found("S77", "header"), [77]);
    database.remove(folder, uids.filter((uid) => uid % 4 !== 0));
    while (database.tidy());
    const left = uids.filter((uid) => uid % 4 === 0);
    assert.deepEqual(found("ALL"), left);
    assert.deepEqual(found("THIRD"), left.filter((uid) => uid % 3 === 0));
    // The same UID again, with another text.
    add([8], () => mail(501));
    assert.deepEqual(found("T8\r\n", "body"), []);
    assert.deepEqual(found("T501"), [8]);
    database.remove(folder, left);
    assert.deepEqual(found("ALL"), []);
    assert.equal(segments(), 0);
  } finally {
    database.close();
    rmSync(side, { recursive: true });
  }
});

test("an index that was closed and opened again is the same: what is known of it need not be asked again; a new one is another", () => {
  const side = mkdtempSync(join(tmpdir(), "fulltext-epoch-"));
  const folder = { mailbox: "id", validity: 1, name: "INBOX" };
  const using = <T>(text: string, work: (database: FulltextDatabase) => T): T => {
    const database = FulltextDatabase.open(side, text, () => {});
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  const octets = Buffer.from("Subject: a\r\n\r\nb\r\n");
  try {
    const first = using("text", (database) => {
      database.add(folder, [{ uid: 1, mark: 9, length: octets.length }], octets);
      database.flush();
      return database.look(folder, 0, []);
    });
    assert.equal(first.chunks.length, 1);
    const again = using("text", (database) => database.look(folder, first.version, []));
    assert.deepEqual(again, { ...first, chunks: [] });
    const other = using("other text", (database) => database.look(folder, first.version, []));
    assert.notEqual(other.epoch, first.epoch);
    assert.equal(other.version, 0);
  } finally {
    rmSync(side, { recursive: true });
  }
});
